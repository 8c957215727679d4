import { and, asc, desc, eq, inArray, ne, notInArray, sql } from 'drizzle-orm'
import type { FiringOutcome } from '../../domain/schedule.ts'
import { activeStates, type RunKind, type RunState } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { firings, lists, runs, schedules, segments } from '../schema.ts'
import type { Holder } from './find.ts'

type Named = { id: string; name: string }
export type NamedSchedule = typeof schedules.$inferSelect & { list: Named; segment: Named | null }

/** All schedules of an account with what they belong to, by slot; paused ones last. `holder`: only those of one list or segment. */
export const named = async (
  db: Database | Transaction,
  accountId: string,
  holder?: Holder,
): Promise<NamedSchedule[]> => {
  const rows = await db
    .select({
      schedule: schedules,
      list: { id: lists.id, name: lists.name },
      segment: { id: segments.id, name: segments.name },
    })
    .from(schedules)
    .innerJoin(lists, eq(lists.id, schedules.listId))
    .leftJoin(segments, eq(segments.id, schedules.segmentId))
    .where(
      and(
        eq(schedules.accountId, accountId),
        ne(schedules.state, 'removed'),
        holder === undefined ? undefined : eq(schedules.listId, holder.listId),
      ),
    )
    .orderBy(asc(schedules.slot), asc(schedules.id))
  return rows
    .map(({ schedule, ...rest }) => ({ ...schedule, ...rest }))
    .filter(({ segmentId }) => holder === undefined || segmentId === holder.segmentId)
}

export type Run = { id: string; kind: RunKind; state: RunState }

/** The run that takes the place of each list at this moment (R19), by list: one at work before one that waits. */
export const runsUnderWay = async (db: Database, listIds: string[]): Promise<Map<string, Run>> => {
  if (listIds.length === 0) return new Map()
  const rows = await db
    .select({ listId: runs.listId, id: runs.id, kind: runs.kind, state: runs.state })
    .from(runs)
    .where(
      and(
        inArray(runs.listId, listIds),
        inArray(runs.state, [...activeStates]),
        notInArray(runs.kind, ['upload', 'preview']),
      ),
    )
    .orderBy(desc(runs.id))
  // the oldest comes last, and stays
  return new Map(rows.map(({ listId, ...run }) => [listId!, run]))
}

export type Firing = {
  dueAt: Date
  localTime: string
  outcome: FiringOutcome
  code: string | null
  run: Run | null
}

/** The latest due time of each schedule that was accounted for. */
export const lastFirings = async (db: Database, scheduleIds: string[]): Promise<Map<string, Firing>> => {
  if (scheduleIds.length === 0) return new Map()
  // one look into the index for each: there are thousands after a year
  const last = sql`(select max(f.due_at) from firings f where f.schedule_id = ${schedules.id})`
  const rows = await db
    .select({
      scheduleId: firings.scheduleId,
      dueAt: firings.dueAt,
      localTime: firings.localTime,
      outcome: firings.outcome,
      code: firings.code,
      run: { id: runs.id, kind: runs.kind, state: runs.state },
    })
    .from(schedules)
    .innerJoin(firings, and(eq(firings.scheduleId, schedules.id), eq(firings.dueAt, last)))
    .leftJoin(runs, eq(runs.id, firings.runId))
    .where(inArray(schedules.id, scheduleIds))
  return new Map(rows.map(({ scheduleId, ...firing }) => [scheduleId, firing]))
}
