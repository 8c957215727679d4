import { and, eq, sql } from 'drizzle-orm'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import type { RunSettings } from '../../domain/run.ts'
import * as connections from '../connection.ts'
import type { Transaction } from '../outbox.ts'
import type { Retried } from '../run/retry.ts'
import type { Run } from '../run/state.ts'
import { deliveries, entries, messages, notes } from '../schema.ts'
import { ensureRun, lockOpen, type NotesOf } from './run.ts'

type Of = Pick<NotesOf, 'accountId' | 'messageId'>

const isSettled = sql`n.state in ('skipped', 'rejected')`

/** Notes that entries of the run are about; one entry is one note of its message. */
const ofEntries = (run: Run, ids: string[]) => sql`
  select e.id as entry_id, n.delivery_id from ${entries} e
    join ${deliveries} d on d.message_id = ${run.messageId}::uuid
      and (d.record_id = e.record_id or (e.record_id is null and d.email_key = e.email_key))
    join ${notes} n on n.delivery_id = d.id and ${isSettled}
  where e.account_id = ${run.accountId}::uuid and e.last_run_id = ${run.id}::uuid and e.kind in ('skipped', 'rejected')
    and e.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`

/** Those of a message by their reason. */
const ofCode = async (tx: Transaction, { accountId, messageId }: Of, code: string): Promise<string[]> => {
  const rows = await tx.execute<{ id: string }>(sql`
    select n.delivery_id::text as id from ${notes} n
    where n.account_id = ${accountId}::uuid and n.message_id = ${messageId}::uuid and ${isSettled} and n.code = ${code}`)
  return rows.map(({ id }) => id)
}

const chosen = async (tx: Transaction, run: Run, asked: Retried): Promise<string[]> => {
  const { accountId, messageId } = run
  if ('code' in asked) return ofCode(tx, { accountId, messageId: messageId! }, asked.code)
  const rows = await tx.execute<{ entryId: string; id: string }>(sql`
    select entry_id::text as "entryId", delivery_id::text as id from (${ofEntries(run, asked.entryIds)}) c`)
  const found = new Set(rows.map(({ entryId }) => entryId))
  const at = asked.entryIds.findIndex((id) => !found.has(id))
  if (at !== -1) throw misplaced(`entryIds[${at}]`, 'is no skip or rejection of this run that can be tried again.')
  return rows.map(({ id }) => id)
}

/** They go to the CRM that is connected now, which need not be the one that they were for. */
const reopen = async (
  tx: Transaction,
  { accountId, messageId }: Of,
  choose: () => Promise<string[]>,
  settings: RunSettings = {},
): Promise<{ runId: string; created: boolean }> => {
  await connections.lockAccount(tx, accountId)
  const connection = await connections.findActive(tx, accountId)
  if (connection === undefined || !['connected', 'needsReconfirm'].includes(connection.state))
    throw new FairleadError('notConnected')
  await lockOpen(tx, messageId)
  const ids = await choose()
  if (ids.length === 0) throw new FairleadError('nothingToRetry')
  await tx.execute(sql`
    update ${notes} n set state = 'waiting', code = null, crm = null, warnings = '[]', tries = 0, due_at = greatest(now(), n.due_at), run_id = null,
      sent_at = case when n.connection_id = ${connection.id}::uuid then n.sent_at end, connection_id = ${connection.id}::uuid
    where n.delivery_id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`)
  const runId = await ensureRun(tx, { accountId, messageId, connectionId: connection.id }, { trigger: 'api', settings })
  if (runId === undefined) throw new FairleadError('runActive')
  return { runId, created: true }
}

/**
 * Opens notes again that a run has skipped or rejected, and starts a run of the message. Errors: nothingToRetry, invalidInput, runActive, notConnected.
 */
export const retryNotes = (tx: Transaction, run: Run, asked: Retried): Promise<{ runId: string; created: boolean }> => {
  const of = { accountId: run.accountId, messageId: run.messageId! }
  const settings = { source: { runId: run.id, as: 'retry' as const, ...asked } }
  return reopen(tx, of, () => chosen(tx, run, asked), settings)
}

/**
 * The same of a message, by reason: also of notes that no run has come to, such as those that waited for a CRM in whose place another one was connected.
 * Errors: notFound, nothingToRetry, runActive, notConnected.
 */
export const retryOfMessage = async (
  tx: Transaction,
  of: Of,
  code: string,
): Promise<{ runId: string; created: boolean }> => {
  const [message] = await tx
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.accountId, of.accountId), eq(messages.id, of.messageId)))
  if (message === undefined) throw new FairleadError('notFound')
  return reopen(tx, of, () => ofCode(tx, of, code))
}
