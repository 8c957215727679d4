import { sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { entries, lanes, runs } from '../schema.ts'

/** What a transaction has settled. */
export type Settling = { accepted: number; rejected: number; skipped: number }

/** Adds to the ledger of a run that sends, in the transaction that settles them. Answers whether the run is asked to stop. */
export const count = async (
  tx: Transaction,
  runId: string,
  { accepted, rejected, skipped }: Settling,
): Promise<{ cancelRequested: boolean }> => {
  const [found] = await tx.execute<{ cancelRequested: boolean }>(sql`
    update ${lanes} set read = read + ${accepted + rejected + skipped}, created = created + ${accepted}, rejected = rejected + ${rejected},
      skipped = skipped + ${skipped}, pages = pages + 1
    where run_id = ${runId}::uuid and phase = 'send'
    returning (select cancel_requested_at is not null from ${runs} where id = ${runId}::uuid) as "cancelRequested"`)
  return { cancelRequested: found?.cancelRequested ?? true }
}

/** An entry for each of these deliveries, which are skipped, rejected or of unknown fate. */
export const list = async (tx: Transaction, runId: string, deliveryIds: readonly string[]): Promise<void> => {
  if (deliveryIds.length === 0) return
  await tx.execute(sql`
    insert into ${entries} (account_id, first_run_id, last_run_id, phase, kind, code, record_id, crm_entity, crm_id, email_key)
    select account_id, ${runId}::uuid, ${runId}::uuid, 'send', case state when 'skipped' then 'skipped' else 'rejected' end, code, record_id, crm_entity,
      crm_id, email_key
    from deliveries where id = any(string_to_array(${deliveryIds.join('\n')}::text, E'\n')::uuid[]) order by id`)
}
