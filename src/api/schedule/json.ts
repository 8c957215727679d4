import { z } from 'zod'
import * as schedules from '../../db/schedule.ts'
import type { Database } from '../../db/database.ts'
import { FairleadError } from '../../domain/errors.ts'
import { nextTimes, skippedCause, type DueTime } from '../../domain/schedule.ts'
import { RunKind, RunState } from '../run/json.ts'
import { Id, Instant, instant } from '../schemas.ts'
import { scheduleExample, ScheduleSpecJson } from './input.ts'

const Named = z.object({ id: Id, name: z.string() })
const LocalTime = z.string().meta({ description: 'YYYY-MM-DDTHH:MM by the clock of the time zone' })
const Due = z.object({ at: Instant, localTime: LocalTime })

const Run = z.object({ id: Id, kind: RunKind, state: RunState })
const Firing = z.object({
  at: Instant.meta({ description: 'when it was due' }),
  localTime: LocalTime,
  outcome: z.enum(['started', 'queued', 'skipped', 'missed']).meta({
    description: 'skipped: nothing was started, see `code`; missed: a later run caught up for it',
  }),
  code: z.string().nullable(),
  message: z.string().nullable().meta({ description: 'what `code` means' }),
  remedy: z.string().nullable(),
  run: Run.nullable(),
})

const schedule = ScheduleSpecJson.extend({
  id: Id,
  list: Named,
  segment: Named.nullable().meta({ description: 'null: the list itself' }),
  state: z.enum(['active', 'paused']),
  slot: z.number().int().nullable().meta({ description: '1 to 10; null while it is paused' }),
  pausedBy: z.enum(['person', 'reset']).nullable().meta({ description: '`reset`: the connector was reset' }),
  nextTimes: z.array(Due).meta({ description: 'the next five, exactly as they will fire; none while it is paused' }),
  activeRun: Run.nullable().meta({ description: 'the list’s run under way: while a sync is, what is due is skipped' }),
  lastFiring: Firing.nullable().meta({ description: 'what became of the last time that it was due' }),
  createdAt: Instant,
  updatedAt: Instant,
})

const example = {
  ...scheduleExample,
  id: '019ab3c4-7000-7000-8000-556677889900',
  list: { id: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071', name: 'All Infor CRM Leads' },
  segment: null,
  state: 'active',
  slot: 1,
  pausedBy: null,
  nextTimes: [{ at: '2027-01-04T05:30:00.000Z', localTime: '2027-01-04T06:30' }],
  activeRun: null,
  lastFiring: null,
  createdAt: '2026-11-23T10:00:00.000Z',
  updatedAt: '2026-11-23T10:00:00.000Z',
}

export const Schedule = schedule
  .extend({
    warnings: z
      .array(z.object({ code: z.literal('scheduleDoesNothing'), message: z.string() }))
      .meta({ description: 'what makes the schedule useless' }),
  })
  .meta({
    id: 'Schedule',
    description: 'When a list or segment syncs by itself',
    examples: [{ ...example, warnings: [] }],
  })

const Other = z.object({ id: Id, slot: z.number().int(), list: Named, segment: Named.nullable() })
const Planned = schedule.extend({
  clashes: z
    .array(Due.extend({ with: z.array(Other) }))
    .meta({ description: 'of the next five times, those at which others are due in the same minute' }),
})

export const Planner = z
  .object({
    slots: z
      .array(z.object({ slot: z.number().int(), schedule: Planned.nullable().meta({ description: 'null: free' }) }))
      .meta({ description: 'the ten slots of the account' }),
    free: z.number().int(),
    paused: z.array(schedule).meta({ description: 'without a slot' }),
    held: z
      .boolean()
      .meta({ description: 'the connection waits for a person: what is due is held, and catches up once' }),
  })
  .meta({
    id: 'Planner',
    examples: [{ slots: [{ slot: 1, schedule: { ...example, clashes: [] } }], free: 9, paused: [], held: false }],
  })

const shownTimes = 5
const dueJson = ({ at, localTime }: DueTime) => ({ at: instant(at), localTime })

const firingJson = (last: schedules.Firing | undefined) => {
  if (last === undefined) return null
  const { dueAt, ...firing } = last
  const cause = firing.code === null ? { message: null, remedy: null } : skippedCause(firing.code)
  return { at: instant(dueAt), ...firing, ...cause }
}

type Row = schedules.NamedSchedule
const nextOf = ({ state, spec }: Row): DueTime[] => (state === 'active' ? nextTimes(spec, new Date(), shownTimes) : [])

type Past = { firings: Map<string, schedules.Firing>; runs: Map<string, schedules.Run> }
const pastOf = async (db: Database, rows: Row[]): Promise<Past> => ({
  firings: await schedules.lastFirings(
    db,
    rows.map(({ id }) => id),
  ),
  runs: await schedules.runsUnderWay(
    db,
    rows.map(({ listId }) => listId),
  ),
})

const scheduleJson = (row: Row, times: DueTime[], { firings, runs }: Past): z.infer<typeof schedule> => ({
  ...row.spec,
  id: row.id,
  list: row.list,
  segment: row.segment,
  state: row.state === 'active' ? 'active' : 'paused',
  slot: row.slot,
  pausedBy: row.pausedBy,
  nextTimes: times.map(dueJson),
  activeRun: runs.get(row.listId) ?? null,
  lastFiring: firingJson(firings.get(row.id)),
  createdAt: instant(row.createdAt),
  updatedAt: instant(row.updatedAt),
})

/** The schedule of a list or segment. Errors: notFound. */
export const showSchedule = async (
  db: Database,
  accountId: string,
  holder: schedules.Holder,
): Promise<z.infer<typeof Schedule>> => {
  await schedules.get(db, accountId, holder)
  const [row] = await schedules.named(db, accountId, holder)
  // it was removed between the two
  if (row === undefined) throw new FairleadError('notFound')
  const past = await pastOf(db, [row])
  const warnings = await schedules.warningsOf(db, holder)
  return { ...scheduleJson(row, nextOf(row), past), warnings }
}

const isDueAt = ({ spec }: Row, at: Date): boolean =>
  nextTimes(spec, new Date(at.getTime() - 1), 1)[0]?.at.getTime() === at.getTime()

const clashesOf = (row: Row, times: DueTime[], active: Row[]) =>
  times.flatMap((due) => {
    const others = active.filter((other) => other.id !== row.id && isDueAt(other, due.at))
    const found = others.map(({ id, slot, list, segment }) => ({ id, slot: slot!, list, segment }))
    return found.length === 0 ? [] : [{ ...dueJson(due), with: found }]
  })

/** T2: the ten slots with who holds them, and the schedules without one. */
export const showPlanner = async (
  db: Database,
  accountId: string,
  { slotCount, held }: { slotCount: number; held: boolean },
): Promise<z.infer<typeof Planner>> => {
  const rows = await schedules.named(db, accountId)
  const past = await pastOf(db, rows)
  const active = rows.filter(({ slot }) => slot !== null)
  const plan = (row: Row) => {
    const times = nextOf(row)
    return { ...scheduleJson(row, times, past), clashes: clashesOf(row, times, active) }
  }
  const slots = Array.from({ length: slotCount }, (_, index) => {
    const holder = active.find(({ slot }) => slot === index + 1)
    return { slot: index + 1, schedule: holder === undefined ? null : plan(holder) }
  })
  const paused = rows.filter(({ slot }) => slot === null).map((row) => scheduleJson(row, [], past))
  return { slots, free: slotCount - active.length, paused, held }
}
