import { asc, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { accounts, standardFields } from '../schema.ts'

export type StandardFieldRow = typeof standardFields.$inferSelect
export type Stored = { version: number; items: StandardFieldRow[] }

/** All standard fields of an account in their order; a few hundred at most. */
export const allOf = (db: Database | Transaction, accountId: string): Promise<StandardFieldRow[]> =>
  db
    .select()
    .from(standardFields)
    .where(eq(standardFields.accountId, accountId))
    .orderBy(asc(standardFields.position), asc(standardFields.id))

/** Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string): Promise<Stored> => {
  const [account] = await db
    .select({ version: accounts.standardFieldsVersion })
    .from(accounts)
    .where(eq(accounts.id, accountId))
  if (account === undefined) throw new FairleadError('notFound')
  return { version: account.version, items: await allOf(db, accountId) }
}

/**
 * Until the transaction ends: a save of the standard fields waits for columns that are being recognised, and the other way round, so that none is
 * missed. Taken after the locks of account and list.
 */
export const lockFields = async (tx: Transaction, accountId: string, how: 'shared' | 'alone'): Promise<void> => {
  const key = sql`hashtextextended(${`standard_fields:${accountId}`}::text, 0)`
  await tx.execute(
    how === 'alone' ? sql`select pg_advisory_xact_lock(${key})` : sql`select pg_advisory_xact_lock_shared(${key})`,
  )
}
