import type { CrmEntity } from '../../domain/crm.ts'
import type { SkipReason } from '../../domain/delivery.ts'
import type { Database } from '../database.ts'
import type { Packed } from './content.ts'
import { refuses } from '../optOut/refuses.ts'
import type { Job } from './job.ts'

/** A delivery that somebody works on. */
export type Claimed = {
  id: string
  email: string
  emailKey: Buffer
  listId: string | null
  recordId: string | null
  crmEntity: CrmEntity | null
  tries: number
  isUnsure: boolean
  previewToken: string | null
  unsubscribeToken: string | null
  /** why nobody is to be mailed there any more */
  skip: SkipReason | null
  /** of an attempt that may have arrived: the very same is sent again */
  content: Packed | null
}

type Of = Pick<Job, 'runId' | 'messageId'>

/**
 * Claims mails that are due, for as long as the lease lasts, and looks again at who may be mailed: an address may have been suppressed, a record removed,
 * any record of the account with the address opted out (R34), since the audience was frozen.
 */
export const claim = async (
  db: Database,
  { runId, messageId }: Of,
  claimId: string,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<Claimed[]> => {
  const sql = db.$client
  const rows = await sql<(Omit<Claimed, 'content'> & { [Key in keyof Packed]: Packed[Key] | null })[]>`
    with due as materialized (
      select id from deliveries
      where message_id = ${messageId}::uuid and run_id = ${runId}::uuid and state = 'waiting' and due_at <= now()
        and (claim_until is null or claim_until <= now())
      order by due_at limit ${limit} for update skip locked),
    mine as (
      update deliveries d set claim_id = ${claimId}::uuid, claim_until = now() + make_interval(secs => ${leaseMs / 1000})
      from due where d.id = due.id returning d.*),
    -- one by one, by the indexes of addresses
    suppressed as materialized (
      select m.id from mine m cross join lateral (
        select from suppressions s where s.account_id = m.account_id and s.email_key = m.email_key and s.lifted_at is null limit 1) x),
    opted as materialized (
      select m.id from mine m cross join lateral (
        select from records o join lists l on l.id = o.list_id and l.removed_at is null
        where o.email_key = m.email_key and o.account_id = m.account_id and o.removed_at is null and ${refuses(sql, 'o')} limit 1) x)
    select m.id::text, m.email, m.email_key as "emailKey", k.list_id::text as "listId", k.id::text as "recordId", m.crm_entity as "crmEntity", m.tries,
      m.is_unsure as "isUnsure", m.preview_token as "previewToken", m.unsubscribe_token as "unsubscribeToken",
      case when m.email is null or m.erased_at is not null then 'erased'
        when m.id in (select id from suppressed) then 'suppressed'
        when k.id is null then 'recordRemoved'
        when ${refuses(sql, 'k')} or m.id in (select id from opted) then 'optedOut' end as skip,
      c.subject, c.html, c.text, c.sha256
    from mine m left join records r on r.id = m.record_id
      left join records k on k.id = case when r.removed_at is null then r.id else r.merged_into end and k.removed_at is null
      left join delivery_contents c on c.delivery_id = m.id and m.is_unsure
    order by m.id`
  return rows.map(({ subject, html, text, sha256, ...row }) => ({
    ...row,
    content:
      subject === null || html === null || text === null || sha256 === null ? null : { subject, html, text, sha256 },
  }))
}

/** By their ids: to look for them among all that is waiting takes long. */
const ofClaim = (sql: Database['$client'], claimId: string, ids: Iterable<string>) =>
  sql`claim_id = ${claimId}::uuid and id = any(string_to_array(${[...ids].join('\n')}::text, E'\n')::uuid[])`

/** Keeps what an attempt has claimed its own for so long. */
export const renew = async (
  { $client: sql }: Database,
  claimId: string,
  ids: Iterable<string>,
  leaseMs: number,
): Promise<void> => {
  await sql`
    update deliveries set claim_until = now() + make_interval(secs => ${leaseMs / 1000})
    where state in ('waiting', 'sending') and ${ofClaim(sql, claimId, ids)}`
}

/** What an attempt has claimed and not begun. */
export const giveBack = async ({ $client: sql }: Database, claimId: string, ids: Iterable<string>): Promise<void> => {
  await sql`
    update deliveries set claim_id = null, claim_until = null where state = 'waiting' and ${ofClaim(sql, claimId, ids)}`
}

/** Milliseconds until something of the run can be worked on, or a lease is over; null when nothing is open. */
export const nextDue = async (db: Database, { runId, messageId }: Of): Promise<number | null> => {
  const [found] = await db.$client<[{ ms: number | null }]>`
    select (extract(epoch from min(case state when 'sending' then claim_until else greatest(due_at, claim_until) end) - now()) * 1000)::float8 as ms
    from deliveries where message_id = ${messageId}::uuid and run_id = ${runId}::uuid and state in ('waiting', 'sending')`
  return found.ms
}
