import { afterAll, beforeAll, expect, test } from 'vitest'
import * as runRows from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { fetchHistory } from '../support/history.ts'
import { differences } from '../support/compare.ts'
import { addSchedule, dailySpec, firingsOf } from '../support/schedule.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { startWorker } from '../support/worker.ts'

const count = 10
/** of each list, and no two of one person */
const share = 20
let fairlead: Fairlead
const lists: TestList[] = []

beforeAll(async () => {
  fairlead = await openFairlead({ leads: count * share, contacts: 5, maxPage: 20 })
  await fairlead.connect()
  const runs = await Promise.all(Array.from({ length: count }, () => fairlead.startImport('lead', ['Title'], true)))
  for (const runId of runs) {
    const list = await openList(fairlead, (await fairlead.finished(runId)).listId!)
    await list.settings({ enabled: true, updateExisting: true, fields: ['Title'] })
    lists.push(list)
  }
}, 60_000)
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
/** Edits a share of the leads on each list, everybody once. */
const editShares = async (title: string): Promise<void> => {
  for (const [number, list] of lists.entries()) {
    const records = (await list.records()).toSorted((a, b) => (a.crmId! < b.crmId! ? -1 : 1))
    const own = records.slice(number * share, (number + 1) * share)
    await Promise.all(own.map(({ id }) => list.edit(id, { Title: `${title} ${number}` })))
  }
}
const startAll = async (): Promise<string[]> => {
  const started = await Promise.all(
    lists.map(({ listId }) => request(fairlead.db, fairlead.accountId, listId, { kind: 'sync', trigger: 'api' })),
  )
  await fairlead.wiring.relay()
  return started.map(({ runId }) => runId)
}
const finishAll = (runIds: string[]): Promise<runRows.Run[]> => Promise.all(runIds.map((id) => fairlead.finished(id)))
const writtenOf = (title: string): number[] =>
  lists.map(
    (_, number) =>
      control().people({ entity: 'lead', count: 1000, where: `Title eq '${title} ${number}'`, select: ['Id'] }).total,
  )
const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0)
const expectGreen = (runs: runRows.Run[]): void => {
  for (const run of runs) {
    expectGood(run)
  }
}

test('R26: two workers that push and pull ten lists never ask the CRM more than its limit at once, and use all of it', async () => {
  await startWorker(fairlead)
  await editShares('Shared')
  control().settings({ latencyMs: 30 })
  control().resetGauges()
  const runs = await finishAll(await startAll())
  expect(control().gauges().maxInFlight).toBe(4)
  control().settings({ latencyMs: 0 })
  expectGreen(runs)
  for (const run of runs) expect(run.counts!['push']).toMatchObject({ read: share, updated: share })
  expect(writtenOf('Shared')).toEqual(lists.map(() => share))
  const histories = await Promise.all(runs.map(({ workflowId }) => fetchHistory(fairlead, workflowId)))
  const workers = histories.flatMap(({ events }) =>
    (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.identity).filter(Boolean),
  )
  expect(new Set(workers).size).toBe(2)
}, 90_000)

test('R27: ten syncs that are due at once all advance, in pull and push', async () => {
  await editShares('Fair')
  control().settings({ latencyMs: 40 })
  // on a busy machine some begin to write later than others: fairness is between those who do
  const slow = control().addFault({ kind: 'slow', ms: 1000, match: { kind: 'leads', method: 'PUT' } })
  const runIds = await startAll()
  await until('each has written', async () => Math.min(...writtenOf('Fair')) > 0)
  const first = writtenOf('Fair')
  control().clearFaults(slow)
  const half = (count * share - sum(first)) / 2
  await until('half of the rest is written', async () => sum(writtenOf('Fair')) >= sum(first) + half)
  const written = writtenOf('Fair')
  // a third of an equal part, or all that it had left
  for (const [number, before] of first.entries())
    expect(written[number]! - before).toBeGreaterThanOrEqual(Math.min(share - before, half / count / 3))
  control().settings({ latencyMs: 0 })
  expectGreen(await finishAll(runIds))

  control().massUpdate({ entity: 'lead', values: { Title: 'Everybody' } })
  control().settings({ latencyMs: 60 })
  const pulls = await startAll()
  const readOf = async (): Promise<number[]> => {
    const rows = await fairlead.db.$client<{ n: number }[]>`
      select coalesce(sum(l.read), 0)::int as n from runs r left join lanes l on l.run_id = r.id and l.phase = 'pull'
      where r.id in ${fairlead.db.$client(pulls)} group by r.id`
    return rows.map(({ n }) => n)
  }
  const all = count * count * share
  const read = await until('half of it is read', async () => {
    const so = await readOf()
    return sum(so) >= all / 2 && so
  })
  expect(Math.min(...read)).toBeGreaterThan(0)
  control().settings({ latencyMs: 0 })
  expectGreen(await finishAll(pulls))
  for (const { listId } of lists) expect(await differences(fairlead, listId, 'lead')).toEqual([])
}, 90_000)

test('T2, R26, R27: ten schedules that fire at once all advance within the limit, and who waits for an answer comes between them', async () => {
  await editShares('Due')
  const spec = dailySpec(90)
  const add = ({ listId }: TestList, index: number) =>
    addSchedule(fairlead, { listId, slot: index + 1, spec, accountedUntil: new Date() })
  const ids = await Promise.all(lists.map(add))
  await fairlead.wiring.relay()
  control().settings({ latencyMs: 60 })
  control().resetGauges()
  const handles = ids.map((id) => fairlead.wiring.flows.client.schedule.getHandle(`schedule:${id}`))
  const [end, start] = [new Date(), new Date(Date.now() - 2 * 60 * 60_000)]
  await Promise.all(handles.map((handle) => handle.backfill([{ start, end, overlap: 'SKIP' }])))
  const fired = await until('all have fired', async () => {
    const rows = (await Promise.all(ids.map((id) => firingsOf(fairlead, id)))).flat()
    return rows.length === count && rows
  })
  expect(new Set(fired.map(({ outcome }) => outcome))).toEqual(new Set(['started']))
  const runIds = fired.map(({ runId }) => runId!)
  const get = (runId: string) => runRows.get(fairlead.db, fairlead.accountId, runId)
  await until('all are at work', async () => {
    const rows = await fairlead.db.$client`
      select distinct run_id from lanes where run_id in ${fairlead.db.$client(runIds)} and read > 0`
    return rows.length === count
  })
  expect(await fairlead.connect()).toMatchObject({ state: 'connected' })
  expect((await Promise.all(runIds.map(get))).filter(({ finishedAt }) => finishedAt === null).length).toBeGreaterThan(0)
  expect(control().gauges().maxInFlight).toBe(4)
  control().settings({ latencyMs: 0 })
  expectGreen(await finishAll(runIds))
  expect(writtenOf('Due')).toEqual(lists.map(() => share))
  await Promise.all(handles.map((handle) => handle.delete()))
}, 90_000)
