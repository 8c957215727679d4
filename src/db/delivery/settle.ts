import { sql } from 'drizzle-orm'
import { previewExpiry, type DeliveryState } from '../../domain/delivery.ts'
import { groupBy } from '../../domain/groupBy.ts'
import * as accounts from '../account.ts'
import { operator } from '../audit.ts'
import type { Database } from '../database.ts'
import { heldErasedAmong } from '../erasure/known.ts'
import * as notes from '../note/insert.ts'
import type { Transaction } from '../outbox.ts'
import { deliveries, deliveryContents } from '../schema.ts'
import * as suppressions from '../suppression.ts'
import type { Claimed } from './claim.ts'
import { count, list } from './count.ts'
import { bounceEvidence } from './evidence.ts'
import type { Job } from './job.ts'

/** What an attempt at a mail came to. */
export type Outcome = {
  delivery: Pick<Claimed, 'id' | 'email' | 'emailKey'>
  state: Extract<DeliveryState, 'accepted' | 'rejected' | 'skipped' | 'waiting' | 'unknown'>
  code: string | null
  status?: number | null
  smtpCode?: string | null
  /** R34: the address takes no mail, which suppresses it */
  isDead?: boolean
  /** nobody knows whether it has arrived */
  isUnsure?: boolean
  /** counts as a try */
  isTry?: boolean
  /** milliseconds until it is tried again */
  afterMs?: number
  /** when it was handed over */
  sentAt?: Date
}

type Settled = { id: string; state: DeliveryState; runId: string }

const rowOf = (
  { delivery, state, code, status, smtpCode, isUnsure, isTry, afterMs, sentAt }: Outcome,
  months: number,
) => ({
  id: delivery.id,
  state,
  code,
  status: status ?? null,
  smtp_code: smtpCode ?? null,
  is_unsure: isUnsure === true,
  tries: isTry === true ? 1 : 0,
  after_ms: Math.round(afterMs ?? 0),
  sent_at: sentAt?.toISOString() ?? null,
  expires_at: state === 'accepted' && sentAt !== undefined ? previewExpiry(sentAt, months).toISOString() : null,
})

const bounceOf = ({ delivery, status = null, smtpCode = null }: Outcome): suppressions.Keyed => {
  const { id, email, emailKey } = delivery
  return { email, emailKey, reason: 'bounced', source: 'api', evidence: bounceEvidence(id, status, smtpCode) }
}

const hasLeft = (state: DeliveryState): boolean => state !== 'waiting'

/**
 * Each mail counts in the run that has it now: one that goes on with what another has left has those, too, that a worker of the other one is still about
 * (request.ts). Answers whether `runId` is asked to stop, as it is when it has none of them any more.
 */
const countByRun = async (tx: Transaction, runId: string, settled: readonly Settled[]) => {
  const runs = groupBy(settled, (each) => each.runId)
  let own: { cancelRequested: boolean } | undefined
  for (const id of settled.length === 0 ? [runId] : [...runs.keys()].toSorted()) {
    const of = (...states: DeliveryState[]): string[] =>
      (runs.get(id) ?? []).filter(({ state }) => states.includes(state)).map((each) => each.id)
    await list(tx, id, of('rejected', 'skipped', 'unknown'))
    const answer = await count(tx, id, {
      accepted: of('accepted').length,
      rejected: of('rejected', 'unknown').length,
      skipped: of('skipped').length,
    })
    if (id === runId) own = answer
  }
  return own ?? { cancelRequested: true }
}

/**
 * Stores what attempts came to, in one transaction: states, the ledger of the run, entries, notes of what was accepted, suppressions of dead addresses. What
 * another attempt has taken over meanwhile is left to it. Of what did not go out nothing is kept.
 */
export const settle = (
  db: Database,
  job: Pick<Job, 'accountId' | 'runId' | 'messageId'>,
  claimId: string,
  outcomes: readonly Outcome[],
): Promise<{ cancelRequested: boolean }> =>
  db.transaction(async (tx) => {
    const { accountId, runId, messageId } = job
    // an address that is erased meanwhile is not written down again (R40)
    const erased = await heldErasedAmong(
      tx,
      accountId,
      outcomes.filter(({ isDead }) => isDead === true).map(({ delivery }) => delivery.emailKey.toString('hex')),
    )
    const { previewMonths } = (await accounts.find(tx, accountId))!
    const given = JSON.stringify(outcomes.map((outcome) => rowOf(outcome, previewMonths)))
    const settled = await tx.execute<Settled>(sql`
      update ${deliveries} d set state = u.state, code = u.code, smtp_status = u.status, smtp_code = u.smtp_code, tries = d.tries + u.tries,
        is_unsure = d.is_unsure or u.is_unsure, sent_at = coalesce(u.sent_at, d.sent_at), preview_expires_at = u.expires_at,
        accepted_at = case when u.state = 'accepted' then now() end, due_at = now() + make_interval(secs => u.after_ms / 1000.0),
        claim_id = case when u.state = 'waiting' then null else d.claim_id end, claim_until = null
      from jsonb_to_recordset(${given}::text::jsonb) as u (id uuid, state text, code text, status int, smtp_code text, is_unsure boolean, tries int,
        after_ms int, sent_at timestamptz, expires_at timestamptz)
      where d.id = u.id and d.claim_id = ${claimId}::uuid and d.state in ('waiting', 'sending')
      returning d.id::text, d.state, d.run_id::text as "runId"`)
    const idsOf = (...states: DeliveryState[]): string[] =>
      settled.filter(({ state }) => states.includes(state)).map(({ id }) => id)
    const unsent = idsOf('rejected', 'skipped', 'waiting')
    await tx.execute(sql`
      delete from ${deliveryContents} c using ${deliveries} d
      where d.id = c.delivery_id and not d.is_unsure and d.id = any(string_to_array(${unsent.join('\n')}::text, E'\n')::uuid[])`)
    const ids = new Set(settled.filter(({ state }) => hasLeft(state)).map(({ id }) => id))
    const dead = outcomes.filter(
      ({ delivery: { id, emailKey }, isDead }) =>
        isDead === true && ids.has(id) && !erased.has(emailKey.toString('hex')),
    )
    if (dead.length > 0) await suppressions.insertIn(tx, accountId, dead.map(bounceOf), operator)
    await notes.insert(tx, accountId, messageId, idsOf('accepted'))
    return countByRun(tx, runId, settled)
  })
