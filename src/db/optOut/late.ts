import { sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { wakePusher, type Pusher } from './wake.ts'

type Of = Pusher & ({ listId: string } | { recordIds: readonly string[] })

const recordsOf = (of: Of) =>
  'listId' in of
    ? sql`r.list_id = ${of.listId}::uuid`
    : sql`r.id = any(string_to_array(${of.recordIds.join('\n')}::text, E'\n')::uuid[])`

/**
 * R34: an opt-out goes to everybody with the address, also to who comes into the CRM after it was written there: people of these records who are not
 * marked in the CRM, and whom the CRM has not confirmed. What is on its way reaches them, and what was refused waits for a person. Once more changes
 * nothing: only records that have changed since the last time are looked at.
 */
export const queueLate = async (tx: Transaction, of: Of): Promise<void> => {
  const { accountId, connectionId } = of
  const made = await tx.execute(sql`
    insert into opt_outs (account_id, connection_id, suppression_id, email_key, email, do_not_email)
    select distinct on (s.email_key) s.account_id, c.id, s.id, s.email_key, s.email, true
    from suppressions s
      join connections c on c.id = ${connectionId}::uuid and c.active and c.state <> 'disconnected'
      join records r on r.email_key = s.email_key and r.account_id = s.account_id and r.removed_at is null and r.crm_id is not null and ${recordsOf(of)}
        and coalesce(lower(trim(r.fields ->> 'c6')), 'n') in ('false', 'f', '0', 'n', '')
      left join lateral (
        select o.state, o.do_not_email, o.results, o.created_at from opt_outs o
        where o.account_id = s.account_id and o.email_key = s.email_key and o.connection_id = c.id and o.state <> 'superseded'
        order by o.id desc limit 1) last on true
    where s.account_id = ${accountId}::uuid and s.lifted_at is null and s.email is not null and s.source <> 'crm'
      and (s.reason in ('unsubscribed', 'complained', 'optedOut') or (s.reason = 'manual' and s.source = 'person'))
      and (last.state is null or (last.state = 'written' and last.do_not_email and coalesce(r.updated_at, uuid_extract_timestamp(r.id)) > last.created_at
        and not last.results @> jsonb_build_array(jsonb_build_object('entity', r.crm_entity, 'id', r.crm_id))))
    order by s.email_key, s.id
    returning id`)
  if (made.length > 0) await wakePusher(tx, { accountId, connectionId })
}
