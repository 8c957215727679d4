import { eq, sql } from 'drizzle-orm'
import { FairleadError, misplaced } from '../../domain/errors.ts'
import type { Transaction } from '../outbox.ts'
import type { Retried } from '../run/retry.ts'
import type { Run } from '../run/state.ts'
import { deliveries, entries, messages } from '../schema.ts'
import { activeRun, begin, lock } from './request.ts'

/** What the mail server did not take, and what nobody knows of. Nobody who was skipped: a person who has an address twice gets one mail. */
const failed = sql`d.state in ('rejected', 'unknown')`

/** Deliveries that entries of the run are about; one entry is one mail of its message. */
const ofEntries = (run: Run, ids: string[]) => sql`
  select e.id as entry_id, d.id from ${entries} e
    join ${deliveries} d on d.message_id = ${run.messageId}::uuid and d.run_id = ${run.id}::uuid and ${failed}
      and (d.record_id = e.record_id or (e.record_id is null and d.email_key = e.email_key))
  where e.account_id = ${run.accountId}::uuid and e.last_run_id = ${run.id}::uuid and e.kind = 'rejected'
    and e.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`

const check = async (tx: Transaction, run: Run, ids: string[]): Promise<void> => {
  const rows = await tx.execute<{ id: string }>(sql`
    select c.entry_id::text as id from (${ofEntries(run, ids)}) c`)
  const found = new Set(rows.map(({ id }) => id))
  const at = ids.findIndex((id) => !found.has(id))
  if (at !== -1) throw misplaced(`entryIds[${at}]`, 'is no rejected mail of this run that can be tried again.')
}

/**
 * Starts a run that sends the mails again which another one could not: by the same version of the message, and only where the address may still be mailed.
 * One of unknown fate may come twice. Errors: notFound, nothingToRetry, invalidInput, runActive.
 */
export const retryMails = async (
  tx: Transaction,
  run: Run,
  asked: Retried,
): Promise<{ runId: string; created: boolean }> => {
  const message = await lock(tx, run.accountId, run.messageId!)
  const active = await activeRun(tx, message.id)
  if (active !== undefined) throw new FairleadError('runActive', { extra: { runId: active.id } })
  if (message.state !== 'sent') throw new FairleadError('nothingToRetry', { detail: 'The message was not sent.' })
  if ('entryIds' in asked) await check(tx, run, asked.entryIds)
  const isChosen =
    'code' in asked
      ? sql`d.message_id = ${message.id}::uuid and d.run_id = ${run.id}::uuid and ${failed} and d.code = ${asked.code}`
      : sql`d.id in (select c.id from (${ofEntries(run, asked.entryIds)}) c)`
  const [one] = await tx.execute<{ version: number }>(sql`
    select d.version from ${deliveries} d where ${isChosen} limit 1`)
  if (one === undefined) throw new FairleadError('nothingToRetry')
  const source = { runId: run.id, as: 'retry' as const, ...asked }
  const runId = await begin(tx, message, { source, message: { version: one.version, goesOn: true } })
  await tx.execute(sql`
    update ${deliveries} d set state = 'waiting', code = null, smtp_status = null, smtp_code = null, tries = 0, due_at = now(), claim_id = null,
      claim_until = null, run_id = ${runId}::uuid
    where ${isChosen}`)
  await tx.update(messages).set({ state: 'sending', updatedAt: new Date() }).where(eq(messages.id, message.id))
  return { runId, created: true }
}
