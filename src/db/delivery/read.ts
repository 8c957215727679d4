import { and, asc, eq, gt } from 'drizzle-orm'
import type { DeliveryState } from '../../domain/delivery.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { deliveries, messages } from '../schema.ts'

export type Delivery = typeof deliveries.$inferSelect
export type DeliveryFilter = { state?: DeliveryState; code?: string; externalId?: string }

export const get = async (db: Database | Transaction, accountId: string, deliveryId: string): Promise<Delivery> => {
  const [found] = await db
    .select()
    .from(deliveries)
    .where(and(eq(deliveries.accountId, accountId), eq(deliveries.id, deliveryId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Deliveries of a message, removed or not, in the order that they were made in, after the one of an id. Errors: notFound. */
export const page = async (
  db: Database,
  accountId: string,
  messageId: string,
  { state, code, externalId, limit, after }: DeliveryFilter & { limit: number; after?: string },
): Promise<Delivery[]> => {
  const [message] = await db
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId)))
  if (message === undefined) throw new FairleadError('notFound')
  return db
    .select()
    .from(deliveries)
    .where(
      and(
        eq(deliveries.messageId, messageId),
        state && eq(deliveries.state, state),
        code === undefined ? undefined : eq(deliveries.code, code),
        externalId === undefined ? undefined : eq(deliveries.externalId, externalId),
        after === undefined ? undefined : gt(deliveries.id, after),
      ),
    )
    .orderBy(asc(deliveries.id))
    .limit(limit)
}
