import { FairleadError, type ErrorCode } from '../../domain/errors.ts'
import { addUp, isOver, noCounts, type Balance, type PhaseCounts, type RunState } from '../../domain/run.ts'
import type { Database, Sql } from '../database.ts'
import { inTransaction } from '../record/edit.ts'
import type { Run } from '../run/state.ts'
import { accounted, ensureLane } from './settle.ts'

export type Ending = { code?: string; cancelled?: boolean }
type Facts = { written: number; listed: number; crmFailed: number }

type Why = { state: 'skipped' | 'rejected'; code: string }

/**
 * What a run leaves open is listed with the reason, and can be tried again: nobody would come to it by itself. Notes of a connection that is gone wait
 * for it (C3).
 */
const stopOpen = async (sql: Sql, run: Run, why: Why): Promise<void> => {
  const [gone] = await sql`
    select from connections where id = ${run.connectionId}::uuid and (not active or state not in ('connected', 'needsReconfirm'))`
  const open = sql`n.message_id = ${run.messageId}::uuid and n.connection_id = ${run.connectionId}::uuid and n.state in ('waiting', 'creating', 'held')`
  if (gone !== undefined)
    await sql`update notes n set state = 'held', code = 'notConnected', claim_id = null, claim_until = null where ${open}`
  else {
    // one that ends before it began has none
    await ensureLane(sql, { accountId: run.accountId, runId: run.id })
    await sql`
      with settled as (
        update notes n set state = ${why.state}, code = ${why.code}, claim_id = null, claim_until = null, run_id = ${run.id}::uuid
        where ${open} and (n.state, n.code) is distinct from ('held', 'notConnected') returning n.*),
      ${accounted(sql, { accountId: run.accountId, runId: run.id })}`
  }
}

const countsOf = async (sql: Sql, { id }: Run): Promise<PhaseCounts> => {
  const [row] = await sql<PhaseCounts[]>`
    select read, created, updated, unchanged, skipped, rejected from lanes where run_id = ${id}::uuid and phase = 'notes' and lane = 0`
  return row ?? noCounts()
}

/** Counted on their own: only then do equal sums prove anything. */
const factsOf = async (sql: Sql, { id, messageId }: Run): Promise<Facts> => {
  const [facts] = await sql<[Facts]>`
    select (select count(*) from notes where message_id = ${messageId}::uuid and state = 'written' and run_id = ${id}::uuid)::int as written,
      count(*) filter (where kind in ('skipped', 'rejected'))::int as listed,
      count(*) filter (where code = 'crmFailed')::int as "crmFailed"
    from entries where last_run_id = ${id}::uuid`
  return facts
}

const balanceOf = (counts: PhaseCounts, { written, listed }: Facts): Balance => {
  const checks = [
    {
      name: 'notes: read = created + updated + unchanged + skipped + rejected',
      left: counts.read,
      right: addUp(counts),
    },
    { name: 'notes: created = notes that this run made', left: counts.created, right: written },
    { name: 'skipped + rejected = entries with a reason', left: counts.skipped + counts.rejected, right: listed },
  ]
  const balanced = checks.every(({ left, right }) => left === right)
  return { balanced, crmTotal: null, listTotal: null, explained: {}, difference: null, checks }
}

const errorOf = (code: string): Run['error'] => {
  const error = new FairleadError(code as ErrorCode)
  return { code, detail: error.message, remedy: error.remedy }
}

/**
 * Ends a run of notes, with its ledger, unless notes have come meanwhile: nobody adds one between the look and the end, and who comes later starts
 * another run. Answers the state, null for a run that is to go on.
 */
export const finish = (db: Database, run: Run, { code, cancelled = false }: Ending): Promise<RunState | null> =>
  inTransaction(db, run.accountId, async (sql) => {
    // first of all, as everybody does: two that take account and notes in different order would wait for each other
    await sql`select from accounts where id = ${run.accountId}::uuid for key share`
    await sql`select pg_advisory_xact_lock(hashtextextended(${`notes:${run.messageId}`}::text, 0))`
    const [now] = await sql<{ state: RunState; isCancelled: boolean }[]>`
      select state, cancel_requested_at is not null as "isCancelled" from runs where id = ${run.id}::uuid for no key update`
    if (now === undefined || isOver(now.state)) return now?.state ?? 'cancelled'
    const stops = cancelled || now.isCancelled || code === 'runFinished'
    if (stops) await stopOpen(sql, run, { state: 'skipped', code: 'runCancelled' })
    else if (code !== undefined) await stopOpen(sql, run, { state: 'rejected', code })
    const [open] = await sql`
      select from notes where message_id = ${run.messageId}::uuid and connection_id = ${run.connectionId}::uuid and state in ('waiting', 'creating', 'held') limit 1`
    if (open !== undefined && code === undefined && !stops) return null
    const counts = await countsOf(sql, run)
    const facts = await factsOf(sql, run)
    const balance = balanceOf(counts, facts)
    const cause = code ?? (facts.crmFailed > 0 ? 'crmFailed' : balance.balanced ? null : 'notBalanced')
    const state: RunState = stops
      ? 'cancelled'
      : code === 'internal'
        ? 'failed'
        : cause === null
          ? 'succeeded'
          : 'incomplete'
    const error = stops || cause === null ? null : cause === 'notBalanced' ? unbalanced : errorOf(cause)
    await sql`
      update runs set state = ${state}, phase = 'finish', counts = ${JSON.stringify({ notes: counts })}::text::jsonb,
        balance = ${JSON.stringify(balance)}::text::jsonb, error = ${error === null ? null : JSON.stringify(error)}::text::jsonb, finished_at = now(),
        started_at = coalesce(started_at, now())
      where id = ${run.id}::uuid`
    return state
  })

const unbalanced: Run['error'] = {
  code: 'notBalanced',
  detail: 'The sums of the notes do not agree.',
  remedy: 'Give the run’s id to the operator.',
}
