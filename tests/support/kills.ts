import { randomInt } from 'node:crypto'
import * as runs from '../../src/db/run/state.ts'
import { until, type Fairlead } from './fairlead.ts'
import { expectProven } from './ledger.ts'
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
