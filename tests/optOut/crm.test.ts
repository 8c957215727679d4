import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runs } from '../../src/db/schema.ts'
import { eq } from 'drizzle-orm'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openOptOuts } from '../support/optOut.ts'
import { openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from '../sync/people.ts'

let fairlead: Fairlead
let crm: People
let optOuts: ReturnType<typeof openOptOuts>
let leads: TestList
let contacts: TestList
const ids: Record<string, string> = {}
const mail = (name: string): string => `${name}@fromcrm.example`

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 60, contacts: 20 })
  crm = openPeople(fairlead)
  optOuts = openOptOuts(fairlead)
  await fairlead.connect()
  const add = (entity: 'lead' | 'contact', name: string, values: Record<string, unknown>, key: string = name) =>
    (ids[key] = crm.add(entity, {
      Email: mail(name),
      LastName: 'Person',
      DoNotEmail: false,
      DoNotSolicit: false,
      ...values,
    }))
  add('lead', 'out', { DoNotEmail: true })
  add('lead', 'solicit', { DoNotSolicit: true })
  add('lead', 'both', { DoNotEmail: true })
  add('contact', 'both', { DoNotEmail: true }, 'bothContact')
  add('lead', 'free', {})
  add('lead', 'later', {})
  add('lead', 'stale', {})
  add('lead', 'back', {})
  await optOuts.out(mail('stale'))
  await optOuts.reaches(mail('stale'), 'written')
  const open = async (runId: string) => {
    await fairlead.finished(runId)
    const [run] = await fairlead.db.select().from(runs).where(eq(runs.id, runId))
    return openList(fairlead, run!.listId!)
  }
  leads = await open(await fairlead.startImport('lead', ['Title']))
  contacts = await open(await fairlead.startImport('contact', ['Title']))
}, 90_000)
afterAll(() => fairlead.close())

const active = async (name: string) =>
  (await optOuts.suppressions(mail(name))).filter(({ liftedAt }) => liftedAt === null).map(({ source }) => source)
const set = (name: string, values: Record<string, unknown>, entity: 'lead' | 'contact' = 'lead') =>
  crm.control.edit({ entity, id: ids[name]!, values })

describe('R34: what the CRM says of e-mail', () => {
  test('an import suppresses whom it says, by both fields, once an address, with who and which run', async () => {
    for (const name of ['out', 'solicit', 'both']) expect([name, await active(name)]).toEqual([name, ['crm']])
    for (const name of ['free', 'later']) expect(await active(name)).toEqual([])
    const [one] = await optOuts.suppressions(mail('solicit'))
    expect(one).toMatchObject({ reason: 'optedOut', email: mail('solicit') })
    expect(one!.evidence).toMatch(new RegExp(`DoNotSolicit on the lead ${ids['solicit']}; seen by run `))
    expect(await optOuts.of(mail('out'))).toEqual([])
  })

  test('who comes into the CRM later with an address that is opted out is marked there when we hear of them, once', async () => {
    const email = mail('opted')
    await optOuts.out(email)
    await optOuts.reaches(email, 'written')
    const values = { Email: email, LastName: 'Person', DoNotSolicit: false }
    const [lead, marked, contact] = [
      crm.add('lead', { ...values, DoNotEmail: false }),
      crm.add('lead', { ...values, DoNotEmail: true }),
      crm.add('contact', { ...values, Email: email.toUpperCase(), DoNotEmail: null }),
    ]
    const flags = () => [lead, marked, contact].map((id) => crm.everybody().get(id)?.['DoNotEmail'])
    await leads.run()
    await until('both are marked', async () => {
      await fairlead.wiring.relay()
      return flags().every((each) => each === true)
    })
    const said = await optOuts.reaches(email, 'written')
    expect(new Map(said.results.map(({ id, wrote }) => [id, wrote]))).toEqual(
      new Map([
        [lead, true],
        [marked, false],
        [contact, true],
      ]),
    )
    await contacts.run()
    expect(await optOuts.of(email)).toHaveLength(2)
    // by hand, against the person's word: here nobody mails them, and nobody quarrels with the CRM
    crm.control.edit({ entity: 'lead', id: lead, values: { DoNotEmail: false } })
    await leads.run()
    expect(await optOuts.of(email)).toHaveLength(2)
    expect((await optOuts.suppressions(email)).map(({ liftedAt }) => liftedAt)).toEqual([null])

    const again = crm.add('contact', { ...values, DoNotEmail: false })
    await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
    await until('the one of an import is marked', async () => {
      await fairlead.wiring.relay()
      return crm.everybody().get(again)?.['DoNotEmail'] === true
    })
  })

  test('our own DoNotEmail that comes back is no news', async () => {
    expect(await active('stale')).toEqual(['person'])
    await leads.run()
    expect(await active('stale')).toEqual(['person'])
  })

  test('a pull suppresses, and lifts with evidence when the CRM has given the person free, but nobody else’s word', async () => {
    set('later', { DoNotEmail: true })
    await leads.run()
    expect(await active('later')).toEqual(['crm'])
    set('later', { DoNotEmail: false })
    // a value of the CRM from before, or of somebody who does not know better
    set('stale', { DoNotEmail: false })
    await leads.run()
    expect(await active('later')).toEqual([])
    expect((await optOuts.suppressions(mail('later')))[0]!.liftEvidence).toMatch(
      `the lead ${ids['later']}; seen by run`,
    )
    expect(await active('stale')).toEqual(['person'])
    await leads.run()
    expect(await active('later')).toEqual([])
  })

  test('an address stays suppressed while another person with it is opted out in the CRM', async () => {
    set('both', { DoNotEmail: false })
    await leads.run()
    expect(await active('both')).toEqual(['crm'])
    set('bothContact', { DoNotEmail: false }, 'contact')
    await contacts.run()
    expect(await active('both')).toEqual([])
  })

  test('after the person’s consent the CRM is told false, and its own value that we wrote does not come back', async () => {
    await optOuts.out(mail('back'))
    await optOuts.reaches(mail('back'), 'written')
    await leads.run()
    await optOuts.consent(mail('back'))
    await optOuts.reaches(mail('back'), 'written')
    await leads.run()
    expect(await active('back')).toEqual([])
    expect(crm.everybody().get(ids['back']!)).toMatchObject({ DoNotEmail: false })
  })
})

test('R26: an opt-out is in the CRM while an import runs', async () => {
  crm.control.settings({ latencyMs: 200, maxPage: 10 })
  const runId = await fairlead.startImport('lead', ['Title'], true)
  await until(
    'the import reads',
    async () => (await fairlead.db.select().from(runs).where(eq(runs.id, runId)))[0]?.state === 'running',
  )
  await optOuts.out(mail('free'))
  await optOuts.reaches(mail('free'), 'written')
  const [run] = await fairlead.db.select().from(runs).where(eq(runs.id, runId))
  crm.control.settings({ latencyMs: 0 })
  expect(run!.state).toBe('running')
  expect(crm.everybody().get(ids['free']!)).toMatchObject({ DoNotEmail: true })
  await fairlead.finished(runId)
  expect(await active('free')).toEqual(['person'])
})
