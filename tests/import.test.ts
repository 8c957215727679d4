import { describe, expect, onTestFinished, test } from 'vitest'
import type { CrmEntity } from '../src/domain/crm.ts'
import { normaliseEmail } from '../src/domain/email.ts'
import type { Settings } from '../src/simulator/settings.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'
import { expectProven } from './support/ledger.ts'

const size = { lead: 4200, contact: 1300 }
const fields = {
  lead: [
    'WorkPhone',
    'Company',
    'Notes',
    'Employees',
    'AssignDate',
    'CRegion',
    'CScore',
    'CBudget',
    'CNewsletter',
    'CBirthday',
    'Address/City',
    'Address/Country',
  ],
  contact: ['AccountName', 'Birthday', 'Directions', 'YearGraduated', 'CScore', 'DoNotPhone', 'Address/PostalCode'],
}

type Options = Partial<Settings> & { leads?: number; contacts?: number }

const open = async ({ leads = size.lead, contacts = size.contact, ...settings }: Options = {}): Promise<Fairlead> => {
  const fairlead = await openFairlead({ leads, contacts })
  fairlead.simulator.control.settings(settings)
  onTestFinished(fairlead.close)
  return fairlead
}

/** What the CRM holds, counted by a plain loop over its own truth. */
const countPeople = (fairlead: Fairlead, entity: CrmEntity) => {
  const { items } = fairlead.simulator.control.people({ entity, count: 100_000 })
  const emails = items.map((each) => normaliseEmail(each['Email'])).filter((email) => email !== null)
  return {
    withoutEmail: items.length - emails.length,
    duplicateEmail: emails.filter((email) => emails.indexOf(email) !== emails.lastIndexOf(email)).length,
    optedOut: items.filter((each) => each['DoNotEmail'] === true || each['DoNotSolicit'] === true).length,
  }
}

describe('I1, I2, R8, R10: everybody is on the list, value by value, and the ledger balances', () => {
  test.each<[string, Options, string]>([
    ['8.x', {}, '8'],
    ['7.5.4, without metadata and rights', { mode: '7.5.4' }, '7.5.4'],
    [
      'ISO dates, T and F, padded ids, byte-order marks, relations without keys',
      { dates: 'iso', booleans: 'letters', padIds: true, bom: true, nullRelation: 'object' },
      '8',
    ],
    ['a case-sensitive database and short URLs', { collation: 'sensitive', maxUrl: 900 }, '8'],
    ['one session at a time', { oneSession: 403, maxPage: 300 }, '8'],
  ])(
    '%s',
    async (_name, options, family) => {
      const fairlead = await open(options)
      expect(await fairlead.connect()).toMatchObject({ state: 'connected', family })
      for (const entity of ['lead', 'contact'] as const) {
        const run = await fairlead.finished(await fairlead.startImport(entity, fields[entity]))
        await expectProven(fairlead, run, entity, size[entity])
        expect(run.counts!['pull']).toMatchObject(countPeople(fairlead, entity))
      }
    },
    90_000,
  )
})

test('two people with one address are two records, and the original spelling is kept (R1, R2, R6)', async () => {
  const fairlead = await open({ leads: 0, contacts: 0 })
  const spellings = ['Jo@Example.com', ' jo@example.COM ', null, '']
  for (const Email of spellings) fairlead.simulator.control.add({ entity: 'lead', values: { Email } })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', []))
  expect(run).toMatchObject({
    state: 'succeeded',
    counts: { pull: { created: 4, withoutEmail: 2, duplicateEmail: 2 } },
    balance: { balanced: true, listTotal: 4 },
  })
  const rows = await fairlead.db.$client<{ email: string[]; people: number }[]>`
    select json_agg(coalesce(trim(fields->>'c1'), 'none') order by fields->>'c1' collate "C") as email, count(*)::int as people
    from records where list_id = ${run.listId} group by email_key order by email_key nulls last`
  expect(rows).toEqual([
    { email: ['jo@example.COM', 'Jo@Example.com'], people: 2 },
    { email: ['none', 'none'], people: 2 },
  ])
})

test('an empty CRM gives an empty list and a balanced ledger', async () => {
  const fairlead = await open({ leads: 0, contacts: 0 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('contact', []))
  await expectProven(fairlead, run, 'contact', 0)
})
