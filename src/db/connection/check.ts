import { and, eq, sql } from 'drizzle-orm'
import type { Database, Sql } from '../database.ts'
import { connections } from '../schema.ts'

/** A check takes at most this long; the claim of a worker that died ends then. */
export const checkMs = 100_000

export type CheckClaim = { mine: boolean; accepted: boolean; now: string }

/**
 * Takes the login check of a connection, unless somebody is at it. `accepted`: somebody's check that ended after `since` (a `now` of an earlier
 * call) has succeeded, so that no other is needed.
 */
export const claimCheck = async (
  sql: Sql,
  connectionId: string,
  holder: string,
  since: string | null,
): Promise<CheckClaim> => {
  const [claim] = await sql<CheckClaim[]>`
    with known as (
      select coalesce(checked_at > ${since}::timestamptz and problem is null, false) as accepted from connections where id = ${connectionId}),
    claimed as (
      update connections set checking_by = ${holder}, checking_until = now() + make_interval(secs => ${checkMs / 1000})
      where id = ${connectionId} and (checking_until is null or checking_until < now()) and not (select accepted from known) returning 1)
    select exists (select from claimed) as mine, (select accepted from known) as accepted, now()::text as now`
  return claim!
}

/** Gives the check back. `accepted`: the secret that the CRM took, which says something about the connection as long as it is the present one. */
export const releaseCheck = (
  db: Database,
  connectionId: string,
  holder: string,
  accepted: string | null,
): Promise<void> =>
  db.transaction(async (tx) => {
    await tx
      .update(connections)
      .set({ checkingBy: null, checkingUntil: null })
      .where(and(eq(connections.id, connectionId), eq(connections.checkingBy, holder)))
    if (accepted === null) return
    const present = [
      eq(connections.id, connectionId),
      eq(connections.state, 'connected'),
      eq(connections.secret, accepted),
    ]
    await tx
      .update(connections)
      .set({ checkedAt: sql`now()`, problem: null })
      .where(and(...present))
  })
