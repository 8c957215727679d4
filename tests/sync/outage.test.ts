import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import * as runs from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addAll, expectOneLeadEach, newPeople } from '../support/push.ts'
import { expectInStep } from '../support/quiet.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

const edits = 120
let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '4000', CRM_LATE_MS: '0' }
  fairlead = await openFairlead({ leads: 1200, contacts: 5, maxPage: 50, environment })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
}, 60_000)
afterEach(() => {
  control().clearFaults()
  control().settings({ latencyMs: 0 })
})
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const editSome = async (title: string): Promise<void> => {
  const records = (await leads.records()).filter(({ crmId }) => crmId !== null)
  await Promise.all(records.slice(0, edits).map(({ id }) => leads.edit(id, { Title: title })))
}
const written = (title: string): number =>
  control().people({ entity: 'lead', count: 5000, where: `Title eq '${title}'`, select: ['Id'] }).total
const entriesOf = (code: string) => fairlead.db.$client`select id from entries where code = ${code}`
const stateOf = (runId: string) => runs.get(fairlead.db, fairlead.accountId, runId)

/** Begins a sync and waits until it is in the middle of the push of `title`. */
const inThePush = async (title: string): Promise<string> => {
  control().settings({ latencyMs: 60 })
  const { runId } = await request(fairlead.db, fairlead.accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  await fairlead.wiring.relay()
  await until('some records are pushed', async () => written(title) > 10)
  expect(written(title)).toBeLessThan(edits)
  return runId
}

test('R21: a CRM that goes away during a push is waited for, visibly, and the run ends balanced', async () => {
  const people = newPeople(40, 'away')
  await addAll(leads, people)
  await editSome('Away')
  const runId = await inThePush('Away')
  const fault = control().addFault({ kind: 'drop' })
  const waiting = await until('the run says what it waits for', async () => {
    const run = await stateOf(runId)
    return run.error !== null && run
  })
  expect(waiting).toMatchObject({ state: 'running', error: { code: 'crmUnreachable', since: expect.any(String) } })
  const counted = await fairlead.db.$client`select record_id, tries from put_off where run_id = ${runId} and tries > 0`
  expect([...counted], 'what everybody waits for counts against nobody').toEqual([])
  control().clearFaults(fault)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  const { read, created, updated, unchanged, rejected } = run.counts!['push']!
  expect({ read, created, settled: updated + unchanged, rejected }).toEqual({
    read: edits + people.length,
    created: people.length,
    settled: edits,
    rejected: 0,
  })
  expect(sumsAgree(run)).toBe(true)
  expect(written('Away')).toBe(edits)
  await expectOneLeadEach(fairlead, [leads], people)
  await expectInStep(fairlead, leads, 'lead')
}, 60_000)

test('R21: a CRM that asks for a pause again and again is waited for, and counts against no record', async () => {
  await editSome('Slowed')
  const before = (await entriesOf('crmFailed')).length
  control().settings({ latencyMs: 0 })
  const fault = control().addFault({ kind: 'tooMany', retryAfter: 1, match: { method: 'PUT' } })
  const { runId } = await request(fairlead.db, fairlead.accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  await fairlead.wiring.relay()
  const waiting = await until('the run says what it waits for', async () => {
    const run = await stateOf(runId)
    return run.error !== null && run
  })
  expect(waiting).toMatchObject({ state: 'running', error: { code: 'crmBusy', since: expect.any(String) } })
  const asked = (): number => control().gauges().byStatus[429] ?? 0
  const sofar = asked()
  await until('it has been asked for a pause some times more', async () => asked() > sofar + 3)
  expect((await fairlead.db.$client`select tries from put_off where run_id = ${runId} and tries > 0`).length).toBe(0)
  control().clearFaults(fault)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null, counts: { push: { read: edits, rejected: 0 } } })
  expect((await entriesOf('crmFailed')).length).toBe(before)
  expect(written('Slowed')).toBe(edits)
  await expectInStep(fairlead, leads, 'lead')
}, 60_000)

test('C4, C2, R21: a password that is changed during a push holds the run; it goes on by itself after the login is reconfirmed', async () => {
  await editSome('Held')
  const since = new Date().toISOString()
  const runId = await inThePush('Held')
  control().setUser({ username: 'admin', password: 'changed', role: 'admin' })
  const held = await until('the run is held', async () => {
    const run = await stateOf(runId)
    return run.state === 'held' && run
  })
  expect(held.error).toMatchObject({ code: 'loginRefused' })
  expect(await connections.findActive(fairlead.db, fairlead.accountId)).toMatchObject({ state: 'needsReconfirm' })
  // those under way when it changed, one of them again in a new session, and one login check; a probe goes without a password
  const refused = control()
    .journal()
    .filter(({ at, status, user }) => at >= since && status === 401 && user !== null)
  expect(refused.length).toBeLessThanOrEqual(4 + 1 + 1)

  const { requests } = control().gauges()
  const again = await request(fairlead.db, fairlead.accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  expect(again, 'the list’s place is taken').toEqual({ runId, created: false })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(control().gauges().requests, 'a refused secret is not tried again').toBe(requests)
  expect(written('Held')).toBeLessThan(edits)

  await fairlead.connect({ password: 'changed' })
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: edits, rejected: 0 })
  expect(sumsAgree(run)).toBe(true)
  expect(written('Held')).toBe(edits)
  await expectInStep(fairlead, leads, 'lead')
}, 60_000)

test('R19: a sync that is cancelled in the middle of its pull stops there, keeps the mark, and the next one finishes', async () => {
  const markOf = async () => fairlead.db.$client`select mark, widened_at from lists where id = ${leads.listId}`
  const before = await markOf()
  control().massUpdate({ entity: 'lead', values: { Company: 'Pulled' } })
  control().settings({ latencyMs: 120 })
  const { runId } = await request(fairlead.db, fairlead.accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  await fairlead.wiring.relay()
  const read = async (): Promise<number> => {
    const [sum] = await fairlead.db.$client<[{ n: number }]>`
      select coalesce(sum(read), 0)::int as n from lanes where run_id = ${runId}`
    return sum.n
  }
  await until('some pages are stored', async () => (await read()) > 100)
  await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'cancelled', error: null })
  expect(run.counts!['pull']!.read).toBeLessThan(1200)
  expect(sumsAgree(run)).toBe(true)
  expect(await markOf()).toEqual(before)
  await until('nothing is under way any more', async () => control().gauges().inFlight === 0)
  const { requests } = control().gauges()
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(control().gauges().requests).toBe(requests)
  control().settings({ latencyMs: 0 })
  const next = await expectInStep(fairlead, leads, 'lead')
  expect(next.counts!['pull']!.updated + run.counts!['pull']!.updated).toBe(control().counts()['leads'])
}, 60_000)

test('R19: a sync that is cancelled in the middle of its push stops there, and the next one finishes', async () => {
  const people = newPeople(60, 'cancelled')
  await addAll(leads, people)
  await editSome('Cancelled')
  const before = control().gauges().writes
  const runId = await inThePush('Cancelled')
  await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'cancelled', error: null })
  expect(sumsAgree(run)).toBe(true)
  const writes = control().gauges().writes - before
  expect(writes).toBeLessThan(edits + people.length)
  expect(run.counts!['push'], 'what was written stands in the ledger').toMatchObject({ read: writes })
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(control().gauges().writes - before).toBe(writes)
  control().settings({ latencyMs: 0 })
  const next = await leads.run()
  expect(next).toMatchObject({ state: 'succeeded', error: null })
  expect(sumsAgree(next)).toBe(true)
  expect(written('Cancelled')).toBe(edits)
  await expectOneLeadEach(fairlead, [leads], people)
  await expectInStep(fairlead, leads, 'lead')
}, 60_000)
