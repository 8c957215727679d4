import { expect, onTestFinished, test } from 'vitest'
import * as runs from '../src/db/run/state.ts'
import { openFairlead, until } from './support/fairlead.ts'
import { surviveKills } from './support/kills.ts'
import { expectProven } from './support/ledger.ts'
import { startWorker } from './support/worker.ts'

const open = async (leads: number, maxPage: number) => {
  const fairlead = await openFairlead({ worker: false, leads, contacts: 1, maxPage, latencyMs: 60 })
  onTestFinished(fairlead.close)
  return fairlead
}

test('I5, R22: a worker killed in the middle loses and doubles nobody', async () => {
  await surviveKills(await open(3000, 50), 3000, 1)
}, 180_000)

test('SIGTERM ends a worker at its next page, and another goes on at once', async () => {
  const fairlead = await open(6000, 100)
  const first = await startWorker(fairlead)
  await fairlead.connect()
  fairlead.simulator.control.settings({ latencyMs: 300 })
  const runId = await fairlead.startImport('lead')
  const lanes = () =>
    fairlead.db.$client<{ pages: number; attempt: number; done: boolean }[]>`
      select pages, attempt, done from lanes where run_id = ${runId} and phase = 'pull' order by lane`
  await until('every lane has stored a page', async () => {
    const all = await lanes()
    return all.length === 4 && all.every(({ pages }) => pages > 0)
  })
  expect(await first.stop()).toBe(0)
  expect(first.output()).toContain('worker stopped')
  const stopped = await lanes()
  expect((await runs.get(fairlead.db, fairlead.accountId, runId)).state).toBe('running')
  const second = await startWorker(fairlead)
  await expectProven(fairlead, await fairlead.finished(runId), 'lead', 6000)
  // one attempt before the signal, one after, and the end that closes every lane: nothing waited for a heartbeat to stay away
  const ended = (await lanes()).map(({ attempt }) => attempt)
  expect(ended).toEqual(stopped.map(({ done }) => (done ? 2 : 3)))
  expect(ended).toContain(3)
  expect(await second.stop()).toBe(0)
}, 120_000)
