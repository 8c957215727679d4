import type { CrmEntity } from '../../domain/crm.ts'
import type { Database, Sql } from '../database.ts'

export type Link = { entity: CrmEntity; id: string }

/** A note that somebody works on. */
export type Claimed = {
  /** of the delivery */
  id: string
  /** the person of the record, as far as it belongs to this CRM */
  link: Link | null
  /** whom an earlier request, which has had no answer, was about */
  asked: Link | null
  email: string | null
  token: string | null
  /** when the mail was sent, ISO */
  sentAt: string
  subject: string | null
  messageName: string
  isErased: boolean
  tries: number
}

export type Which = { messageId: string; connectionId: string }
export type Why = { code: string; crm?: Record<string, unknown> }

const isOpen = (sql: Sql) => sql`n.state in ('waiting', 'creating', 'held')`
const secs = (sql: Sql, ms: number) => sql`make_interval(secs => ${ms / 1000})`
const ofIds = (sql: Sql, ids: readonly string[]) => sql`any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`

/**
 * Claims open notes of a message that are due, oldest first; others take them up when the lease ends. Several workers may do so at once. One whose request
 * has had no answer is due only when the CRM can be believed about it (R7).
 */
export const claim = async (
  { $client: sql }: Database,
  { messageId, connectionId }: Which,
  claimId: string,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<Claimed[]> => {
  const rows = await sql<Claimed[]>`
    with due as materialized (
      select n.delivery_id from notes n
      where n.message_id = ${messageId}::uuid and n.connection_id = ${connectionId}::uuid and ${isOpen(sql)} and n.due_at <= now()
        and (n.claim_until is null or n.claim_until <= now())
      order by n.due_at, n.delivery_id limit ${limit} for update skip locked),
    mine as (
      update notes n set claim_id = ${claimId}::uuid, claim_until = now() + ${secs(sql, leaseMs)},
        state = case when n.sent_at is null then 'waiting' else 'creating' end
      from due where n.delivery_id = due.delivery_id returning n.*)
    select m.delivery_id::text as id, d.email, d.preview_token as token, m.tries, g.name as "messageName", c.subject,
      d.erased_at is not null as "isErased",
      to_char(coalesce(d.sent_at, d.accepted_at, m.created_at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "sentAt",
      case when m.sent_at is not null and m.crm_id is not null then json_build_object('entity', m.crm_entity, 'id', m.crm_id) end as asked,
      case when l.id is null or l.connection_id = m.connection_id then
        case when r.crm_id is not null then json_build_object('entity', r.crm_entity, 'id', r.crm_id)
          when d.crm_id is not null then json_build_object('entity', d.crm_entity, 'id', d.crm_id) end end as link
    from mine m join deliveries d on d.id = m.delivery_id join messages g on g.id = m.message_id
      left join delivery_contents c on c.delivery_id = d.id left join lists l on l.id = d.list_id
      left join records r on r.id = d.record_id and r.removed_at is null
    order by m.delivery_id`
  return [...rows]
}

/** Keeps what an attempt works on its own for so long. */
export const renew = async (
  { $client: sql }: Database,
  { messageId }: Which,
  claimId: string,
  leaseMs: number,
): Promise<void> => {
  await sql`
    update notes n set claim_until = now() + ${secs(sql, leaseMs)}
    where n.message_id = ${messageId}::uuid and ${isOpen(sql)} and n.claim_id = ${claimId}::uuid`
}

/**
 * The first step of making a note, for many at once and before the requests go out. Answers those that are still this attempt's: no other may be sent.
 * `waitMs`: how long the CRM may carry the request out, from now on.
 */
export const markCreating = async (
  { $client: sql }: Database,
  claimId: string,
  jobs: readonly { id: string; entity: CrmEntity; crmId: string }[],
  waitMs: number,
): Promise<Set<string>> => {
  const rows = await sql<{ id: string }[]>`
    update notes n set state = 'creating', sent_at = now(), due_at = now() + ${secs(sql, waitMs)}, crm_entity = u.entity, crm_id = u."crmId"
    from jsonb_to_recordset(${JSON.stringify(jobs)}::text::jsonb) as u (id uuid, entity text, "crmId" text)
    where n.delivery_id = u.id and n.claim_id = ${claimId}::uuid and ${isOpen(sql)} returning n.delivery_id::text as id`
  return new Set(rows.map(({ id }) => id))
}

/** What an attempt did not finish goes back and says why. `unsent`: those that were marked and whose request never went out. */
export const giveBack = async (
  { $client: sql }: Database,
  { messageId }: Which,
  claimId: string,
  unsent: readonly string[],
  why: Why | null,
): Promise<void> => {
  await sql`
    update notes n set claim_id = null, claim_until = null, code = ${why?.code ?? null}, crm = ${why?.crm === undefined ? null : JSON.stringify(why.crm)}::text::jsonb,
      state = case when n.sent_at is null or n.delivery_id = ${ofIds(sql, unsent)} then 'waiting' else 'creating' end,
      sent_at = case when n.delivery_id = ${ofIds(sql, unsent)} then null else n.sent_at end,
      due_at = case when n.sent_at is null or n.delivery_id = ${ofIds(sql, unsent)} then now() else n.due_at end
    where n.message_id = ${messageId}::uuid and ${isOpen(sql)} and n.claim_id = ${claimId}::uuid`
}

/** Everything open of a message waits for the connection. */
export const hold = async ({ $client: sql }: Database, { messageId, connectionId }: Which, { code, crm }: Why) => {
  await sql`
    update notes n set state = 'held', code = ${code}, crm = ${crm === undefined ? null : JSON.stringify(crm)}::text::jsonb
    where n.message_id = ${messageId}::uuid and n.connection_id = ${connectionId}::uuid and ${isOpen(sql)} and n.claim_id is null`
}

export type Left = { open: number; ms: number | null; isSending: boolean }

/** How many notes are open, when the next may be claimed (milliseconds from now), and whether more will come of a send that is under way. */
export const left = async ({ $client: sql }: Database, { messageId, connectionId }: Which): Promise<Left> => {
  const [row] = await sql<[Left]>`
    select count(*)::int as open, (extract(epoch from min(greatest(n.due_at, n.claim_until)) - now()) * 1000)::float8 as ms,
      exists (select from runs s where s.message_id = ${messageId}::uuid and s.kind = 'send' and s.state = 'running') as "isSending"
    from notes n where n.message_id = ${messageId}::uuid and n.connection_id = ${connectionId}::uuid and ${isOpen(sql)}`
  return row
}
