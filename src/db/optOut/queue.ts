import { sql } from 'drizzle-orm'
import { groupBy } from '../../domain/groupBy.ts'
import type { Transaction } from '../outbox.ts'
import { wakePusher } from './wake.ts'

/** DoNotEmail of everybody with an address, as it is to be in the CRM. */
export type Wish = { suppressionId: string; emailKey: Buffer; email: string | null; doNotEmail: boolean }

/** One of an address is enough. */
const once = (wishes: readonly Wish[]): Wish[] =>
  [...groupBy(wishes, ({ emailKey, doNotEmail }) => `${emailKey.toString('hex')} ${doNotEmail}`).values()].map(
    ([first]) => first!,
  )

/**
 * Puts wishes on their way to the CRM that is connected, in the caller's transaction; without one there is nothing to write to, and `queueAll` makes up for
 * it. What is said already is not said again; what was said before and is not written yet gives way to a contrary one.
 */
export const queue = async (tx: Transaction, accountId: string, wishes: readonly Wish[]): Promise<void> => {
  if (wishes.length === 0) return
  const rows = once(wishes).map(({ suppressionId, emailKey, email, doNotEmail }) => ({
    suppression_id: suppressionId,
    email_key: emailKey.toString('hex'),
    email,
    do_not_email: doNotEmail,
  }))
  const [made] = await tx.execute<{ connectionId: string }>(sql`
    with wish as (
      select w.suppression_id, decode(w.email_key, 'hex') as email_key, w.email, w.do_not_email, c.id as connection_id
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        as w (suppression_id uuid, email_key text, email text, do_not_email boolean)
      join connections c on c.account_id = ${accountId}::uuid and c.active and c.state <> 'disconnected'),
    news as (
      select w.* from wish w left join lateral (
        select o.do_not_email, o.state from opt_outs o
        where o.account_id = ${accountId}::uuid and o.email_key = w.email_key and o.connection_id = w.connection_id and o.state <> 'superseded'
        order by o.id desc limit 1) last on true
      where last.state is null or last.state = 'rejected' or last.do_not_email <> w.do_not_email),
    old as (
      update opt_outs o set state = 'superseded', settled_at = now() from news n
      where o.account_id = ${accountId}::uuid and o.email_key = n.email_key and o.connection_id = n.connection_id
        and o.state in ('waiting', 'held', 'rejected')),
    made as (
      insert into opt_outs (account_id, connection_id, suppression_id, email_key, email, do_not_email)
      select ${accountId}::uuid, connection_id, suppression_id, email_key, email, do_not_email from news
      returning connection_id)
    select distinct connection_id::text as "connectionId" from made`)
  if (made !== undefined) await wakePusher(tx, { accountId, ...made })
}

/** A CRM was connected: it is told of every opt-out that holds here and that it has not been told of. One that was connected before is told nothing more. */
export const queueAll = async (tx: Transaction, accountId: string, connectionId: string): Promise<void> => {
  await tx.execute(sql`
    update opt_outs set state = 'superseded', settled_at = now()
    where account_id = ${accountId}::uuid and connection_id <> ${connectionId}::uuid and state in ('waiting', 'held')`)
  await tx.execute(sql`
    insert into opt_outs (account_id, connection_id, suppression_id, email_key, email, do_not_email)
    select distinct on (s.email_key) s.account_id, ${connectionId}::uuid, s.id, s.email_key, s.email, true
    from suppressions s
    where s.account_id = ${accountId}::uuid and s.lifted_at is null and s.email is not null and s.source <> 'crm'
      and (s.reason in ('unsubscribed', 'complained', 'optedOut') or (s.reason = 'manual' and s.source = 'person'))
      and not exists (select from opt_outs o where o.account_id = s.account_id and o.email_key = s.email_key
        and o.connection_id = ${connectionId}::uuid and o.state <> 'superseded')
    order by s.email_key, s.id`)
}
