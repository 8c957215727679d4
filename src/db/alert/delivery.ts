import { and, asc, desc, eq, gt, lt, sql } from 'drizzle-orm'
import { attemptsKept, type Attempt } from '../../domain/alert.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { alertDeliveries, webhooks } from '../schema.ts'
import { deliveryMessage, insertDelivery } from './tell.ts'

export type Delivery = typeof alertDeliveries.$inferSelect
type Webhook = typeof webhooks.$inferSelect

/** A delivery that is still to be made, with its webhook, and since when an earlier one of the same alert waits to go there first. */
export const findPending = async (
  db: Database,
  accountId: string,
  deliveryId: string,
): Promise<{ delivery: Delivery; webhook: Webhook | null; afterAt: Date | null } | undefined> => {
  const [found] = await db
    .select({
      delivery: alertDeliveries,
      webhook: webhooks,
      afterAt: sql<string | null>`(select e.next_at from alert_deliveries e
        where e.alert_id = ${alertDeliveries.alertId} and e.channel = ${alertDeliveries.channel} and e.state = 'pending'
          and e.webhook_id is not distinct from ${alertDeliveries.webhookId} and e.id < ${alertDeliveries.id} order by e.id limit 1)`,
    })
    .from(alertDeliveries)
    .leftJoin(webhooks, eq(webhooks.id, alertDeliveries.webhookId))
    .where(
      and(
        eq(alertDeliveries.accountId, accountId),
        eq(alertDeliveries.id, deliveryId),
        eq(alertDeliveries.state, 'pending'),
      ),
    )
  if (found === undefined) return undefined
  return { ...found, afterAt: found.afterAt === null ? null : new Date(found.afterAt) }
}

/** Adds an attempt to the log. `waitMs` null: it was the last one. */
export const noteAttempt = async (
  db: Database,
  { id, attempts }: Delivery,
  attempt: Attempt,
  waitMs: number | null,
): Promise<void> => {
  const delivered = attempt.error === null
  await db
    .update(alertDeliveries)
    .set({
      attempts: [...attempts, attempt].slice(-attemptsKept),
      tries: sql`${alertDeliveries.tries} + 1`,
      state: delivered ? 'delivered' : waitMs === null ? 'failed' : 'pending',
      nextAt: delivered || waitMs === null ? null : new Date(Date.now() + waitMs),
      deliveredAt: delivered ? new Date() : null,
    })
    .where(and(eq(alertDeliveries.id, id), eq(alertDeliveries.state, 'pending')))
}

const getWebhook = async (db: Database | outbox.Transaction, accountId: string, webhookId: string): Promise<void> => {
  const [found] = await db
    .select({ id: webhooks.id })
    .from(webhooks)
    .where(and(eq(webhooks.accountId, accountId), eq(webhooks.id, webhookId)))
  if (found === undefined) throw new FairleadError('notFound')
}

/** Newest first. Errors: notFound. */
export const page = async (
  db: Database,
  accountId: string,
  webhookId: string,
  { limit, before }: { limit: number; before?: string },
): Promise<Delivery[]> => {
  await getWebhook(db, accountId, webhookId)
  return db
    .select()
    .from(alertDeliveries)
    .where(
      and(eq(alertDeliveries.webhookId, webhookId), before === undefined ? undefined : lt(alertDeliveries.id, before)),
    )
    .orderBy(desc(alertDeliveries.id))
    .limit(limit)
}

/** Sends something that is no alert, to see whether it arrives. Errors: notFound. */
export const test = (db: Database, accountId: string, webhookId: string): Promise<Delivery> =>
  db.transaction(async (tx) => {
    await getWebhook(tx, accountId, webhookId)
    const body = JSON.stringify({ type: 'test', timestamp: new Date().toISOString(), data: { webhookId } })
    const made = await insertDelivery(tx, { accountId, channel: 'webhook', webhookId, event: 'test', body })
    const [delivery] = await tx.select().from(alertDeliveries).where(eq(alertDeliveries.id, made))
    return delivery!
  })

/** What waits for a delivery because it tells of the same alert, later. */
const behind = async (tx: outbox.Transaction, { id, alertId, webhookId }: Delivery): Promise<string[]> => {
  if (alertId === null || webhookId === null) return []
  const its = and(eq(alertDeliveries.alertId, alertId), eq(alertDeliveries.webhookId, webhookId))
  const rows = await tx
    .select({ id: alertDeliveries.id })
    .from(alertDeliveries)
    .where(and(its, eq(alertDeliveries.state, 'pending'), gt(alertDeliveries.id, id)))
    .orderBy(asc(alertDeliveries.id))
  return rows.map((row) => row.id)
}

/** Tries at once what failed or waits, and as often as a new one. Errors: notFound, conflict for what has arrived. */
export const retry = (db: Database, accountId: string, webhookId: string, deliveryId: string): Promise<Delivery> =>
  db.transaction(async (tx) => {
    const its = and(
      eq(alertDeliveries.accountId, accountId),
      eq(alertDeliveries.webhookId, webhookId),
      eq(alertDeliveries.id, deliveryId),
    )
    const [found] = await tx.select().from(alertDeliveries).where(its).for('update')
    if (found === undefined) throw new FairleadError('notFound')
    if (found.state === 'delivered')
      throw new FairleadError('conflict', { detail: 'It has arrived already.', remedy: 'Nothing needs to be done.' })
    const again = { state: 'pending' as const, tries: 0, nextAt: new Date() }
    const [delivery] = await tx.update(alertDeliveries).set(again).where(its).returning()
    for (const id of [deliveryId, ...(await behind(tx, found))])
      await outbox.insert(tx, { ...deliveryMessage(accountId, id), kind: 'wake' })
    return delivery!
  })
