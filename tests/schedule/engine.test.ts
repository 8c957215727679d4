import type { ScheduleDescription } from '@temporalio/client'
import { and, eq } from 'drizzle-orm'
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fireDue } from '../../src/db/schedule/fire.ts'
import { audit, outbox, schedules } from '../../src/db/schema.ts'
import type { ScheduleSpec } from '../../src/domain/schedule.ts'
import { watchSchedules } from '../../src/schedule.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addSchedule, alertsOf, changeSchedule, dailySpec, firingsOf } from '../support/schedule.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

const dayMs = 24 * 60 * 60_000
const ago = (ms: number): Date => new Date(Date.now() - ms)

let fairlead: Fairlead
let list: TestList
const added: string[] = []

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 5 })
  await fairlead.connect()
  const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title']))
  list = await openList(fairlead, listId!)
})
afterAll(() => fairlead.close())

const engine = () => fairlead.wiring.flows.client
const handleOf = (id: string) => engine().schedule.getHandle(`schedule:${id}`)
const find = async (id: string): Promise<ScheduleDescription | undefined> => {
  try {
    return await handleOf(id).describe()
  } catch {
    return undefined
  }
}
const get = async (id: string) => (await fairlead.db.select().from(schedules).where(eq(schedules.id, id)))[0]!
const watch = (graceMs?: number) => watchSchedules(fairlead.wiring, { olderThanMs: 0, graceMs })
const add = async (row: Partial<typeof schedules.$inferInsert> = {}): Promise<string> => {
  const id = await addSchedule(fairlead, { listId: list.listId, ...row })
  added.push(id)
  return id
}
const given = async (row: Partial<typeof schedules.$inferInsert> = {}): Promise<string> => {
  const id = await add(row)
  await fairlead.wiring.relay()
  await until('the engine has it', () => find(id))
  return id
}
const repairsOf = async (id: string) =>
  fairlead.db
    .select({ details: audit.details })
    .from(audit)
    .where(and(eq(audit.action, 'schedule.repair'), eq(audit.targetId, id)))

afterEach(async () => {
  for (const id of added.splice(0)) {
    await changeSchedule(fairlead, id, { state: 'removed', slot: null })
    await fairlead.wiring.relay()
    expect(await until('the engine has none', async () => (await find(id)) === undefined)).toBe(true)
  }
})

describe('T1: a schedule of the engine', () => {
  test('fires: a run that balances, its firing, and nothing more for the same time', async () => {
    const spec = { ...dailySpec(5), time: '06:30' }
    const id = await given({ spec, accountedUntil: new Date() })
    fairlead.simulator.control.massUpdate({ entity: 'lead', count: 7, values: { Title: 'Scheduled' } })
    const backfill = () => handleOf(id).backfill([{ start: ago(2 * dayMs), end: ago(dayMs), overlap: 'ALLOW_ALL' }])
    await backfill()
    const [firing] = await until('it has fired', async () => {
      const rows = await firingsOf(fairlead, id)
      return rows.length > 0 && rows
    })
    expect(firing).toMatchObject({ outcome: 'started', firedBy: 'engine', code: null })
    expect(firing!.localTime).toMatch(/^\d{4}-\d\d-\d\dT06:30$/)
    const run = await fairlead.finished(firing!.runId!)
    expect(run).toMatchObject({ state: 'succeeded', trigger: 'schedule', counts: { pull: { updated: 7 } } })
    expect(sumsAgree(run)).toBe(true)

    await backfill()
    const actions = await until('it has fired again', async () => {
      const { info } = await handleOf(id).describe()
      return info.recentActions.length > 1 && info.recentActions
    })
    const { workflowId, firstExecutionRunId } = actions.at(-1)!.action.workflow
    expect(workflowId).toMatch(new RegExp(`^schedule:${id}-`))
    expect(await engine().workflow.getHandle(workflowId, firstExecutionRunId).result()).toEqual({ outcome: 'nothing' })
    expect(await firingsOf(fairlead, id)).toHaveLength(1)
    expect(await get(id)).toMatchObject({ slot: 1, state: 'active', generation: 1, appliedGeneration: 1 })
  })

  test('has ids only, a summary, its policies, and what operators filter by', async () => {
    const id = await given()
    const { action, policies, state, typedSearchAttributes } = await handleOf(id).describe()
    expect(action).toMatchObject({
      workflowId: `schedule:${id}`,
      workflowType: 'fireSchedule',
      args: [{ accountId: fairlead.accountId, scheduleId: id }],
      staticSummary: 'Scheduled sync of a list',
    })
    expect(policies).toEqual({ overlap: 'SKIP', catchupWindow: 600_000, pauseOnFailure: false })
    expect(state.note).toMatch(/^Follows Fairlead's table; changes made here are undone \([\da-f]{12}\)$/)
    const pairs = typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value])
    expect(Object.fromEntries(pairs)).toMatchObject({ ListId: list.listId, RunKind: 'schedule' })
  })

  test('follows the row: changed, paused, resumed, removed, in any order of calls', async () => {
    const id = await given()
    await changeSchedule(fairlead, id, { spec: { ...dailySpec(0), time: '03:17' } })
    await Promise.all([watch(), fairlead.wiring.relay(), watch()])
    const hours = async () => (await find(id))?.spec.calendars?.map(({ hour, minute }) => [hour, minute])
    expect(await hours()).toEqual([[[{ start: 3, end: 3, step: 1 }], [{ start: 17, end: 17, step: 1 }]]])
    await changeSchedule(fairlead, id, { state: 'paused', slot: null, pausedBy: 'person' })
    await fairlead.wiring.relay()
    expect(await find(id)).toBeUndefined()
    await changeSchedule(fairlead, id, { state: 'active', slot: 2, pausedBy: null })
    await watch()
    expect(await hours()).toHaveLength(1)
    expect(await get(id)).toMatchObject({ generation: 4, appliedGeneration: 4 })
    expect(await alertsOf(fairlead, id)).toEqual([])
  })
})

const specs: Partial<ScheduleSpec>[] = [
  { frequency: 'monthly', dayOfMonth: 'last', time: '01:30', everyHours: 1, timeZone: 'Australia/Lord_Howe' },
  { frequency: 'monthly', dayOfMonth: 30, time: '02:30', timeZone: 'Europe/Berlin', startDate: '2027-01-01' },
  {
    frequency: 'weekly',
    daysOfWeek: ['sunday', 'monday'],
    time: '00:00',
    everyHours: 1,
    timeZone: 'Africa/Casablanca',
  },
]
test.each(specs)('what the engine shows of a schedule is what it was given: $timeZone', async (part) => {
  const id = await given({ spec: { ...dailySpec(0), ...part } })
  expect(await watch()).toEqual({ compared: 1, fired: 0 })
  expect(await repairsOf(id)).toEqual([])
  const { state, info } = await handleOf(id).describe()
  expect([state.paused, info.lastUpdatedAt]).toEqual([false, undefined])
})

describe('what was done by hand in the engine', () => {
  const byHand: [string, (id: string) => Promise<unknown>][] = [
    ['deleted', (id) => handleOf(id).delete()],
    ['paused', (id) => handleOf(id).pause('by hand')],
    [
      'edited',
      (id) =>
        handleOf(id).update(({ spec, ...rest }) => ({
          ...rest,
          spec: { ...spec, calendars: [{ hour: 5, minute: 1 }] },
        })),
    ],
    ['edited', (id) => handleOf(id).update((is) => ({ ...is, policies: { ...is.policies, overlap: 'ALLOW_ALL' } }))],
    ['edited', (id) => handleOf(id).update((is) => ({ ...is, state: { ...is.state, remainingActions: 1 } }))],
  ]
  test.each(byHand)('R20: is repaired and said, once: %s', async (found, act) => {
    const id = await given()
    expect(await watch()).toEqual({ compared: 1, fired: 0 })
    const before = await handleOf(id).describe()
    await act(id)
    await watch()
    const after = await handleOf(id).describe()
    for (const part of ['spec', 'action', 'policies', 'state'] as const) expect(after[part]).toEqual(before[part])
    expect(await alertsOf(fairlead, id)).toMatchObject([{ kind: 'scheduleRepaired', details: { found } }])
    expect(await repairsOf(id)).toEqual([{ details: { found } }])
    await watch()
    expect(await repairsOf(id)).toHaveLength(1)
  })

  test('a schedule that was left though its row is removed or unknown goes when it fires', async () => {
    const id = await given()
    const { action } = await handleOf(id).describe()
    await changeSchedule(fairlead, id, { state: 'removed', slot: null })
    await fairlead.wiring.relay()
    for (const scheduleId of [id, randomUUID()]) {
      const args = [{ accountId: fairlead.accountId, scheduleId }]
      const handle = handleOf(scheduleId)
      // two workflows of one id in one second would be one
      const own = { ...action, workflowId: handle.scheduleId, args }
      await engine().schedule.create({ scheduleId: handle.scheduleId, spec: {}, action: own })
      await handle.trigger('SKIP')
      await until('it is gone', async () => {
        await fairlead.wiring.relay()
        return (await find(scheduleId)) === undefined
      })
      expect(await firingsOf(fairlead, scheduleId)).toEqual([])
    }
  })
})

describe('the watchdog', () => {
  test('fires what the engine did not fire, says so, and the engine then fires nothing', async () => {
    const id = await given({ spec: dailySpec(5), accountedUntil: ago(3.5 * dayMs) })
    const early = 5 * dayMs
    expect(await watch(early)).toEqual({ compared: 1, fired: 0 })
    expect(await watch()).toEqual({ compared: 1, fired: 1 })
    expect(await watch()).toEqual({ compared: 1, fired: 0 })
    const rows = await firingsOf(fairlead, id)
    expect(rows.map(({ outcome, firedBy }) => [outcome, firedBy])).toEqual([
      ...[1, 2, 3].map(() => ['missed', 'watchdog']),
      ['started', 'watchdog'],
    ])
    const { runId, dueAt } = rows.at(-1)!
    const details = { dueAt: dueAt.toISOString(), outcome: 'started', missed: 3, runId }
    expect(await alertsOf(fairlead, id)).toMatchObject([{ kind: 'scheduleMissed', resolvedAt: null, details }])
    expect(
      await fireDue(fairlead.db, { accountId: fairlead.accountId, scheduleId: id }, { nominalAt: dueAt }),
    ).toBeNull()
    expect(await fairlead.finished(runId!)).toMatchObject({ state: 'succeeded', trigger: 'schedule' })

    const later = new Date(Date.now() + dayMs)
    const next = await fireDue(fairlead.db, { accountId: fairlead.accountId, scheduleId: id }, { now: later })
    expect(await alertsOf(fairlead, id)).toMatchObject([{ resolvedAt: expect.any(Date) as Date }])
    await fairlead.finished(next!.runId!)
  })
})

test('a row whose message was lost with its process reaches the engine all the same', async () => {
  const id = await add()
  await fairlead.db
    .update(outbox)
    .set({ doneAt: new Date() })
    .where(eq(outbox.workflowId, `schedule:${id}`))
  expect(await find(id)).toBeUndefined()
  expect((await get(id)).appliedGeneration).toBeNull()
  await watch()
  expect(await find(id)).toBeDefined()
  expect((await get(id)).appliedGeneration).toBe(1)
  expect(await alertsOf(fairlead, id)).toEqual([])
})
