import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import { accounts, schedules } from '../../src/db/schema.ts'
import { fireDue } from '../../src/db/schedule/fire.ts'
import { nextTimes } from '../../src/domain/schedule.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addSchedule, changeSchedule, dailySpec, firingsOf } from '../support/schedule.ts'
import { sumsAgree } from '../support/sync.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const ago = (ms: number): Date => new Date(Date.now() - ms)

let fairlead: Fairlead
let listId: string
const added: string[] = []

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 5 })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead', ['Title']))).listId!
})
afterAll(() => fairlead.close())
afterEach(async () => {
  fairlead.simulator.control.clearFaults()
  for (const id of added.splice(0)) await changeSchedule(fairlead, id, { state: 'removed', slot: null })
})

/** Due `minutesAgo` of each day, and accounted for until so many days ago. */
const add = async (minutesAgo: number, days = 0.5): Promise<string> => {
  const id = await addSchedule(fairlead, { listId, spec: dailySpec(minutesAgo), accountedUntil: ago(days * dayMs) })
  added.push(id)
  return id
}
const fire = (scheduleId: string, nominalAt?: Date, now?: Date) =>
  fireDue(fairlead.db, { accountId: fairlead.accountId, scheduleId }, { nominalAt, now })
const get = (runId: string) => runs.get(fairlead.db, fairlead.accountId, runId)
/** Another run of the list, which stays under way until the faults are cleared. */
const occupy = async (kind: 'sync' | 'sweep'): Promise<string> => {
  fairlead.simulator.control.addFault({ kind: 'slow', ms: 1500, match: { kind: 'leads' } })
  const { runId } = await request(fairlead.db, fairlead.accountId, listId, { kind, trigger: 'api' })
  await fairlead.wiring.relay()
  await until('the run is at work', async () => (await get(runId)).state === 'running')
  return runId
}
const expectGood = async (runId: string): Promise<void> => {
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', trigger: 'schedule', kind: 'sync' })
  expect(sumsAgree(run)).toBe(true)
}

describe('T3: what is due', () => {
  test('starts one run, and the same time again starts nothing', async () => {
    const id = await add(5)
    const answers = await Promise.all(Array.from({ length: 8 }, () => fire(id)))
    const [fired, ...others] = answers.filter((each) => each !== null)
    expect(others).toEqual([])
    expect(fired).toMatchObject({ outcome: 'started', missed: 0 })
    expect(await fire(id, fired!.dueAt)).toBeNull()
    expect(await firingsOf(fairlead, id)).toMatchObject([{ dueAt: fired!.dueAt, outcome: 'started', code: null }])
    await expectGood(fired!.runId!)
  })

  test('and was missed several times is caught up for by one run', async () => {
    const id = await add(5, 3.5)
    const fired = await fire(id)
    expect(fired).toMatchObject({ outcome: 'started', missed: 3 })
    const rows = await firingsOf(fairlead, id)
    expect(rows.map(({ outcome }) => outcome)).toEqual(['missed', 'missed', 'missed', 'started'])
    expect(new Set(rows.map(({ runId }) => runId))).toEqual(new Set([fired!.runId]))
    await expectGood(fired!.runId!)
  })

  test('is not more than a thousand rows after a long outage', async () => {
    const spec = { ...dailySpec(5, ago(60 * dayMs)), time: '00:00', everyHours: 1 }
    const id = await addSchedule(fairlead, { listId, spec, accountedUntil: ago(50 * dayMs) })
    added.push(id)
    const fired = await fire(id)
    expect(fired).toMatchObject({ outcome: 'started', missed: 999 })
    expect(await fire(id)).toBeNull()
    await expectGood(fired!.runId!)
  })

  test('counts a few minutes before our clock says so, when the clock of the engine is ahead', async () => {
    const id = await add(5)
    const [row] = await fairlead.db.select().from(schedules).where(eq(schedules.id, id))
    const dueAt = nextTimes(row!.spec, row!.accountedUntil, 1)[0]!.at
    expect(await fire(id, dueAt, new Date(dueAt.getTime() - 10 * minuteMs))).toBeNull()
    const fired = await fire(id, dueAt, new Date(dueAt.getTime() - minuteMs))
    expect(fired).toMatchObject({ outcome: 'started', dueAt })
    expect(await fire(id)).toBeNull()
    await expectGood(fired!.runId!)
  })

  test('by the clock of another time zone runs again on the same day', async () => {
    const id = await add(5)
    const first = await fire(id)
    await expectGood(first!.runId!)
    const spec = { ...dailySpec(5), timeZone: 'Etc/GMT+1' }
    await changeSchedule(fairlead, id, { spec })
    const second = await fire(id, undefined, new Date(Date.now() + 2 * 60 * minuteMs))
    expect(second).toMatchObject({ outcome: 'started' })
    await expectGood(second!.runId!)
    const rows = await firingsOf(fairlead, id)
    expect(rows.filter(({ outcome }) => outcome === 'started')).toHaveLength(2)
  })
})

describe('R19: a due time', () => {
  test('while a sync is under way is skipped, and names it', async () => {
    const runId = await occupy('sync')
    const id = await add(5)
    expect(await fire(id)).toMatchObject({ outcome: 'skipped', code: 'runActive', runId })
    expect(await firingsOf(fairlead, id)).toMatchObject([{ outcome: 'skipped', code: 'runActive', runId }])
    fairlead.simulator.control.clearFaults()
    await fairlead.finished(runId)
    expect(await fire(id)).toBeNull()
  })

  test('while a sweep is under way waits for it, a second one is skipped', async () => {
    const sweepId = await occupy('sweep')
    const id = await add(5)
    const fired = await fire(id)
    expect(fired).toMatchObject({ outcome: 'queued' })
    const later = await fire(id, undefined, new Date(Date.now() + dayMs))
    expect(later).toMatchObject({ outcome: 'skipped', code: 'runActive', runId: fired!.runId })
    expect((await get(fired!.runId!)).state).toBe('queued')
    fairlead.simulator.control.clearFaults()
    await fairlead.finished(sweepId)
    await expectGood(fired!.runId!)
  })
})

describe('R19: a due time at the moment at which a sweep is started', () => {
  test('waits for it as well', async () => {
    const id = await add(5)
    fairlead.simulator.control.addFault({ kind: 'slow', ms: 1500, match: { kind: 'leads' } })
    const asked = { kind: 'sweep', trigger: 'system' } as const
    const { runId: sweepId } = await request(fairlead.db, fairlead.accountId, listId, asked)
    await expect(fire(id)).rejects.toMatchObject({ kind: 'transient' })
    expect(await firingsOf(fairlead, id)).toEqual([])
    await fairlead.wiring.relay()
    await until('the sweep is at work', async () => (await get(sweepId)).state === 'running')
    const fired = await fire(id)
    expect(fired).toMatchObject({ outcome: 'queued' })
    fairlead.simulator.control.clearFaults()
    await fairlead.finished(sweepId)
    await expectGood(fired!.runId!)
  })
})

describe('a schedule that cannot run', () => {
  test('R18: paused or removed starts nothing, and the engine is told again', async () => {
    const id = await add(5)
    await changeSchedule(fairlead, id, { state: 'paused', slot: null, pausedBy: 'person' })
    expect(await fire(id)).toBeNull()
    await changeSchedule(fairlead, id, { state: 'removed' })
    expect(await fire(id)).toBeNull()
    expect(await firingsOf(fairlead, id)).toEqual([])
  })

  test('C5: of a disabled connector is skipped with the reason, and its time is over', async () => {
    const id = await add(5)
    const enable = (connectorEnabled: boolean) =>
      fairlead.db.update(accounts).set({ connectorEnabled }).where(eq(accounts.id, fairlead.accountId))
    await enable(false)
    expect(await fire(id)).toMatchObject({ outcome: 'skipped', code: 'connectorDisabled' })
    await enable(true)
    expect(await fire(id)).toBeNull()
    expect(await firingsOf(fairlead, id)).toMatchObject([{ code: 'connectorDisabled', runId: null }])
  })

  test('C4, T3: while the login must be reconfirmed is held in its slot, and catches up once', async () => {
    const id = await add(5)
    fairlead.simulator.control.addFault({ kind: 'expired' })
    const fired = await fire(id)
    await fairlead.wiring.relay()
    await until('it is held', async () => (await get(fired!.runId!)).state === 'held')
    for (const days of [1, 2, 3]) {
      const later = await fire(id, undefined, new Date(Date.now() + days * dayMs))
      expect(later).toMatchObject({ outcome: 'skipped', code: 'runActive', runId: fired!.runId })
    }
    const [row] = await fairlead.db.select().from(schedules).where(eq(schedules.id, id))
    expect(row).toMatchObject({ state: 'active', slot: 1 })
    fairlead.simulator.control.clearFaults()
    await fairlead.connect()
    await expectGood(fired!.runId!)
    const started = await fairlead.db.$client`select from runs where trigger = 'schedule' and id > ${fired!.runId!}`
    expect(started).toHaveLength(0)
  })
})
