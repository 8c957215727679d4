import type { CrmEntity, CrmValue } from '../../domain/crm.ts'
import type { AgreedValues } from '../../domain/sync.ts'
import { encodeValue, readValues } from '../../domain/values.ts'
import type { Sql } from '../database.ts'

/** A record as a sync works on it. */
export type SyncRow = {
  id: string
  entity: CrmEntity | null
  crmId: string | null
  version: number
  removed: boolean
  /** what is known of the CRM person beyond being there */
  state: 'deletedInCrm' | 'converted' | 'merged' | null
  fields: Record<string, CrmValue>
  agreed: AgreedValues
}

type Raw = Omit<SyncRow, 'fields' | 'agreed'> & { fields: string; agreed: string }

export const toSyncRow = ({ fields, agreed, ...row }: Raw): SyncRow => ({
  ...row,
  fields: readValues(fields),
  agreed: agreed === '{}' ? {} : (readValues(agreed) as unknown as AgreedValues),
})

/** What a row of `records r` gives a sync; `p` is its crm_people row, left-joined. */
export const rowColumns = (sql: Sql) => sql`
  r.id::text, r.crm_entity as entity, r.crm_id as "crmId", r.version, r.removed_at is not null as removed, p.state,
  r.fields::text as fields, r.agreed::text as agreed`

export const withPeople = (sql: Sql, connectionId: string) => sql`
  records r left join crm_people p on p.connection_id = ${connectionId}::uuid and p.entity = r.crm_entity and p.crm_id = r.crm_id`

export const peopleLock = (connectionId: string): string => `crm_people:${connectionId}`

/**
 * Lets one transaction of a connection at a time change what is known of people beyond being there: it belongs to all lists, and two that changed it
 * in different orders would wait for each other. To be taken before rows of other lists are written.
 */
export const lockPeople = async (sql: Sql, connectionId: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${peopleLock(connectionId)}::text, 0))`
}

/** They are there: what is known of them being gone goes, but for what is younger than `at`. Answers of whom it did. */
export const unmark = async (
  sql: Sql,
  { connectionId, entity }: { connectionId: string; entity: CrmEntity },
  ids: readonly string[],
  at: string | null = null,
): Promise<string[]> => {
  await lockPeople(sql, connectionId)
  const back = await sql<{ id: string }[]>`
    delete from crm_people where connection_id = ${connectionId}::uuid and entity = ${entity}
      and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n')) and (${at}::timestamptz is null or since <= ${at}::timestamptz)
    returning crm_id as id`
  return back.map(({ id }) => id)
}

/** `previewId`: the preview as whose records are seen, instead of as they are. */
type Of = { listId: string; connectionId: string; previewId?: string | null }

/** Records as a preview would have left them by now, and those that it would have added, in the order of ids; nothing is locked. */
const foreseenRows = async (
  sql: Sql,
  { listId, connectionId, previewId = null }: Of,
  candidates: ReturnType<typeof rowColumns>,
): Promise<SyncRow[]> => {
  const rows = await sql<Raw[]>`
    select c.id::text, coalesce(v.crm_entity, r.crm_entity) as entity, coalesce(v.crm_id, r.crm_id) as "crmId",
      coalesce(r.version, 0) + coalesce(v.version, 0) as version, coalesce(v.removed, r.removed_at is not null) as removed,
      case when v.record_id is null then p.state else v.state end as state,
      (coalesce(r.fields, '{}') || coalesce(v.fields, '{}'))::text as fields, coalesce(v.agreed, r.agreed)::text as agreed
    from (${candidates}) c (id)
      -- one by one: of a list that has grown Postgres expects a handful of rows, and would read them all
      left join lateral (select * from records where id = c.id and list_id = ${listId}::uuid offset 0) r on true
      left join previewed_records v on v.run_id = ${previewId}::uuid and v.record_id = c.id
      left join crm_people p on p.connection_id = ${connectionId}::uuid and p.entity = r.crm_entity and p.crm_id = r.crm_id
    where r.id is not null or v.record_id is not null
    order by c.id`
  return rows.map(toSyncRow)
}

/** The same, of these records. */
export const foreseenOf = async (sql: Sql, of: Of, ids: readonly string[]): Promise<SyncRow[]> =>
  ids.length === 0
    ? []
    : foreseenRows(sql, of, sql`select unnest(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`)

const foreseenLinked = async (sql: Sql, of: Of, entity: CrmEntity, ids: readonly string[]): Promise<SyncRow[]> => {
  const people = sql`any(string_to_array(${ids.join('\n')}::text, E'\n'))`
  const rows = await foreseenRows(
    sql,
    of,
    sql`select id from records where list_id = ${of.listId}::uuid and crm_entity = ${entity} and crm_id = ${people}
      union select record_id from previewed_records where run_id = ${of.previewId ?? null}::uuid and crm_entity = ${entity} and crm_id = ${people}`,
  )
  const asked = new Set(ids)
  return rows.filter((row) => row.entity === entity && row.crmId !== null && asked.has(row.crmId))
}

/** The records of a list that are linked to these people, by CRM id. */
export const linkedRows = async (
  sql: Sql,
  of: Of,
  entity: CrmEntity,
  ids: readonly string[],
): Promise<Map<string, SyncRow>> => {
  const { listId, connectionId, previewId } = of
  if (previewId != null)
    return new Map((await foreseenLinked(sql, of, entity, ids)).map((row) => [row.crmId!, row] as const))
  const rows = await sql<Raw[]>`
    select ${rowColumns(sql)} from ${withPeople(sql, connectionId)}
    where r.list_id = ${listId}::uuid and r.crm_entity = ${entity} and r.crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))`
  return new Map(rows.map((row) => [row.crmId!, toSyncRow(row)]))
}

/** Records by their own ids, as they are; nothing is locked. */
export const syncRows = async (sql: Sql, of: Of, ids: readonly string[]): Promise<Map<string, SyncRow>> => {
  const rows = await sql<Raw[]>`
    select ${rowColumns(sql)} from ${withPeople(sql, of.connectionId)}
    where r.list_id = ${of.listId}::uuid and r.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`
  return new Map(rows.map((row) => [row.id, toSyncRow(row)]))
}

/** Records by their own ids, locked for the transaction. */
export const lockedRows = async (sql: Sql, of: Of, ids: readonly string[]): Promise<Map<string, SyncRow>> => {
  if (ids.length === 0) return new Map()
  const { listId, connectionId, previewId } = of
  if (previewId != null) return new Map((await foreseenOf(sql, of, ids)).map((row) => [row.id, row] as const))
  const rows = await sql<Raw[]>`
    select ${rowColumns(sql)} from ${withPeople(sql, connectionId)}
    where r.list_id = ${listId}::uuid and r.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])
    order by r.id for update of r`
  return new Map(rows.map((row) => [row.id, toSyncRow(row)]))
}

/** Column key → value as JSON text; decimals digit by digit. */
export const encodeFields = (values: Readonly<Record<string, CrmValue>>): string =>
  `{${Object.entries(values)
    .map(([key, value]) => `"${key}":${encodeValue(value)}`)
    .join()}}`

export const encodeAgreed = (agreed: AgreedValues): string => {
  const parts = Object.entries(agreed).map(([key, { v, n, w, h, at }]) => {
    const inner = [
      ...(v === undefined ? [] : [`"v":${encodeValue(v)}`]),
      ...(n === true ? ['"n":true'] : []),
      ...(w === true ? ['"w":true'] : []),
      ...(h === true ? ['"h":true'] : []),
      `"at":${JSON.stringify(at)}`,
    ]
    return `${JSON.stringify(key)}:{${inner.join()}}`
  })
  return `{${parts.join()}}`
}

export type RowChange = {
  id: string
  version: number
  patch: Record<string, CrmValue>
  agreed: AgreedValues
  /** hexadecimal, '' without an address; undefined leaves it */
  emailKey?: string
}

/**
 * Writes what was decided about records that nobody changed since they were read; answers the ids of those. The others come back to be
 * decided again.
 */
export const writeRows = async (sql: Sql, listId: string, changes: readonly RowChange[]): Promise<Set<string>> => {
  if (changes.length === 0) return new Set()
  const lines = (pick: (change: RowChange) => string | number): string => changes.map(pick).join('\n')
  const written = await sql<{ id: string }[]>`
    with u as (
      select * from unnest(string_to_array(${lines(({ id }) => id)}::text, E'\n')::uuid[],
        string_to_array(${lines(({ version }) => version)}::text, E'\n')::int[],
        string_to_array(${lines(({ patch }) => encodeFields(patch))}::text, E'\n'),
        string_to_array(${lines(({ agreed }) => encodeAgreed(agreed))}::text, E'\n'),
        string_to_array(${lines(({ emailKey }) => emailKey ?? '-')}::text, E'\n')) as x (id, version, patch, agreed, email)),
    -- in the order of ids, as everybody locks records who locks several
    locked as materialized (select r.id from records r join u on u.id = r.id order by r.id for update of r)
    update records t set fields = t.fields || u.patch::jsonb, agreed = u.agreed::jsonb, version = t.version + 1, updated_at = now(),
      email_key = case when u.email = '-' then t.email_key else decode(nullif(u.email, ''), 'hex') end
    from u join locked on locked.id = u.id where t.id = u.id and t.version = u.version and t.list_id = ${listId}::uuid
    returning t.id::text`
  return new Set(written.map(({ id }) => id))
}
