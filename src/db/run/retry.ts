import { and, eq, inArray, isNotNull, or, sql } from 'drizzle-orm'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import type { RunKind } from '../../domain/run.ts'
import { retryMails } from '../delivery/retry.ts'
import { retryNotes } from '../note/retry.ts'
import type { Transaction } from '../outbox.ts'
import { entries, parkedRecords } from '../schema.ts'
import { request } from '../sync/request.ts'
import { ofRun } from './entry.ts'
import { get, type Run } from './state.ts'

export type Retried = { code: string } | { entryIds: string[] }

/** Runs that have read people of the CRM, or written to them. */
const retriable: ReadonlySet<RunKind> = new Set(['import', 'sync', 'sweep', 'verify'])

/** What can be tried again: records by their id, and people of the CRM by theirs. */
const chosen = (run: Run, asked: Retried) =>
  and(
    ofRun(run.accountId, run),
    inArray(entries.kind, ['skipped', 'rejected']),
    or(and(eq(entries.phase, 'push'), isNotNull(entries.recordId)), isNotNull(entries.crmId)),
    'code' in asked ? eq(entries.code, asked.code) : inArray(entries.id, asked.entryIds),
  )

const check = async (tx: Transaction, run: Run, asked: Retried): Promise<void> => {
  if (run.listId === null || !retriable.has(run.kind)) throw new FairleadError('nothingToRetry')
  if ('code' in asked) {
    const [one] = await tx.select({ id: entries.id }).from(entries).where(chosen(run, asked)).limit(1)
    if (one === undefined) throw new FairleadError('nothingToRetry')
    return
  }
  const rows = await tx.select({ id: entries.id }).from(entries).where(chosen(run, asked))
  const found = new Set(rows.map(({ id }) => id))
  const at = asked.entryIds.findIndex((id) => !found.has(id))
  if (at !== -1) throw misplaced(`entryIds[${at}]`, 'is no skip or rejection of this run that can be tried again.')
}

const release = async (tx: Transaction, run: Run, asked: Retried): Promise<void> => {
  const records = tx.select({ id: entries.recordId }).from(entries).where(chosen(run, asked))
  await tx
    .delete(parkedRecords)
    .where(and(eq(parkedRecords.accountId, run.accountId), sql`${parkedRecords.recordId} in ${records}`))
}

/**
 * Starts a run that tries again what another one has skipped or rejected, of one code or single entries; they leave the quarantine. While a run of
 * the list is under way, it waits. Errors: notFound, nothingToRetry, invalidInput for entries that are not the run's, runActive where one waits
 * already, notConnected, connectorDisabled.
 */
export const retry = async (
  tx: Transaction,
  accountId: string,
  runId: string,
  asked: Retried,
): Promise<{ runId: string; created: boolean }> => {
  const run = await get(tx, accountId, runId)
  if (run.kind === 'notes') return retryNotes(tx, run, asked)
  if (run.kind === 'send') return retryMails(tx, run, asked)
  await check(tx, run, asked)
  const settings = { source: { runId, as: 'retry' as const, ...asked } }
  const asks = { kind: 'sync' as const, trigger: 'api' as const, settings, segmentId: run.segmentId, queue: true }
  const started = await request(tx, accountId, run.listId!, asks)
  if (!started.created) throw new FairleadError('runActive', { extra: { runId: started.runId } })
  await release(tx, run, asked)
  return started
}
