import { sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { connections, deliveries, messageVersions, notes } from '../schema.ts'
import { ensureRun, lockOpen } from './run.ts'

/**
 * G2, G3, R31: makes notes of the deliveries that were accepted, where their version of the message wants them and the account has a CRM; one for each
 * record of the message. In the same transaction a run that brings them into the CRM is started, unless one is at work. While the connector is reset they
 * wait for it (C3).
 */
export const insert = async (
  tx: Transaction,
  accountId: string,
  messageId: string,
  deliveryIds: string[],
): Promise<void> => {
  if (deliveryIds.length === 0) return
  await lockOpen(tx, messageId)
  const [made] = await tx.execute<{ connectionId: string; state: string }>(sql`
    with given as materialized (
      select d.id, d.record_id, d.email_key, c.id as connection_id, c.state = 'reset' as is_reset
      from ${deliveries} d
        join ${messageVersions} v on v.message_id = d.message_id and v.version = d.version
        join ${connections} c on c.account_id = d.account_id and c.active and c.state in ('connected', 'needsReconfirm', 'reset')
      where d.id = any(string_to_array(${deliveryIds.join('\n')}::text, E'\n')::uuid[]) and d.account_id = ${accountId}::uuid
        and d.message_id = ${messageId}::uuid and d.state = 'accepted' and d.erased_at is null and v.definition->'addNote' = 'true'),
    made as (
      insert into ${notes} (delivery_id, account_id, message_id, connection_id, state, code)
      select distinct on (coalesce(g.record_id::text, encode(g.email_key, 'hex'), g.id::text)) g.id, ${accountId}::uuid, ${messageId}::uuid,
        g.connection_id, case when g.is_reset then 'held' else 'waiting' end, case when g.is_reset then 'notConnected' end
      from given g
      where not exists (
        select from ${deliveries} o join ${notes} n on n.delivery_id = o.id
        where o.record_id = g.record_id and o.message_id = ${messageId}::uuid and o.id <> g.id)
      order by coalesce(g.record_id::text, encode(g.email_key, 'hex'), g.id::text), g.id
      on conflict do nothing returning connection_id, state)
    select connection_id::text as "connectionId", state from made limit 1`)
  if (made?.state === 'waiting') await ensureRun(tx, { accountId, messageId, connectionId: made.connectionId })
}
