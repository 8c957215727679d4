import { and, isNotNull, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { alertDeliveries, alerts } from '../schema.ts'

/** What was told so long ago goes, and alerts that were over by then. */
export const removeOld = async (db: Database, days: number): Promise<void> => {
  const before = sql`now() - make_interval(days => ${days})`
  await db.delete(alertDeliveries).where(sql`${alertDeliveries.createdAt} < ${before}`)
  await db.delete(alerts).where(and(isNotNull(alerts.resolvedAt), sql`${alerts.resolvedAt} < ${before}`))
}
