import { afterAll, beforeAll, expect, test } from 'vitest'
import { differences } from './support/compare.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'

let fairlead: Fairlead
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 4200, contacts: 1300 })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())

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

test.each(['lead', 'contact'] as const)(
  'I1, I2, R8: every %s of the CRM is on the list, value by value, and the ledger balances',
  async (entity) => {
    const run = await fairlead.finished(await fairlead.startImport(entity, fields[entity]))
    expect(run).toMatchObject({ state: 'succeeded', error: null, balance: { balanced: true, difference: 0 } })
    expect(await differences(fairlead, run.listId!, entity)).toEqual([])
  },
)
