import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { candidates, connections, slots } from '../schema.ts'
import { candidateContext, type SecretBox } from '../secret.ts'
import { findActive, lockAccount, type Connection } from './find.ts'
import { problemOf } from './state.ts'

/** Names one attempt with new credentials. */
export type CandidateKey = { connectionId: string; candidateId: string }
type Proposal = { url: string; username: string; password: string; mode: 'connect' | 'reconfirm' }

/** A check that has not ended after this long is taken to be lost. */
const checkMinutes = 2

/**
 * Stores new credentials as a candidate and asks for their check (docs/decisions/0007); the connection itself does not change.
 * Errors: connectorDisabled, connectionBusy while another check is under way, notConnected for a reconfirmation of nothing.
 */
export const propose = (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  { url, username, password, mode }: Proposal,
): Promise<CandidateKey> =>
  db.transaction(async (tx) => {
    await lockAccount(tx, accountId)
    let connection = await findActive(tx, accountId)
    if (
      mode === 'reconfirm' &&
      (connection?.url === undefined || connection.url === null || connection.state === 'reset')
    ) {
      throw new FairleadError('notConnected')
    }
    connection ??= (await tx.insert(connections).values({ accountId }).returning())[0]!
    const connectionId = connection.id
    const [busy] = await tx
      .select({ state: candidates.state })
      .from(candidates)
      .where(
        and(
          eq(candidates.connectionId, connectionId),
          eq(candidates.state, 'checking'),
          sql`${candidates.createdAt} > now() - make_interval(mins => ${checkMinutes})`,
        ),
      )
    if (busy !== undefined) throw new FairleadError('connectionBusy')
    await ensureSlots(tx, connection)
    const candidate = {
      accountId,
      url: mode === 'reconfirm' ? connection.url! : url,
      username,
      secret: secrets.seal(password, candidateContext(connectionId)),
      state: 'checking' as const,
      problem: null,
      id: sql`uuidv7()`,
      createdAt: sql`now()`,
    }
    const [made] = await tx
      .insert(candidates)
      .values({ connectionId, ...candidate })
      .onConflictDoUpdate({ target: candidates.connectionId, set: candidate })
      .returning({ id: candidates.id })
    const key = { connectionId, candidateId: made!.id }
    await outbox.insert(tx, {
      accountId,
      kind: 'start',
      name: 'checkConnection',
      workflowId: `connection:${connectionId}:${key.candidateId}`,
      input: { accountId, ...key },
    })
    return key
  })

export const ensureSlots = async (
  tx: outbox.Transaction,
  { id, accountId, concurrency }: Connection,
): Promise<void> => {
  const rows = Array.from({ length: concurrency }, (_, index) => ({ connectionId: id, accountId, slot: index + 1 }))
  await tx.insert(slots).values(rows).onConflictDoNothing()
  // one in use stays until its lease is over: who has it must be seen
  const isFree = sql`(${slots.leaseUntil} is null or ${slots.leaseUntil} < now())`
  await tx.delete(slots).where(and(eq(slots.connectionId, id), sql`${slots.slot} > ${concurrency}`, isFree))
}

/** The candidate of this attempt as long as nobody has judged it, or put another in its place. */
export const ofAttempt = ({ connectionId, candidateId }: CandidateKey) =>
  and(eq(candidates.connectionId, connectionId), eq(candidates.id, candidateId), eq(candidates.state, 'checking'))

/** Erases refused credentials; the connection stays as it was. */
export const refuse = async (db: Database, accountId: string, key: CandidateKey, error: unknown): Promise<void> => {
  await db
    .update(candidates)
    .set({ state: 'refused', secret: null, problem: problemOf(error) })
    .where(and(eq(candidates.accountId, accountId), ofAttempt(key)))
}
