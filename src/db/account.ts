import { eq, sql } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { FairleadError } from '../domain/errors.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { accounts, folders } from './schema.ts'
import { hashKeyContext, type SecretBox } from './secret.ts'

export type Account = typeof accounts.$inferSelect
type Changes = Partial<
  Pick<
    Account,
    'name' | 'timeZone' | 'ambiguousMatch' | 'unmappedAddress' | 'conflict' | 'previewMonths' | 'alertEmails'
  >
>

export const find = async (db: Database | Transaction, accountId: string): Promise<Account | undefined> => {
  const [found] = await db.select().from(accounts).where(eq(accounts.id, accountId))
  return found
}

/**
 * Makes transactions of an account take turns. `no key update` lets others add rows that belong to it meanwhile. `key share` is what adding a
 * row takes by itself: taken first of all, it keeps the order in which everybody locks.
 */
export const lock = async (
  tx: Transaction,
  accountId: string,
  strength: 'update' | 'no key update' | 'key share',
): Promise<void> => {
  await tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, accountId)).for(strength)
}

export const get = async (db: Database | Transaction, accountId: string): Promise<Account> => {
  const found = await find(db, accountId)
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** A new account with its own hash key and the folder `Default`. Several may have one name. */
export const insert = async (
  db: Database,
  secrets: SecretBox,
  { name, timeZone }: { name: string; timeZone?: string },
): Promise<Account> =>
  db.transaction(async (tx) => {
    const [{ id } = { id: '' }] = await tx.execute<{ id: string }>(sql`select uuidv7()::text as id`)
    const hashKey = secrets.seal(randomBytes(32).toString('base64'), hashKeyContext(id))
    const [account] = await tx.insert(accounts).values({ id, name, timeZone, hashKey }).returning()
    await tx.insert(folders).values({ accountId: id, name: 'Default' })
    await audits.insert(tx, id, audits.operator, { action: 'account.create', targetId: id })
    return account!
  })

export const update = (db: Database, accountId: string, changes: Changes, actor: audits.Actor): Promise<Account> =>
  db.transaction(async (tx) => {
    const [account] = await tx.update(accounts).set(changes).where(eq(accounts.id, accountId)).returning()
    if (account === undefined) throw new FairleadError('notFound')
    const details = { changed: Object.keys(changes) }
    await audits.insert(tx, accountId, actor, { action: 'account.update', targetId: accountId, details })
    return account
  })
