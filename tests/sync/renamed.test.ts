import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Run } from '../../src/db/run/state.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectInStep } from '../support/quiet.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'

const gone = { kind: 'missingProperty', entity: 'Lead', property: 'Title', renamedTo: 'JobTitle' } as const
let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 300, contacts: 5, maxPage: 50 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company', 'WorkPhone']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({
    enabled: true,
    addNew: true,
    updateExisting: true,
    fields: ['Title', 'WorkPhone'],
    clearFields: ['Title', 'WorkPhone'],
  })
  control().massUpdate({ entity: 'lead', values: { Title: 'Kept' } })
  await expectInStep(fairlead, leads, 'lead')
}, 60_000)
afterEach(() => {
  control().clearScripts()
  control().clearFaults()
})
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const match = (method: string) => ({ kind: 'leads', method })
const titlesHere = async () => (await leads.records()).map(({ values }) => values['Title'])
/** The simulator's own truth, whatever the field is called at this moment. */
const titlesThere = (): unknown[] => {
  const name = control().faults().length > 0 ? 'JobTitle' : 'Title'
  return control()
    .people({ entity: 'lead', count: 1000 })
    .items.map((person) => person[name])
}
const expectSaid = (run: Run): void => {
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.warnings).toContainEqual(expect.objectContaining({ code: 'fieldMissing', field: 'Title' }))
  expect(sumsAgree(run)).toBe(true)
}
const someRecords = async (): Promise<Held[]> =>
  (await leads.records()).filter(({ crmId }) => crmId !== null).slice(0, 30)

test('R24: before a sync: it goes on with a warning, and neither side is cleared', async () => {
  const records = await someRecords()
  for (const { id } of records) await leads.edit(id, { WorkPhone: '030111', Title: 'Edited here' })
  control().addFault(gone)
  control().edit({ entity: 'lead', id: records.at(-1)!.crmId!, values: { Company: 'Changed' } })
  const run = await leads.run()
  expectSaid(run)
  expect(run.counts!['push']).toMatchObject({ read: 30, updated: 30 })
  const here = await titlesHere()
  expect(here.filter((title) => title === 'Edited here')).toHaveLength(30)
  expect(here.filter((title) => title === 'Kept')).toHaveLength(270)
  expect(titlesThere()).toEqual(Array.from({ length: 300 }, () => 'Kept'))
  for (const { crmId } of records) expect(control().person('lead', crmId!)).toMatchObject({ WorkPhone: '030111' })
  // again, without an edit of another field
  expectSaid(await leads.run())
  expect(titlesThere()).toEqual(Array.from({ length: 300 }, () => 'Kept'))

  control().clearFaults()
  const back = await expectInStep(fairlead, leads, 'lead')
  expect(back.counts!['push']).toMatchObject({ read: 30, updated: 30 })
  expect(titlesThere().filter((title) => title === 'Edited here')).toHaveLength(30)
})

test('R24, R14: what changed in the CRM while the field was away is taken over when it is back', async () => {
  control().addFault(gone)
  expectSaid(await leads.run())
  const [, , , , other] = (await leads.records()).slice(100)
  control().edit({ entity: 'lead', id: other!.crmId!, values: { JobTitle: 'Meanwhile' } })
  expectSaid(await leads.run())
  // the CRM's clock goes on: the next pull would not read that person again
  control().settings({ clockOffsetMs: 3_600_000 })
  control().edit({ entity: 'lead', id: (await leads.records())[0]!.crmId!, values: { Company: 'Later' } })
  expectSaid(await leads.run())
  control().clearFaults()
  await expectInStep(fairlead, leads, 'lead')
  expect((await leads.records()).find(({ id }) => id === other!.id)!.values['Title']).toBe('Meanwhile')
})

test('R24: in the middle of a pull', async () => {
  const before = await titlesHere()
  control().massUpdate({ entity: 'lead', values: { Company: 'Everybody' } })
  control().script({ afterRequests: 8, match: match('GET'), do: [{ fault: gone }] })
  const run = await leads.run()
  expect(control().scripts()).toEqual([])
  expectSaid(run)
  expect(await titlesHere()).toEqual(before)
  control().clearFaults()
  await expectInStep(fairlead, leads, 'lead')
})

test('R24: in the middle of a push', async () => {
  const records = await someRecords()
  const before = new Map(records.map(({ crmId }) => [crmId!, control().person('lead', crmId!)!['Title']]))
  for (const { id } of records) await leads.edit(id, { WorkPhone: '030222', Title: 'Halfway' })
  control().script({ afterRequests: 10, match: match('PUT'), do: [{ fault: gone }] })
  const run = await leads.run()
  expect(control().scripts()).toEqual([])
  expectSaid(run)
  expect(run.counts!['push']).toMatchObject({ read: 30, updated: 30, rejected: 0 })
  for (const { crmId } of records) {
    const person = control().person('lead', crmId!)!
    expect(person).toMatchObject({ WorkPhone: '030222' })
    expect(['Halfway', before.get(crmId!)]).toContain(person['JobTitle'])
  }
  control().clearFaults()
  await expectInStep(fairlead, leads, 'lead')
  for (const { crmId } of records) expect(control().person('lead', crmId!)).toMatchObject({ Title: 'Halfway' })
})
