import type { CrmEntity } from '../../domain/crm.ts'
import type { OptOutResult } from '../../domain/optOut.ts'
import type { Database, Sql } from '../database.ts'
import { inTransaction } from '../record/edit.ts'
import type { Pusher } from './wake.ts'

export type Due = {
  id: string
  emailKey: string
  /** null after an erasure: nobody can be found by it any more */
  email: string | null
  doNotEmail: boolean
  tries: number
  results: OptOutResult[]
}

/** What is to be written now: who has not failed, the oldest first; of those that came for one address at the same moment the last one. */
export const due = async (db: Database, { connectionId }: Pusher, limit: number): Promise<Due[]> => {
  const sql = db.$client
  const later = sql`
    exists (select from opt_outs n where n.account_id = b.account_id and n.email_key = b.email_key and n.connection_id = b.connection_id
      and n.id > b.id and n.state in ('waiting', 'held', 'written'))`
  return [
    ...(await sql<Due[]>`
      with b as materialized (
        select * from opt_outs where connection_id = ${connectionId}::uuid and state in ('waiting', 'held') and due_at <= now() order by tries, id limit ${limit}),
      old as (update opt_outs o set state = 'superseded', settled_at = now() from b where o.id = b.id and ${later})
      select id::text, encode(email_key, 'hex') as "emailKey", email, do_not_email as "doNotEmail", tries, results from b where not ${later} order by id`),
  ]
}

/** Milliseconds until the next one is due; null for none. */
export const nextDue = async (db: Database, { connectionId }: Pusher): Promise<number | null> => {
  const [found] = await db.$client<[{ ms: number | null }]>`
    select (extract(epoch from min(due_at) - now()) * 1000)::float8 as ms from opt_outs
    where connection_id = ${connectionId}::uuid and state in ('waiting', 'held')`
  return found.ms === null ? null : Math.max(0, Math.ceil(found.ms))
}

export type Linked = { emailKey: string; entity: CrmEntity; crmId: string }

/** People whom our records with these addresses are linked to, whatever address the CRM has of them. */
export const linked = async (db: Database, { accountId, connectionId }: Pusher, keys: string[]): Promise<Linked[]> => [
  ...(await db.$client<Linked[]>`
    select distinct encode(r.email_key, 'hex') as "emailKey", r.crm_entity as entity, r.crm_id as "crmId"
    from records r join lists l on l.id = r.list_id
    where r.account_id = ${accountId}::uuid and r.crm_id is not null and r.removed_at is null and l.connection_id = ${connectionId}::uuid
      and r.email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${keys.join('\n')}::text, E'\n')) x))`),
]

/** Which of these addresses, by their hash, are opted out. */
export const optedOut = async (db: Database, accountId: string, keys: string[]): Promise<Set<string>> => {
  if (keys.length === 0) return new Set()
  const rows = await db.$client<{ key: string }[]>`
    select distinct encode(email_key, 'hex') as key from suppressions
    where account_id = ${accountId}::uuid and lifted_at is null and reason <> 'bounced'
      and email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${keys.join('\n')}::text, E'\n')) x))`
  return new Set(rows.map(({ key }) => key))
}

export type Outcome = {
  row: Due
  state: 'written' | 'rejected' | 'waiting'
  code: string | null
  crm?: Record<string, unknown> | undefined
  results: OptOutResult[]
  tries: number
  afterMs: number
  /** R34: nobody with the address is opted out in the CRM any more */
  clears: boolean
}

/** The CRM has taken our word, so its own opt-out of the address is over. */
const liftCrm = async (sql: Sql, accountId: string, outcomes: readonly Outcome[]): Promise<void> => {
  const keys = outcomes.filter(({ state, clears }) => state === 'written' && clears).map(({ row }) => row.emailKey)
  if (keys.length === 0) return
  await sql`
    update suppressions set lifted_at = now(), lift_evidence = 'The CRM has confirmed that everybody with the address may be mailed, after a new consent.'
    where account_id = ${accountId}::uuid and source = 'crm' and lifted_at is null
      and email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${keys.join('\n')}::text, E'\n')) x))`
}

/** Stores what came of a batch. What was superseded meanwhile stays so, and keeps what the CRM has confirmed; of whom was erased meanwhile nothing is kept. */
export const settle = (db: Database, { accountId }: Pusher, outcomes: readonly Outcome[]): Promise<void> =>
  inTransaction(db, accountId, async (sql) => {
    const rows = outcomes.map(({ row, state, code, crm, results, tries, afterMs }) => ({
      id: row.id,
      had_email: row.email !== null,
      state,
      code,
      crm,
      results,
      tries,
      after_ms: Math.round(afterMs),
    }))
    if (rows.length === 0) return
    const settled = await sql<{ id: string }[]>`
      update opt_outs o set results = u.results, tries = u.tries, due_at = now() + make_interval(secs => u.after_ms / 1000.0),
        state = case when o.state = 'superseded' then o.state else u.state end, code = u.code, crm = u.crm,
        settled_at = case when o.state = 'superseded' then o.settled_at when u.state in ('written', 'rejected') then now() end
      from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
        as u (id uuid, had_email boolean, state text, code text, crm jsonb, results jsonb, tries int, after_ms int)
      where o.id = u.id and o.account_id = ${accountId}::uuid and o.code is distinct from 'erased' and (o.email is not null or not u.had_email)
      returning case when o.state = 'superseded' then null else o.id::text end as id`
    const kept = new Set(settled.map(({ id }) => id))
    await liftCrm(
      sql,
      accountId,
      outcomes.filter(({ row }) => kept.has(row.id)),
    )
  })

type Why = { code: string; crm?: Record<string, unknown> }
const crmOf = ({ crm }: Why): string | null => (crm === undefined ? null : JSON.stringify(crm))

/** Everything open waits for the connection; answers how many did not yet. */
export const hold = async (db: Database, { connectionId }: Pusher, why: Why): Promise<number> => {
  const held = await db.$client`
    update opt_outs set state = 'held', code = ${why.code}, crm = ${crmOf(why)}::text::jsonb
    where connection_id = ${connectionId}::uuid and state in ('waiting', 'held') and (state, code) is distinct from ('held', ${why.code}::text)`
  return held.count
}

/** The CRM as a whole does not work: everything that is due says so and waits. */
export const putOff = async (db: Database, { connectionId }: Pusher, why: Why, afterMs: number): Promise<void> => {
  await db.$client`
    update opt_outs set state = 'waiting', code = ${why.code}, crm = ${crmOf(why)}::text::jsonb, due_at = now() + make_interval(secs => ${afterMs / 1000})
    where connection_id = ${connectionId}::uuid and state in ('waiting', 'held') and due_at <= now()`
}

/** Opt-outs that the CRM has not confirmed, by state, and the age of the oldest in seconds, over all accounts. */
export const openByState = async (db: Database): Promise<{ state: string; count: number; seconds: number }[]> => [
  ...(await db.$client<{ state: string; count: number; seconds: number }[]>`
    select state, count(*)::int as count, extract(epoch from now() - min(created_at))::float8 as seconds from opt_outs
    where state in ('waiting', 'held', 'rejected') group by state`),
]
