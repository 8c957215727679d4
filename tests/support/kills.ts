import { randomInt } from 'node:crypto'
import * as runs from '../../src/db/run/state.ts'
import { expect } from 'vitest'
import { request } from '../../src/db/sync/request.ts'
import { until, type Fairlead } from './fairlead.ts'
import { expectProven } from './ledger.ts'
import { addAll, expectOneLeadEach, leadsByEmail, newPeople } from './push.ts'
import { openList, sumsAgree } from './sync.ts'
import { startWorker } from './worker.ts'

const stored = async ({ db }: Fairlead, runId: string): Promise<number> => {
  const [sum] = await db.$client<[{ read: number }]>`
    select coalesce(sum(read), 0)::int as read from lanes where run_id = ${runId}`
  return sum.read
}

/**
 * Imports all leads while the worker is killed when random shares of them are stored, each time replaced by a new one; the run must finish by
 * itself, and everything be there once.
 */
export const surviveKills = async (fairlead: Fairlead, leads: number, kills: number): Promise<void> => {
  const hourMs = 3_600_000
  let worker = await startWorker(fairlead)
  await fairlead.connect()
  const runId = await fairlead.startImport('lead', ['Company', 'Notes', 'CBudget', 'Address/City'])
  for (let kill = 0; kill < kills; kill += 1) {
    const from = Math.floor((leads * kill) / kills)
    const at = from + randomInt(1, Math.max(2, Math.floor((leads * 0.8) / kills)))
    await until(`${at} leads are stored`, async () => (await stored(fairlead, runId)) >= at, hourMs)
    await worker.kill()
    const { state } = await runs.get(fairlead.db, fairlead.accountId, runId)
    if (state !== 'running') throw new Error(`the worker was killed too late: the run is ${state}`)
    worker = await startWorker(fairlead)
  }
  await expectProven(fairlead, await fairlead.finished(runId, hourMs), 'lead', leads)
}

/**
 * Pushes new people while the worker is killed when random shares of them are in the CRM; each time some have been created there and are not
 * known here yet. The run must finish by itself with one lead for each of them.
 */
export const survivePushKills = async (
  fairlead: Fairlead,
  count: number,
  kills: number,
  latencyMs: number,
): Promise<void> => {
  const hourMs = 3_600_000
  const { control } = fairlead.simulator
  let worker = await startWorker(fairlead)
  await fairlead.connect()
  const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Company']))
  const list = await openList(fairlead, listId!)
  await list.settings({ enabled: true, addNew: true })
  const people = newPeople(count, 'killed')
  await addAll(list, people)
  const before = control.counts()['leads']!
  control.settings({ latencyMs })
  const { runId } = await request(fairlead.db, fairlead.accountId, listId!, { kind: 'sync', trigger: 'api' })
  await fairlead.wiring.relay()
  let between = 0
  for (let kill = 0; kill < kills; kill += 1) {
    const at = Math.floor((count * kill) / kills) + randomInt(2, Math.max(3, Math.floor((count * 0.8) / kills)))
    await until(`${at} leads are created`, async () => control.counts()['leads']! - before >= at, hourMs)
    await worker.kill()
    expect((await runs.get(fairlead.db, fairlead.accountId, runId)).state).toBe('running')
    const created = leadsByEmail(fairlead)
    const here = (await list.records()).filter(({ crmId }) => crmId === null)
    between += here.filter(({ values }) => created.has(String(values['Email']))).length
    worker = await startWorker(fairlead)
  }
  expect(between).toBeGreaterThan(0)
  const run = await fairlead.finished(runId, hourMs)
  await expectOneLeadEach(fairlead, [list], people)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: count, created: count })
  expect(sumsAgree(run)).toBe(true)
}
