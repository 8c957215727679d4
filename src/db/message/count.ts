import { and, count, eq } from 'drizzle-orm'
import type { DeliveryState, NoteState } from '../../domain/delivery.ts'
import type { Database } from '../database.ts'
import { deliveries, notes } from '../schema.ts'

/** How many deliveries and notes of a message are in each state; by index alone. */
export const countStates = async (
  db: Database,
  accountId: string,
  messageId: string,
): Promise<{ deliveries: Partial<Record<DeliveryState, number>>; notes: Partial<Record<NoteState, number>> }> => {
  const found = await db
    .select({ state: deliveries.state, count: count() })
    .from(deliveries)
    .where(and(eq(deliveries.accountId, accountId), eq(deliveries.messageId, messageId)))
    .groupBy(deliveries.state)
  const made = await db
    .select({ state: notes.state, count: count() })
    .from(notes)
    .where(and(eq(notes.accountId, accountId), eq(notes.messageId, messageId)))
    .groupBy(notes.state)
  return {
    deliveries: Object.fromEntries(found.map((row) => [row.state, row.count])),
    notes: Object.fromEntries(made.map((row) => [row.state, row.count])),
  }
}
