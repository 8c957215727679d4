import { and, eq, isNull, not, sql, type SQL } from 'drizzle-orm'
import type { AlertDetails, AlertKind } from '../../domain/alert.ts'
import * as accounts from '../account.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { alerts } from '../schema.ts'
import { tellOpen, tellOver } from './tell.ts'

type Problem = { kind: AlertKind; subject: string }

/**
 * Notes a problem, in the transaction that found it, and has it told unless that has happened today: the open row of the same kind and subject
 * is renewed, but for one that is worse (`unless`).
 */
export const raise = (
  db: Database | Transaction,
  accountId: string,
  { kind, subject, details = {}, unless }: Problem & { details?: AlertDetails; unless?: SQL },
): Promise<void> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'key share')
    const seen = { details, seenAt: new Date() }
    const [alert] = await tx
      .insert(alerts)
      .values({ accountId, kind, subject, ...seen })
      .onConflictDoUpdate({
        target: [alerts.accountId, alerts.kind, alerts.subject],
        targetWhere: isNull(alerts.resolvedAt),
        set: seen,
        ...(unless && { setWhere: not(unless) }),
      })
      .returning()
    if (alert !== undefined) await tellOpen(tx, alert)
  })

/** `gone`: nobody mended it, but what had the problem is no more; `where`: only an alert of which this is true */
type Over = { gone?: boolean; where?: SQL }

/** The problem is over, which is told; nothing happens when none was open. */
export const resolve = (
  db: Database | Transaction,
  accountId: string,
  { kind, subject, gone = false, where }: Problem & Over,
): Promise<void> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'key share')
    const [alert] = await tx
      .update(alerts)
      .set({ resolvedAt: new Date(), ...(gone && { details: sql`${alerts.details} || '{"gone": true}'` }) })
      .where(
        and(
          eq(alerts.accountId, accountId),
          eq(alerts.kind, kind),
          eq(alerts.subject, subject),
          isNull(alerts.resolvedAt),
          where,
        ),
      )
      .returning()
    if (alert !== undefined) await tellOver(tx, alert)
  })
