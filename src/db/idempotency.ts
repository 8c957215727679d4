import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import * as accounts from './account.ts'
import type { Database } from './database.ts'
import type { Transaction } from './outbox.ts'
import { idempotency } from './schema.ts'

export type Answer = { status: number; location: string; body: Record<string, unknown> }
/** `request` is a hash of what is asked. */
export type Claim = { key: string; request: Buffer }

/**
 * Stores the answer under its key in the transaction that does the work, so either both exist or neither. A repetition waits for the first one and
 * gets its answer, for a day. Work that starts a run takes turns within its account; what is `beside` waits for nothing but its own key, so that no
 * bulk work holds it up. Errors: idempotencyMismatch.
 */
export const once = (
  db: Database,
  accountId: string,
  claim: Claim | undefined,
  work: (tx: Transaction) => Promise<Answer>,
  { beside = false } = {},
): Promise<Answer> =>
  db.transaction(async (tx) => {
    if (claim === undefined) return work(tx)
    const { key, request } = claim
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`idempotency:${accountId}:${key}`}::text, 0))`)
    // As strong as the lock that starting a run takes: two that strengthen theirs at once would wait for each other.
    if (!beside) await accounts.lock(tx, accountId, 'update')
    const isFresh = sql`${idempotency.createdAt} > now() - interval '1 day'`
    const [known] = await tx
      .select()
      .from(idempotency)
      .where(and(eq(idempotency.accountId, accountId), eq(idempotency.key, key), isFresh))
    if (known !== undefined) {
      if (!known.request.equals(request)) throw new FairleadError('idempotencyMismatch')
      return { status: known.status, location: known.location, body: known.body }
    }
    const answer = await work(tx)
    const row = { request, ...answer, createdAt: sql`now()` }
    await tx
      .insert(idempotency)
      .values({ accountId, key, ...row })
      .onConflictDoUpdate({ target: [idempotency.accountId, idempotency.key], set: row })
    return answer
  })
