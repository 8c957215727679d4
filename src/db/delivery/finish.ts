import { eq, sql } from 'drizzle-orm'
import type { Balance, PhaseCounts, RunState } from '../../domain/run.ts'
import type { MessageState } from '../../domain/message.ts'
import { addUp } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { countsOf } from '../run/balance.ts'
import type { Run } from '../run/state.ts'
import { deliveries, messages, runs } from '../schema.ts'
import { count, list } from './count.ts'

/** So many at a time, so that no statement names more. */
const pageRows = 10_000

/** What was not sent when a run was cancelled. */
export const skipRest = async (db: Database, { id: runId, messageId }: Run): Promise<void> => {
  for (let left = true; left;) {
    left = await db.transaction(async (tx) => {
      const rows = await tx.execute<{ id: string }>(sql`
        update ${deliveries} set state = 'skipped', code = 'messageCancelled', claim_until = null
        where id in (select id from ${deliveries} where message_id = ${messageId}::uuid and run_id = ${runId}::uuid and state = 'waiting'
          and (claim_until is null or claim_until <= now()) limit ${pageRows} for update)
        returning id::text`)
      const ids = rows.map(({ id }) => id)
      await list(tx, runId, ids)
      if (ids.length > 0) await count(tx, runId, { accepted: 0, rejected: 0, skipped: ids.length })
      return ids.length > 0
    })
  }
}

type Facts = { settled: number; open: number; accepted: number; listed: number; unsure: number }

/** Each figure is counted on its own, none is derived from another: only then do equal sums prove anything. */
const factsOf = async (db: Database, { id: runId, messageId }: Run): Promise<Facts> => {
  const [facts] = await db.$client<[Facts]>`
    with own as materialized (
      select state, accepted_at, is_unsure from deliveries where message_id = ${messageId}::uuid and run_id = ${runId}::uuid)
    select count(*) filter (where state not in ('waiting', 'sending'))::int as settled,
      count(*) filter (where state in ('waiting', 'sending'))::int as open,
      count(*) filter (where accepted_at is not null)::int as accepted,
      count(*) filter (where accepted_at is not null and is_unsure)::int as unsure,
      (select count(*) from entries where last_run_id = ${runId}::uuid and kind in ('skipped', 'rejected'))::int as listed
    from own`
  return facts
}

type Ledger = { counts: Record<string, PhaseCounts>; balance: Balance; unsure: number; open: number }

/** The ledger of a run that sends: it proves its own sums against the deliveries and the entries. */
export const ledgerOf = async (db: Database, run: Run): Promise<Ledger> => {
  const counts = await countsOf(db, run)
  const send = counts['send']!
  const { settled, open, accepted, listed, unsure } = await factsOf(db, run)
  const checks = [
    { name: 'send: read = created + updated + unchanged + skipped + rejected', left: send.read, right: addUp(send) },
    { name: 'read = deliveries that are settled', left: send.read, right: settled },
    { name: 'created = deliveries that the mail server accepted', left: send.created, right: accepted },
    { name: 'skipped + rejected = entries with a reason', left: send.skipped + send.rejected, right: listed },
    { name: 'deliveries that are open = 0', left: open, right: 0 },
  ]
  const balanced = checks.every(({ left, right }) => left === right)
  const nothing = { crmTotal: null, listTotal: null, explained: {}, difference: null }
  return { counts, balance: { ...nothing, balanced, checks }, unsure, open }
}

/** Those who may have got a mail twice, said once. */
export const sayUnsure = async (db: Database, runId: string, unsure: number): Promise<void> => {
  if (unsure === 0) return
  const message =
    'Nobody knew whether an earlier attempt at these mails had arrived: they were sent again, and may have come twice.'
  const warnings = [{ code: 'maybeTwice', message, count: unsure }]
  await db.update(runs).set({ warnings }).where(eq(runs.id, runId))
}

/**
 * What becomes of a message with the end of its run, in the same transaction: sent; free again when it was called off before it began; one whose run failed
 * can be sent on. One that was sent before stays so, whatever becomes of mails that were tried again.
 */
export const endMessage = async (tx: Transaction, { kind, messageId }: Run, state: RunState): Promise<void> => {
  if (kind !== 'send' || messageId === null) return
  const [any] = await tx
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(eq(deliveries.messageId, messageId))
    .limit(1)
  const began = any !== undefined
  const now = new Date()
  const done = { state: 'sent' as const, sentAt: sql`coalesce(${messages.sentAt}, now())` }
  const back = { state: 'draft' as const, scheduledAt: null }
  const set =
    state === 'cancelled'
      ? began
        ? { state: sql<MessageState>`case when ${messages.sentAt} is null then 'cancelled' else 'sent' end` }
        : back
      : state === 'succeeded' || state === 'incomplete'
        ? done
        : began
          ? { state: 'sending' as const }
          : back
  await tx
    .update(messages)
    .set({ ...set, updatedAt: now })
    .where(eq(messages.id, messageId))
}
