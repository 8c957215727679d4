import { and, eq, isNull, ne } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import { schedules } from '../schema.ts'
import * as segments from '../segment.ts'

export type Schedule = typeof schedules.$inferSelect
/** What syncs by itself: a list, or a segment of it. */
export type Holder = { listId: string; segmentId: string | null }

/** Errors: notFound, also for a list that was removed. */
export const listHolder = async (db: Database | Transaction, accountId: string, listId: string): Promise<Holder> => {
  await lists.get(db, accountId, listId)
  return { listId, segmentId: null }
}

/** Errors: notFound, also for a segment that was removed. */
export const segmentHolder = async (
  db: Database | Transaction,
  accountId: string,
  segmentId: string,
): Promise<Holder> => {
  const { listId } = await segments.get(db, accountId, segmentId)
  return { listId, segmentId }
}

export const holderOf = ({ listId, segmentId }: Schedule): Holder => ({ listId, segmentId })

/** The schedule of a list or segment that was not removed. */
export const find = async (
  db: Database | Transaction,
  accountId: string,
  { listId, segmentId }: Holder,
): Promise<Schedule | undefined> => {
  const [found] = await db
    .select()
    .from(schedules)
    .where(
      and(
        eq(schedules.accountId, accountId),
        eq(schedules.listId, listId),
        segmentId === null ? isNull(schedules.segmentId) : eq(schedules.segmentId, segmentId),
        ne(schedules.state, 'removed'),
      ),
    )
  return found
}

/** Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, holder: Holder): Promise<Schedule> => {
  const found = await find(db, accountId, holder)
  if (found !== undefined) return found
  const what = holder.segmentId === null ? 'list' : 'segment'
  throw new FairleadError('notFound', {
    detail: `The ${what} has no schedule.`,
    remedy: `Give it one: PUT /v1/${what}s/{${what}Id}/schedule.`,
  })
}
