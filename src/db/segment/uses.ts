import { and, asc, eq, inArray, isNull, ne, sql } from 'drizzle-orm'
import { columnsIn } from '../../domain/filter.ts'
import type { Transaction } from '../outbox.ts'
import { messages, messageVersions, schedules, segments } from '../schema.ts'

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
  const uses = found.map((schedule): Use => ({ kind: 'schedule', id: schedule.id, name }))
  return [...uses, ...(await messagesOf(tx, accountId, id))]
}

/** Messages that were not sent yet, and would go to a segment or spare it. */
const messagesOf = async (tx: Transaction, accountId: string, segmentId: string): Promise<Use[]> => {
  const audience = sql`${messageVersions.definition} -> 'audience'`
  const found = await tx
    .select({ id: messages.id, name: messages.name })
    .from(messages)
    .innerJoin(
      messageVersions,
      and(eq(messageVersions.messageId, messages.id), eq(messageVersions.version, messages.version)),
    )
    .where(
      and(
        eq(messages.accountId, accountId),
        isNull(messages.removedAt),
        inArray(messages.state, ['draft', 'scheduled']),
        sql`(${audience} -> 'segments' ? ${segmentId}::text or ${audience} -> 'withoutSegments' ? ${segmentId}::text)`,
      ),
    )
    .orderBy(asc(messages.id))
  return found.map(({ id, name }) => ({ kind: 'message', id, name }))
}
