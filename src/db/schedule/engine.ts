import { and, eq, inArray, sql } from 'drizzle-orm'
import { lock } from '../account.ts'
import { raise, resolve } from '../alert.ts'
import { insert as audit, operator } from '../audit.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { schedules } from '../schema.ts'

export type Schedule = typeof schedules.$inferSelect

/** What a schedule of the engine was found to be that was given to it before: as it should be, gone, paused or edited by hand, there though it should not be. */
export type Found = 'equal' | 'deleted' | 'paused' | 'edited' | 'left'

/** Schedules that were changed since the engine was given them, and active ones not compared for `olderThanMs`, longest ago first. Whoever claims them compares them. */
export const claim = (
  db: Database,
  { limit, olderThanMs }: { limit: number; olderThanMs: number },
): Promise<{ id: string }[]> =>
  db.$client<{ id: string }[]>`
    update schedules set checked_at = clock_timestamp() where id in (
      select id from schedules
      where (state = 'active' or applied_generation is distinct from generation)
        and (checked_at is null or checked_at <= clock_timestamp() - make_interval(secs => ${olderThanMs / 1000}))
      order by checked_at nulls first limit ${limit} for update skip locked)
    returning id::text`

/** Only one that the engine had been given as it is now can have been touched by hand. */
const note = async (tx: Transaction, { id, accountId, listId, ...row }: Schedule, found: Found): Promise<void> => {
  if (row.appliedGeneration !== row.generation) return
  const problem = { kind: 'scheduleRepaired', subject: id } as const
  if (found === 'equal') return resolve(tx, accountId, problem)
  await raise(tx, accountId, { ...problem, details: { listId, found } })
  await audit(tx, accountId, operator, { action: 'schedule.repair', targetId: id, details: { found } })
}

/**
 * Has the engine's schedule made equal to the row by `keep`, which gets undefined where there should be none. One at a time for each schedule, and always the
 * newest row, so the order of calls does not matter. Answers what was found, null for a change that the engine had not been given yet.
 */
export const apply = (
  db: Database,
  scheduleId: string,
  keep: (wanted: Schedule | undefined) => Promise<Found>,
): Promise<Found | null> =>
  db.transaction(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended('schedule:' || ${scheduleId}::text, 0))`)
    const [row] = await tx.select().from(schedules).where(eq(schedules.id, scheduleId))
    const found = await keep(row?.state === 'active' ? row : undefined)
    if (row === undefined) return null
    // before the schedule's row, as everybody does who takes both
    await lock(tx, row.accountId, 'no key update')
    await tx
      .update(schedules)
      .set({ appliedGeneration: row.generation })
      .where(and(eq(schedules.id, scheduleId), eq(schedules.generation, row.generation)))
    await note(tx, row, found)
    return row.appliedGeneration === row.generation ? found : null
  })

/** The active ones of these: until when each is accounted for, and what time it is by the database's clock. */
export const activeOf = (db: Database, ids: string[]) =>
  db
    .select({
      id: schedules.id,
      accountId: schedules.accountId,
      spec: schedules.spec,
      accountedUntil: schedules.accountedUntil,
      now: sql<Date>`clock_timestamp()`.mapWith(schedules.createdAt),
    })
    .from(schedules)
    .where(and(inArray(schedules.id, ids), eq(schedules.state, 'active')))
