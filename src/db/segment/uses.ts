import { and, asc, eq, isNull } from 'drizzle-orm'
import { columnsIn } from '../../domain/filter.ts'
import type { Transaction } from '../outbox.ts'
import { segments } from '../schema.ts'

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

/** Everything that uses a segment: one query for each kind of user. Nothing can use one by now. */
export const usesOf = async (_tx: Transaction, _segment: { accountId: string; id: string }): Promise<Use[]> => []
