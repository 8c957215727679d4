import { and, asc, eq, isNull, ne } from 'drizzle-orm'
import { columnsIn } from '../../domain/filter.ts'
import type { Transaction } from '../outbox.ts'
import { schedules, segments } from '../schema.ts'

export type Named = { id: string; name: string }

/** Segments of the column's list that test it. A list has a thousand at most, so their definitions are simply read. */
export const usingColumn = async (
  tx: Transaction,
  { accountId, listId, key }: { accountId: string; listId: string; key: string },
): Promise<Named[]> => {
  const rows = await tx
    .select({ id: segments.id, name: segments.name, definition: segments.definition })
    .from(segments)
    .where(and(eq(segments.accountId, accountId), eq(segments.listId, listId), isNull(segments.removedAt)))
    .orderBy(asc(segments.id))
  return rows.filter(({ definition }) => columnsIn(definition).has(key)).map(({ id, name }) => ({ id, name }))
}

/** What sends to a segment or pushes it. */
export type Use = Named & { kind: 'schedule' | 'message' }

type Used = { accountId: string; id: string; name: string }

/** Everything that uses a segment: one query for each kind of user. A schedule has no name of its own. */
export const usesOf = async (tx: Transaction, { accountId, id, name }: Used): Promise<Use[]> => {
  const found = await tx
    .select({ id: schedules.id })
    .from(schedules)
    .where(and(eq(schedules.accountId, accountId), eq(schedules.segmentId, id), ne(schedules.state, 'removed')))
  return found.map((schedule) => ({ kind: 'schedule', id: schedule.id, name }))
}
