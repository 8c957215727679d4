import { and, eq, sql } from 'drizzle-orm'
import { happensOnce, saysMore } from '../../domain/alert.ts'
import * as outbox from '../outbox.ts'
import { accounts, alertDeliveries, alerts, webhooks } from '../schema.ts'
import { shownOf, withSubjects } from './read.ts'

type Alert = typeof alerts.$inferSelect
type NewDelivery = Pick<
  typeof alertDeliveries.$inferInsert,
  'accountId' | 'channel' | 'webhookId' | 'alertId' | 'event' | 'body'
>

/** The workflow that tries until it is delivered. A second start is harmless. */
export const deliveryMessage = (accountId: string, deliveryId: string) => ({
  accountId,
  kind: 'start' as const,
  name: 'deliverAlert',
  workflowId: `alert:${deliveryId}`,
  input: { accountId, deliveryId },
})

export const insertDelivery = async (tx: outbox.Transaction, delivery: NewDelivery): Promise<string> => {
  const [made] = await tx.insert(alertDeliveries).values(delivery).returning({ id: alertDeliveries.id })
  await outbox.insert(tx, deliveryMessage(delivery.accountId, made!.id))
  return made!.id
}

/** Tells everybody who wants to know how the alert is now: one delivery for each webhook, and one mail. */
const tell = async (tx: outbox.Transaction, { id: alertId, accountId, kind }: Alert): Promise<void> => {
  const [row] = await withSubjects(tx).where(eq(alerts.id, alertId))
  const alert = shownOf(row!)
  const opened = alert.state === 'open'
  const type = opened ? 'alert.opened' : 'alert.resolved'
  const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data: alert })
  const [account] = await tx.select({ emails: accounts.alertEmails }).from(accounts).where(eq(accounts.id, accountId))
  // held until the deliveries are there: one that is removed meanwhile is told nothing, and is no failure
  const all = await tx
    .select()
    .from(webhooks)
    .where(eq(webhooks.accountId, accountId))
    .orderBy(webhooks.id)
    .for('key share')
  const delivery = { accountId, alertId, event: kind, body }
  for (const { id: webhookId, events } of all)
    if (events.length === 0 || events.includes(kind))
      await insertDelivery(tx, { ...delivery, channel: 'webhook', webhookId })
  if (account!.emails.length > 0) await insertDelivery(tx, { ...delivery, channel: 'mail' })
  const told = opened ? { toldAt: new Date(), toldDetails: row!.details } : { resolutionToldAt: new Date() }
  await tx.update(alerts).set(told).where(eq(alerts.id, alertId))
}

/** A problem is told once a day of the account, even where it was over meanwhile and came again. */
const isToldToday = async (tx: outbox.Transaction, { accountId, kind, subject }: Alert): Promise<boolean> => {
  const day = (at: unknown) => sql`(${at} at time zone ${accounts.timeZone})::date`
  const [told] = await tx
    .select({ id: alerts.id })
    .from(alerts)
    .innerJoin(accounts, eq(accounts.id, alerts.accountId))
    .where(
      and(
        eq(alerts.accountId, accountId),
        eq(alerts.kind, kind),
        eq(alerts.subject, subject),
        sql`${day(alerts.toldAt)} = ${day(sql`now()`)}`,
      ),
    )
    .limit(1)
  return told !== undefined
}

/** Answers whether there was something to tell. */
export const tellOpen = async (tx: outbox.Transaction, alert: Alert): Promise<boolean> => {
  if (!saysMore(alert.kind, alert.details, alert.toldDetails) || (await isToldToday(tx, alert))) return false
  await tell(tx, alert)
  return true
}

/** Who was not told of the problem need not be told that it is over. */
export const tellOver = async (tx: outbox.Transaction, alert: Alert): Promise<void> => {
  if (alert.toldAt !== null && !happensOnce(alert.kind)) await tell(tx, alert)
}
