import { and, eq, isNull } from 'drizzle-orm'
import type { AlertDetails, AlertKind } from '../domain/alert.ts'
import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { alerts } from './schema.ts'

type Problem = { kind: AlertKind; subject: string }

/** Notes a problem, in the transaction that found it: the open row of the same kind and subject is renewed. */
export const raise = async (
  db: Database | Transaction,
  accountId: string,
  { kind, subject, details = {} }: Problem & { details?: AlertDetails },
): Promise<void> => {
  const seen = { details, seenAt: new Date() }
  await db
    .insert(alerts)
    .values({ accountId, kind, subject, ...seen })
    .onConflictDoUpdate({
      target: [alerts.accountId, alerts.kind, alerts.subject],
      targetWhere: isNull(alerts.resolvedAt),
      set: seen,
    })
}

/** The problem is over; nothing happens when none was open. */
export const resolve = async (
  db: Database | Transaction,
  accountId: string,
  { kind, subject }: Problem,
): Promise<void> => {
  await db
    .update(alerts)
    .set({ resolvedAt: new Date() })
    .where(
      and(
        eq(alerts.accountId, accountId),
        eq(alerts.kind, kind),
        eq(alerts.subject, subject),
        isNull(alerts.resolvedAt),
      ),
    )
}
