import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, expectOneLeadEach, newPeople } from '../support/push.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'

let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0' }
  fairlead = await openFairlead({ leads: 400, contacts: 5, maxPage: 100, environment })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company', 'WorkPhone']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({
    enabled: true,
    addNew: true,
    updateExisting: true,
    fields: ['Title', 'LastName'],
    clearFields: ['LastName'],
  })
}, 60_000)
afterEach(() => fairlead.simulator.control.clearFaults())
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const known = async (from: number, to: number): Promise<Held[]> =>
  (await leads.records())
    .filter(({ crmId, agreed }) => crmId !== null && Object.keys(agreed).length === 0)
    .slice(from, to)
const editAll = async (records: Held[], Title: string): Promise<void> => {
  await Promise.all(records.map(({ id }) => leads.edit(id, { Title })))
}
const rowsIn = async (table: 'late_rows' | 'put_off'): Promise<number> => {
  const sql = fairlead.db.$client
  const [found] = await sql<[{ n: number }]>`select count(*)::int as n from ${sql(table)}`
  return found.n
}
type Told = { code: string; crm_id: string; crm: { status?: number; message?: string } | null; times: number }
const reasonsOf = (runId: string) =>
  fairlead.db.$client<Told[]>`
    select code, crm_id, crm, times from entries where last_run_id = ${runId} and kind in ('skipped', 'rejected') order by crm_id`
const triesOf = (id: string): number =>
  control()
    .journal()
    .filter(({ method, path }) => method === 'PUT' && path.includes(id)).length

test('a sync asks only for the parts of a push that hold something', async () => {
  const sent = async (runId: string): Promise<boolean[]> => {
    const sql = fairlead.db.$client
    const lanes = await sql<{ done: boolean }[]>`
      select done from lanes where run_id = ${runId} and phase = 'push' order by lane`
    return lanes.map(({ done }) => done)
  }
  const nothing = await leads.run()
  expect(nothing).toMatchObject({ state: 'succeeded', counts: { push: { read: 0 } } })
  expect(await sent(nothing.id)).toEqual([false, false])

  const records = await known(0, 3)
  await editAll(records, 'In one go')
  const smooth = await leads.run()
  expect(smooth.counts!['push']).toMatchObject({ read: 3, updated: 3 })
  expect(await sent(smooth.id)).toEqual([true, false])

  await editAll(records, 'In two goes')
  // as often as one request is repeated, so that the record is put off
  control().addFault({ kind: 'htmlError', times: 3, match: { method: 'PUT', contains: records[1]!.crmId! } })
  const rough = await leads.run()
  expect(rough.counts!['push']).toMatchObject({ read: 3, updated: 3 })
  expect(await sent(rough.id)).toEqual([true, true])
  await expectQuiet(fairlead, leads, 'lead')
})

test('R22: a row that the CRM cannot deliver is rejected by id, its neighbours are taken, and it is read again until it comes', async () => {
  const ids = control()
    .people({ entity: 'lead', count: 400, select: ['Id'] })
    .items.map(({ Id }) => Id)
  for (const id of ids.slice(50, 80)) control().edit({ entity: 'lead', id, values: { Title: 'Among them' } })
  const [bad, other] = [ids[60]!, ids[61]!]
  control().addFault({ kind: 'poison', ids: [bad, other] })
  for (const times of [1, 2]) {
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' } })
    expect(run.counts!['pull']).toMatchObject({ updated: times === 1 ? 28 : 0, rejected: 2 })
    expect(sumsAgree(run)).toBe(true)
    expect((await reasonsOf(run.id)).map(({ code, crm_id, times: seen }) => [code, crm_id, seen])).toEqual(
      [bad, other].map((id) => ['crmFailed', id, times]),
    )
    expect(await rowsIn('late_rows')).toBe(2)
  }
  control().clearFaults()
  // long after: they are read by id, whatever their dates say
  control().settings({ clockOffsetMs: 3_600_000 })
  control().edit({ entity: 'lead', id: ids[0]!, values: { Title: 'Much later' } })
  expect((await leads.run()).counts!['pull']).toMatchObject({ updated: 3, rejected: 0 })
  control().settings({ clockOffsetMs: 0 })
  expect(await rowsIn('late_rows')).toBe(0)
  await expectQuiet(fairlead, leads, 'lead')
})

test('R21, R7: what keeps hitting one record of a push is that record’s: an error, a time-out, a create that is never answered', async () => {
  const records = await known(0, 30)
  await editAll(records, 'In spite of everything')
  const [broken, slow] = [records[11]!.crmId!, records[20]!.crmId!]
  const people = newPeople(5, 'unanswered')
  await addAll(leads, people.slice(0, 1))
  control().addFault({ kind: 'htmlError', status: 500, match: { method: 'PUT', contains: broken } })
  control().addFault({ kind: 'hang', match: { method: 'PUT', contains: slow } })
  control().addFault({ kind: 'hang', match: { method: 'POST', kind: 'leads' } })
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' } })
  expect(run.counts!['push']).toMatchObject({ read: 31, updated: 28, created: 0, rejected: 3 })
  expect(sumsAgree(run)).toBe(true)
  const told = await reasonsOf(run.id)
  expect(told.map(({ code, crm_id }) => [code, crm_id])).toEqual([
    ['crmFailed', broken],
    ['crmFailed', slow],
    ['crmFailed', null],
  ])
  // five times, and for an update the quick repetitions of a request
  expect(triesOf(broken)).toBeGreaterThanOrEqual(5)
  expect(triesOf(broken)).toBeLessThanOrEqual(15)
  expect(triesOf(slow)).toBe(5)
  expect(createsAt(fairlead)).toBe(5)
  expect(await rowsIn('put_off')).toBe(0)

  control().clearFaults()
  await addAll(leads, people.slice(1))
  const next = await expectInStep(fairlead, leads, 'lead')
  expect(next.counts!['push']).toMatchObject({ read: 7, updated: 2, created: 5 })
  await expectOneLeadEach(fairlead, [leads], people)
  expect((await leads.records()).filter(({ agreed }) => Object.keys(agreed).length > 0)).toEqual([])
}, 60_000)

describe('a refusal of one record harms nobody else', () => {
  test('R21: a missing right is that record’s, and the login stays as it is', async () => {
    const records = await known(0, 40)
    await editAll(records, 'Allowed')
    const bad = records[17]!.crmId!
    control().addFault({ kind: 'forbidden', ids: [bad], match: { method: 'PUT' } })
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(run.counts!['push']).toMatchObject({ read: 40, updated: 39, rejected: 1 })
    expect(await reasonsOf(run.id)).toMatchObject([{ code: 'noRight', crm_id: bad, crm: { status: 403 } }])
    expect(sumsAgree(run)).toBe(true)
    const connection = await connections.findActive(fairlead.db, fairlead.accountId)
    expect(connection).toMatchObject({ state: 'connected', concurrency: 4 })
    control().clearFaults()
    expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ updated: 1 })
  })

  test('R25: what the CRM does not accept is rejected with its own words', async () => {
    const records = await known(0, 12)
    await editAll(records, 'Valid')
    const bad = records[5]!
    await leads.edit(bad.id, { LastName: null })
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(run.counts!['push']).toMatchObject({ read: 12, updated: 11, rejected: 1 })
    expect(await reasonsOf(run.id)).toMatchObject([
      { code: 'crmRefused', crm_id: bad.crmId, crm: { message: 'LastName is required.' } },
    ])
    expect(control().person('lead', bad.crmId!)).toMatchObject({ LastName: bad.values['LastName'] })
    await leads.edit(bad.id, { LastName: 'Mended' })
    expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ updated: 1 })
  })
})
