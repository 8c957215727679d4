import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import type { Database } from './database.ts'
import { idempotency } from './schema.ts'

export type Answer = { status: number; location: string; body: Record<string, unknown> }
export type Claim = { state: 'claimed' } | { state: 'pending' } | { state: 'answered'; answer: Answer }

/**
 * Claims a key for a request. An answer is kept for a day; a claim without one that is older than a minute was left by a crash and
 * is taken over by its own repetition. Errors: idempotencyMismatch.
 */
export const claim = async (db: Database, accountId: string, key: string, request: Buffer): Promise<Claim> => {
  const fresh = { request, status: null, location: null, body: null, createdAt: sql`now()` }
  const taken = await db
    .insert(idempotency)
    .values({ accountId, key, request })
    .onConflictDoUpdate({
      target: [idempotency.accountId, idempotency.key],
      set: fresh,
      setWhere: sql`${idempotency.createdAt} < now() - interval '1 day' or (${idempotency.status} is null
        and ${idempotency.request} = excluded.request and ${idempotency.createdAt} < now() - interval '1 minute')`,
    })
    .returning({ key: idempotency.key })
  if (taken.length > 0) return { state: 'claimed' }
  const [found] = await db.select().from(idempotency).where(at(accountId, key))
  // Released between the two statements: the caller asks again.
  if (found === undefined) return { state: 'pending' }
  if (!found.request.equals(request)) throw new FairleadError('idempotencyMismatch')
  if (found.status === null) return { state: 'pending' }
  return { state: 'answered', answer: { status: found.status, location: found.location ?? '', body: found.body ?? {} } }
}

export const update = async (db: Database, accountId: string, key: string, answer: Answer): Promise<void> => {
  await db.update(idempotency).set(answer).where(at(accountId, key))
}

/** Gives the key back after a request that failed and so started nothing. */
export const remove = async (db: Database, accountId: string, key: string): Promise<void> => {
  await db.delete(idempotency).where(at(accountId, key))
}

const at = (accountId: string, key: string) => and(eq(idempotency.accountId, accountId), eq(idempotency.key, key))
