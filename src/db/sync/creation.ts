import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database, Sql } from '../database.ts'
import { holdErasures } from '../erasure/known.ts'

type Key = { connectionId: string; accountId: string; emailKey: string; recordId: string; runId: string }

/**
 * What a claim finds (R7): `mine` to create; `unsure` when an earlier request of this claim has had no answer, `waitMs` before the CRM may be
 * believed about it; `busy` while somebody else creates the person; `done` when somebody else just has; `gone` when the record was erased since it was
 * looked at (R40). `token`: void once the person is claimed again.
 */
export type Claim =
  | { state: 'mine'; token: string }
  | { state: 'unsure'; token: string; waitMs: number }
  | { state: 'busy' }
  | { state: 'gone' }
  | { state: 'done'; entity: CrmEntity; crmId: string }

/** A claim that nobody sent a request for is void after this long: its holder is gone. */
const idleMinutes = 10

type Row = {
  record_id: string
  crm_id: string | null
  crm_entity: CrmEntity | null
  sent_ms: number | null
  done_ms: number | null
  idle: boolean
}

const hex = (sql: Sql, emailKey: string) => sql`decode(${emailKey}, 'hex')`

/**
 * Claims the creation of a person, one at a time for each address of a connection. `resolvedMsAgo`: how long ago the CRM said that it has nobody with
 * the address; whoever was created since then counts as there. `waitMs`: how long a request may still be carried out after it went out.
 */
export const claimCreation = (
  db: Database,
  key: Key,
  { resolvedMsAgo, waitMs }: { resolvedMsAgo: number; waitMs: number },
): Promise<Claim> =>
  db.$client.begin(async (tx): Promise<Claim> => {
    const sql = tx as unknown as Sql
    await holdErasures(sql, key.accountId)
    const [there] = await sql`select from records where id = ${key.recordId}::uuid`
    if (there === undefined) return { state: 'gone' }
    const email = hex(sql, key.emailKey)
    const where = sql`connection_id = ${key.connectionId}::uuid and email_key = ${email}`
    const take = async (more = sql``): Promise<string> => {
      const [taken] = await sql<[{ token: string }]>`
        update creations set record_id = ${key.recordId}::uuid, run_id = ${key.runId}::uuid, claimed_at = clock_timestamp() ${more}
        where ${where} returning claimed_at::text as token`
      return taken.token
    }
    const [made] = await sql<{ token: string }[]>`
      insert into creations (connection_id, email_key, account_id, record_id, run_id)
      values (${key.connectionId}::uuid, ${email}, ${key.accountId}::uuid, ${key.recordId}::uuid, ${key.runId}::uuid) on conflict do nothing
      returning claimed_at::text as token`
    if (made !== undefined) return { state: 'mine', token: made.token }
    const [row] = await sql<Row[]>`
      select record_id::text, crm_id, crm_entity, (extract(epoch from now() - sent_at) * 1000)::float8 as sent_ms,
        (extract(epoch from now() - done_at) * 1000)::float8 as done_ms, claimed_at < now() - make_interval(mins => ${idleMinutes}) as idle
      from creations where ${where} for update`
    if (row === undefined) return { state: 'busy' }
    const isMine = row.record_id === key.recordId
    if (row.done_ms !== null) {
      // a minute for the CRM's own delay in showing what it has stored
      if (row.done_ms <= resolvedMsAgo + 60_000 && row.crm_id !== null)
        return { state: 'done', entity: row.crm_entity ?? 'lead', crmId: row.crm_id }
      return { state: 'mine', token: await take(sql`, sent_at = null, done_at = null, crm_id = null`) }
    }
    if (row.sent_ms === null) {
      if (!isMine && !row.idle) return { state: 'busy' }
      return { state: 'mine', token: await take() }
    }
    if (!isMine && row.sent_ms <= waitMs) return { state: 'busy' }
    return { state: 'unsure', token: await take(), waitMs: Math.max(0, Math.ceil(waitMs - row.sent_ms)) }
  }) as Promise<Claim>

const holds = (sql: Sql, { connectionId, emailKey }: Key, token: string) => sql`
  connection_id = ${connectionId}::uuid and email_key = ${hex(sql, emailKey)} and claimed_at = ${token}::timestamptz and done_at is null`

/** Written down when the request has its slot, right before it goes out. Throws leaseLost when the person has been claimed again meanwhile. */
export const noteSent = async (db: Database, key: Key, token: string, email: string): Promise<void> => {
  const sql = db.$client
  const noted = await sql`update creations set sent_at = now(), email = ${email} where ${holds(sql, key, token)}`
  if (noted.count === 0) throw new FairleadError('leaseLost')
}

/** The request was not carried out, or never went out: the claim is given up. */
export const dropClaim = async (db: Database, key: Key, token: string): Promise<void> => {
  const sql = db.$client
  await sql`delete from creations where ${holds(sql, key, token)}`
}

/**
 * An unanswered request of this record by another address than it has now, which was changed meanwhile: `email` is the one that was sent, `waitMs` how
 * long it may still be carried out.
 */
export const earlierAddress = async (
  db: Database,
  { connectionId, emailKey, recordId }: Key,
  waitMs: number,
): Promise<{ emailKey: string; email: string; waitMs: number } | undefined> => {
  const sql = db.$client
  const [row] = await sql<{ emailKey: string; email: string; sentMs: number }[]>`
    select encode(email_key, 'hex') as "emailKey", email, (extract(epoch from now() - sent_at) * 1000)::float8 as "sentMs" from creations
    where connection_id = ${connectionId}::uuid and record_id = ${recordId}::uuid and email_key <> ${hex(sql, emailKey)}
      and sent_at is not null and done_at is null and email is not null
    order by sent_at desc limit 1`
  return row && { emailKey: row.emailKey, email: row.email, waitMs: Math.max(0, Math.ceil(waitMs - row.sentMs)) }
}

/** Nobody was created by it after all. */
export const dropEarlier = async (db: Database, { connectionId, recordId }: Key, emailKey: string): Promise<void> => {
  const sql = db.$client
  await sql`
    delete from creations where connection_id = ${connectionId}::uuid and email_key = ${hex(sql, emailKey)} and record_id = ${recordId}::uuid
      and done_at is null`
}

/** Of these records, those whose person may have been created by a request that has had no answer. */
export const unanswered = async (db: Database, connectionId: string, recordIds: string[]): Promise<Set<string>> => {
  if (recordIds.length === 0) return new Set()
  const rows = await db.$client<{ id: string }[]>`
    select record_id::text as id from creations
    where connection_id = ${connectionId}::uuid and record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[])
      and sent_at is not null and done_at is null`
  return new Set(rows.map(({ id }) => id))
}

type Made = { emailKey: string; recordId: string; crmId: string }

/**
 * A claim passes to another list when its holder takes too long to store what was created; then both know the lead as theirs. Answers the records whose lead
 * another one has counted by now; the claims of the others are theirs again. In the transaction that counts, before `finishCreations`; claims are
 * locked in the order of addresses.
 */
export const countedByOthers = async (
  sql: Sql,
  connectionId: string,
  made: readonly Made[],
): Promise<ReadonlySet<string>> => {
  if (made.length === 0) return new Set()
  const given = made.map(({ emailKey, recordId, crmId }) => ({ key: emailKey, record_id: recordId, crm_id: crmId }))
  const rows = await sql<{ id: string }[]>`
    with given as (
      select decode(x.key, 'hex') as email_key, x.record_id, x.crm_id
      from jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) as x (key text, record_id uuid, crm_id text)),
    locked as materialized (
      select c.email_key, c.record_id, c.crm_id, c.done_at, g.record_id as maker, g.crm_id as made
      from creations c join given g on g.email_key = c.email_key where c.connection_id = ${connectionId}::uuid
      order by c.email_key for update of c),
    mine as (
      update creations c set record_id = l.maker from locked l
      where c.connection_id = ${connectionId}::uuid and c.email_key = l.email_key and l.done_at is null)
    select maker::text as id from locked where done_at is not null and record_id <> maker and crm_id = made`
  return new Set(rows.map(({ id }) => id))
}

/** In the transaction that stores the link; the row stays for a while, for those who looked before. */
export const finishCreations = async (
  sql: Sql,
  connectionId: string,
  done: { recordId: string; entity: CrmEntity; crmId: string }[],
): Promise<void> => {
  if (done.length === 0) return
  await sql`
    update creations c set done_at = now(), crm_entity = d.crm_entity, crm_id = d.crm_id, email = null
    from jsonb_to_recordset(${JSON.stringify(done.map(({ recordId, entity, crmId }) => ({ record_id: recordId, crm_entity: entity, crm_id: crmId })))}::text::jsonb)
      as d (record_id uuid, crm_entity text, crm_id text)
    where c.connection_id = ${connectionId}::uuid and c.record_id = d.record_id and c.done_at is null`
}

/** Claims that are settled, or that nobody will ask about again. */
export const expireCreations = async (db: Database): Promise<number> => {
  const gone = await db.$client`delete from creations where done_at < now() - interval '1 day'`
  return gone.count
}
