import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

let fairlead: Fairlead
let list: TestList
let other: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 40, contacts: 10 })
  await fairlead.connect()
  const ids = [await fairlead.startImport('lead', ['Title']), await fairlead.startImport('contact', ['Title'])]
  const [first, second] = await Promise.all(ids.map((id) => fairlead.finished(id)))
  list = await openList(fairlead, first!.listId!)
  other = await openList(fairlead, second!.listId!)
})
afterAll(() => fairlead.close())
afterEach(() => fairlead.simulator.control.clearFaults())

type Kind = 'sync' | 'sweep' | 'verify'
const ask = async (of: TestList, kind: Kind = 'sync', queue = false) => {
  const answer = await request(fairlead.db, fairlead.accountId, of.listId, { kind, trigger: 'api', queue })
  await fairlead.wiring.relay()
  return answer
}
const get = (runId: string) => runs.get(fairlead.db, fairlead.accountId, runId)
/** A run that is under way and stays so until it may go on. */
const hold = async (kind: Kind = 'sync') => {
  fairlead.simulator.control.addFault({ kind: 'slow', ms: 1500, match: { kind: 'leads' } })
  const { runId } = await ask(list, kind)
  await until('the run is at work', async () => (await get(runId)).state === 'running')
  return {
    runId,
    goOn: async () => {
      fairlead.simulator.control.clearFaults()
      return fairlead.finished(runId)
    },
  }
}
const expectGood = async (runId: string): Promise<void> => {
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(sumsAgree(run)).toBe(true)
}

describe('R19', () => {
  test.each<Kind>(['sync', 'sweep', 'verify'])(
    'while a %s of a list is under way, Run Now answers with it',
    async (kind) => {
      const { runId, goOn } = await hold(kind)
      for (const each of ['sync', 'sweep', 'verify'] as const)
        expect(await ask(list, each)).toEqual({ runId, created: false })
      // another list has its own place
      const elsewhere = await ask(other)
      expect(elsewhere.created).toBe(true)
      await expectGood(elsewhere.runId)
      await goOn()
      await expectGood(runId)
      const next = await ask(list)
      expect(next.created).toBe(true)
      await expectGood(next.runId)
    },
  )

  test('one more waits, is the answer to whoever wants to wait, and begins by itself when the first one ends', async () => {
    const { runId, goOn } = await hold()
    const waiting = await ask(list, 'sync', true)
    expect(waiting.created).toBe(true)
    expect(await ask(list, 'verify', true)).toEqual({ runId: waiting.runId, created: false })
    expect(await ask(list)).toEqual({ runId, created: false })
    expect(await get(waiting.runId)).toMatchObject({ state: 'queued', startedAt: null })
    const first = await goOn()
    await expectGood(waiting.runId)
    const second = await get(waiting.runId)
    expect(second.startedAt!.getTime()).toBeGreaterThanOrEqual(first.finishedAt!.getTime())
    expect((await ask(list)).created).toBe(true)
  })

  test('of many who ask at once one starts it, and of many who want to wait one makes it wait', async () => {
    await until('nothing is under way', async () => {
      const [row] = await fairlead.db.$client`select from runs where list_id = ${list.listId} and finished_at is null`
      return row === undefined
    })
    fairlead.simulator.control.addFault({ kind: 'slow', ms: 1500, match: { kind: 'leads' } })
    const asked = await Promise.all(Array.from({ length: 8 }, () => ask(list)))
    expect(new Set(asked.map(({ runId }) => runId)).size).toBe(1)
    expect(asked.filter(({ created }) => created)).toHaveLength(1)
    await until('the run is at work', async () => (await get(asked[0]!.runId)).state === 'running')
    const waiting = await Promise.all(Array.from({ length: 8 }, () => ask(list, 'sync', true)))
    expect(new Set(waiting.map(({ runId }) => runId)).size).toBe(1)
    expect(waiting.filter(({ created }) => created)).toHaveLength(1)
    fairlead.simulator.control.clearFaults()
    await expectGood(asked[0]!.runId)
    await expectGood(waiting[0]!.runId)
  })

  test('a waiting run that is cancelled ends at once, never begins, and leaves its place', async () => {
    const { runId, goOn } = await hold()
    const waiting = await ask(list, 'sync', true)
    await runs.requestCancel(fairlead.db, fairlead.accountId, waiting.runId)
    expect(await get(waiting.runId)).toMatchObject({ state: 'cancelled', startedAt: null })
    const next = await ask(list, 'sync', true)
    expect(next).toMatchObject({ created: true })
    expect(next.runId).not.toBe(waiting.runId)
    await goOn()
    await expectGood(runId)
    await expectGood(next.runId)
    expect(await get(waiting.runId)).toMatchObject({ state: 'cancelled', startedAt: null })
  })

  test('when the first one is cancelled, the waiting one begins', async () => {
    const { runId } = await hold()
    const waiting = await ask(list, 'sync', true)
    await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
    await fairlead.wiring.relay()
    expect(await fairlead.finished(runId)).toMatchObject({ state: 'cancelled' })
    fairlead.simulator.control.clearFaults()
    await expectGood(waiting.runId)
  })

  test('a run that is queued in the very moment in which the first one ends begins, too', async () => {
    const { db } = fairlead
    const [ended] = await db.$client<
      { id: string }[]
    >`select id from runs where list_id = ${list.listId} order by id desc limit 1`
    await db.$client`update runs set state = 'running', finished_at = null where id = ${ended!.id}`
    let asked: Promise<{ runId: string; created: boolean }> | undefined
    await db.$client.begin(async (tx) => {
      // the end of a run: its state, then whoever waits for it
      await tx`update runs set state = 'succeeded', finished_at = now() where id = ${ended!.id}`
      asked = ask(list, 'sync', true)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect(await tx`select from runs where list_id = ${list.listId} and state = 'queued'`).toHaveLength(0)
    })
    const { runId, created } = await asked!
    expect(created).toBe(true)
    await expectGood(runId)
  })
})
