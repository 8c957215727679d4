import { and, eq, isNull, sql } from 'drizzle-orm'
import { happensOnce } from '../../domain/alert.ts'
import { lock } from '../account.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { alertDeliveries, alerts, connections, lists, messages, schedules, segments } from '../schema.ts'
import { resolve } from './raise.ts'
import { withSubjects } from './read.ts'
import { deliveryMessage, tellOpen } from './tell.ts'

/** An event is shown as open for a day. */
const eventHours = 24
/** A delivery whose time passed so long ago has lost its workflow. */
const lostMinutes = 10

/** Tells problems that last again, on each day once. Answers how many. */
export const tellDue = async (db: Database): Promise<number> => {
  const open = await db.select().from(alerts).where(isNull(alerts.resolvedAt)).orderBy(alerts.id)
  let told = 0
  for (const { id, accountId, kind } of open) {
    if (happensOnce(kind)) continue
    const isTold = await db.transaction(async (tx) => {
      await lock(tx, accountId, 'key share')
      const [alert] = await tx
        .select()
        .from(alerts)
        .where(and(eq(alerts.id, id), isNull(alerts.resolvedAt)))
        .for('update')
      return alert !== undefined && (await tellOpen(tx, alert))
    })
    if (isTold) told += 1
  }
  return told
}

/** Of what is gone nothing is a problem any more; events are over after a day. */
export const closeOver = async (db: Database): Promise<void> => {
  const gone = sql`case when ${alerts.kind} in ('connectionBroken', 'optOutsUnwritten') then ${connections.active} is not true
    when ${messages.id} is not null then ${messages.removedAt} is not null
    else coalesce(${lists.removedAt}, ${segments.removedAt}) is not null or ${lists.id} is null or ${schedules.state} = 'removed' end`
  const past = sql`${alerts.kind} in ('scheduleMissed', 'scheduleRepaired') and ${alerts.seenAt} < now() - make_interval(hours => ${eventHours})`
  const over = await withSubjects(db).where(and(isNull(alerts.resolvedAt), sql`(${gone} or ${past})`))
  for (const { accountId, kind, subject } of over) await resolve(db, accountId, { kind, subject, gone: true })
}

/** Starts the workflows of deliveries that have none any more: terminated by hand, or lost with the engine's own data. */
export const recoverDeliveries = (db: Database): Promise<number> =>
  db.transaction(async (tx) => {
    const lost = await tx
      .select({ id: alertDeliveries.id, accountId: alertDeliveries.accountId })
      .from(alertDeliveries)
      .where(
        and(
          eq(alertDeliveries.state, 'pending'),
          sql`${alertDeliveries.nextAt} < now() - make_interval(mins => ${lostMinutes})`,
        ),
      )
      .limit(1000)
    for (const { id, accountId } of lost) await outbox.insert(tx, deliveryMessage(accountId, id))
    return lost.length
  })
