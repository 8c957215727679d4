import { and, asc, eq, gt, isNull, ne, or, sql } from 'drizzle-orm'
import { createHash, randomBytes } from 'node:crypto'
import type { Role } from '../domain/account.ts'
import { FairleadError } from '../domain/errors.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { accounts, apiKeys } from './schema.ts'

export type ApiKey = Omit<typeof apiKeys.$inferSelect, 'hash'>
const { id, accountId: account, name, role, prefix, createdAt, expiresAt, revokedAt, lastUsedAt } = apiKeys
const shown = { id, accountId: account, name, role, prefix, createdAt, expiresAt, revokedAt, lastUsedAt }

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()
const live = () => and(isNull(revokedAt), or(isNull(expiresAt), gt(expiresAt, sql`now()`)))

/**
 * By the key itself, whatever account it belongs to and even when it is spent. The search is by hash, so its time says nothing
 * about other keys.
 */
export const findByKey = async (db: Database, key: string): Promise<ApiKey | undefined> => {
  const [found] = await db
    .select(shown)
    .from(apiKeys)
    .where(eq(apiKeys.hash, hashOf(key)))
  return found
}

/** Notes the last use, to the minute, so that reading does not write. */
export const touch = async (db: Database, accountId: string, keyId: string): Promise<void> => {
  await db
    .update(apiKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(
      and(
        eq(account, accountId),
        eq(id, keyId),
        sql`coalesce(${lastUsedAt}, '-infinity') < now() - interval '1 minute'`,
      ),
    )
}

export const page = (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<ApiKey[]> =>
  db
    .select(shown)
    .from(apiKeys)
    .where(and(eq(account, accountId), after === undefined ? undefined : gt(id, after)))
    .orderBy(asc(id))
    .limit(limit)

/** `key` is shown this once; only its hash is kept. */
export const insert = (
  db: Database,
  accountId: string,
  input: { name: string; role: Role; expiresAt?: Date | null },
  actor: audits.Actor = audits.operator,
): Promise<{ key: string; apiKey: ApiKey }> =>
  db.transaction(async (tx) => {
    const key = `fl_${randomBytes(32).toString('base64url')}`
    const values = { ...input, accountId, hash: hashOf(key), prefix: key.slice(0, 8) }
    const [apiKey] = await tx.insert(apiKeys).values(values).returning(shown)
    const details = { role: input.role }
    await audits.insert(tx, accountId, actor, { action: 'apiKey.create', targetId: apiKey!.id, details })
    return { key, apiKey: apiKey! }
  })

/** Revoking twice is no error. Errors: notFound, lastAdminKey. The account's row makes revocations take turns. */
export const revoke = (
  db: Database,
  accountId: string,
  keyId: string,
  actor: audits.Actor = audits.operator,
): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, accountId)).for('update')
    const [found] = await tx
      .select(shown)
      .from(apiKeys)
      .where(and(eq(account, accountId), eq(id, keyId)))
    if (found === undefined) throw new FairleadError('notFound')
    if (found.revokedAt !== null) return
    const isLive = found.expiresAt === null || found.expiresAt > new Date()
    if (found.role === 'admin' && isLive) {
      const [other] = await tx
        .select({ id })
        .from(apiKeys)
        .where(and(eq(account, accountId), eq(role, 'admin'), ne(id, keyId), live()))
        .limit(1)
      if (other === undefined) throw new FairleadError('lastAdminKey')
    }
    await tx
      .update(apiKeys)
      .set({ revokedAt: sql`now()` })
      .where(eq(id, keyId))
    await audits.insert(tx, accountId, actor, { action: 'apiKey.revoke', targetId: keyId })
  })
