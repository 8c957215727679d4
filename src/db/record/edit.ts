import type { KeyObject } from 'node:crypto'
import type { CrmValue } from '../../domain/crm.ts'
import type { Ours } from '../../domain/decide.ts'
import { FairleadError } from '../../domain/errors.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { Editing } from '../../domain/record.ts'
import { isMapped } from '../../domain/standardField.ts'
import type { AgreedValues } from '../../domain/sync.ts'
import { readValues } from '../../domain/values.ts'
import type { Column } from '../column.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf, hashKeyOf } from '../emailKey.ts'
import { erasedAmong, holdErasures } from '../erasure/known.ts'
import { repeating } from '../failure.ts'
import type { SecretBox } from '../secret.ts'
import { encodeAgreed, encodeFields } from '../sync/rows.ts'

/** What everybody needs who writes records of a list. */
export type Scope = Pick<Editing, 'bound'> & {
  accountId: string
  listId: string
  hashKey: KeyObject
  /** the run that makes records */
  runId?: string
  /** whose key changes records; nobody's for an operator */
  apiKeyId?: string | null
}

export const scopeOf = async (
  db: Database,
  secrets: SecretBox,
  { accountId, listId }: { accountId: string; listId: string },
  columns: readonly Column[],
): Promise<Scope> => ({
  accountId,
  listId,
  hashKey: await hashKeyOf(db, secrets, accountId),
  bound: new Set(columns.filter(isMapped).map(({ key }) => key)),
})

/** A sync locks records in the order of its pages: whoever loses against it begins anew. No erasure of the account is under way meanwhile (R40). */
export const inTransaction = <T>(db: Database, accountId: string, work: (sql: Sql) => Promise<T>): Promise<T> =>
  repeating(
    () =>
      db.$client.begin(async (tx) => {
        const sql = tx as unknown as Sql
        await sql`set local lock_timeout = '10s'`
        await holdErasures(sql, accountId)
        return work(sql)
      }) as Promise<T>,
  )

/**
 * Lets one transaction at a time make, remove or restore records of a list, or change their external ids: always before a record is locked.
 * Errors: notFound, also for a removed list.
 */
export const lockList = async (sql: Sql, { accountId, listId }: Scope): Promise<void> => {
  const [list] = await sql`
    select from lists where id = ${listId}::uuid and account_id = ${accountId}::uuid and removed_at is null for no key update`
  if (list === undefined) throw new FairleadError('notFound')
}

/** R40. Errors: erased. */
export const refuseErased = async (
  sql: Sql,
  { accountId, hashKey }: Scope,
  values: Readonly<Record<string, CrmValue>>,
): Promise<void> => {
  const found = await erasedAmong(sql, accountId, [emailHexOf(hashKey, values[emailKeyColumn])])
  if (found.size > 0) throw new FairleadError('erased')
}

/** Never by counting a million rows. The list is locked. */
export const addToCount = async (sql: Sql, { listId }: Scope, change: number): Promise<void> => {
  if (change !== 0) await sql`update lists set record_count = record_count + ${change} where id = ${listId}::uuid`
}

export type LockedRow = Ours & {
  id: string
  crmEntity: 'lead' | 'contact' | null
  crmId: string | null
  externalId: string | null
  /** hexadecimal, '' without an address */
  email: string
  version: number
  removed: boolean
  mergedInto: string | null
}

type Raw = Omit<LockedRow, 'fields' | 'agreed'> & { fields: string; agreed: string }

/** Records of a list by id, removed ones too, locked until the transaction ends. Always in the order of ids, so that no two wait for each other. */
export const lock = async (
  sql: Sql,
  { accountId, listId }: Scope,
  ids: readonly string[],
): Promise<Map<string, LockedRow>> => {
  if (ids.length === 0) return new Map()
  const rows = await sql<Raw[]>`
    select id::text, crm_entity as "crmEntity", crm_id as "crmId", external_id as "externalId", coalesce(encode(email_key, 'hex'), '') as email,
      version, removed_at is not null as removed, merged_into::text as "mergedInto", fields::text as fields, agreed::text as agreed
    from records
    where list_id = ${listId}::uuid and account_id = ${accountId}::uuid and id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])
    order by id for update`
  return new Map(
    rows.map((row) => [
      row.id,
      {
        ...row,
        fields: readValues(row.fields),
        agreed: readValues(row.agreed) as unknown as AgreedValues,
      },
    ]),
  )
}

export type RowEdit = Pick<Ours, 'agreed'> & {
  id: string
  patch: Record<string, CrmValue>
  /** undefined leaves it */
  externalId?: string | null
}

/** One JSON text for all rows: decimals go in digit by digit (R8). */
const toJson = (rows: readonly Record<string, string | number | null>[]): string =>
  `[${rows.map((row) => `{${Object.entries(row).map(([name, json]) => `"${name}":${json}`)}}`).join()}]`

const text = (value: string | null): string => JSON.stringify(value)

/** Writes edits of locked records; the keyed hash follows the address (R2). */
export const writeEdits = async (sql: Sql, { listId, hashKey }: Scope, edits: readonly RowEdit[]): Promise<void> => {
  if (edits.length === 0) return
  const renamed = edits.filter(({ externalId }) => externalId !== undefined)
  if (renamed.length > 0) {
    // One record may take what another one gives up, or what one that was merged into it had; the index looks at each row by itself.
    const taken = JSON.stringify(renamed.map(({ externalId }) => externalId))
    await sql`
      update records set external_id = null
      where list_id = ${listId}::uuid and external_id is not null
        and (id = any(string_to_array(${renamed.map(({ id }) => id).join('\n')}::text, E'\n')::uuid[])
          or (merged_into is not null and external_id = any(array(select jsonb_array_elements_text(${taken}::text::jsonb)))))`
  }
  const rows = edits.map(({ id, patch, agreed, externalId }) => ({
    id: text(id),
    patch: encodeFields(patch),
    agreed: encodeAgreed(agreed),
    email: text(emailKeyColumn in patch ? emailHexOf(hashKey, patch[emailKeyColumn]) : null),
    renamed: String(externalId !== undefined),
    external_id: text(externalId ?? null),
  }))
  await sql`
    update records t set fields = t.fields || u.patch, agreed = u.agreed, version = t.version + 1, updated_at = now(),
      email_key = case when u.email is null then t.email_key else decode(nullif(u.email, ''), 'hex') end,
      external_id = case when u.renamed then u.external_id else t.external_id end
    from jsonb_to_recordset(${toJson(rows)}::text::jsonb)
      as u (id uuid, patch jsonb, agreed jsonb, email text, renamed boolean, external_id text)
    where t.id = u.id and t.list_id = ${listId}::uuid`
}

export type NewRow = { values: Record<string, CrmValue>; externalId: string | null }

/** New records, linked to nobody yet; answers their ids in the order of the rows. The list is locked. */
export const insertRows = async (sql: Sql, scope: Scope, rows: readonly NewRow[]): Promise<string[]> => {
  if (rows.length === 0) return []
  const lines = (pick: (row: NewRow) => string): string => rows.map(pick).join('\n')
  const made = await sql<{ id: string }[]>`
    with r as materialized (
      select uuidv7() as id, g.* from (
        select * from unnest(string_to_array(${lines(({ values }) => encodeFields(values))}::text, E'\n'),
          string_to_array(${lines(({ values }) => emailHexOf(scope.hashKey, values[emailKeyColumn]))}::text, E'\n'),
          string_to_array(${lines(({ externalId }) => text(externalId))}::text, E'\n'))
          with ordinality as x (fields, email, external_id, n) order by n) g),
      made as (
        insert into records (id, account_id, list_id, email_key, fields, external_id, created_run_id)
        select r.id, ${scope.accountId}::uuid, ${scope.listId}::uuid, decode(nullif(r.email, ''), 'hex'), r.fields::jsonb,
          r.external_id::jsonb #>> '{}', ${scope.runId ?? null}::uuid from r order by r.n)
    select id::text from r order by n`
  await addToCount(sql, scope, made.length)
  return made.map(({ id }) => id)
}

export type Owner = { externalId: string; id: string; removed: boolean }

/** Which records have these external ids; for one that was merged into another, the one that took its place. */
export const ownersOf = async (sql: Sql, { listId }: Scope, externalIds: readonly string[]): Promise<Owner[]> => {
  if (externalIds.length === 0) return []
  return sql<Owner[]>`
    with recursive owner as (
      select external_id, id, removed_at, merged_into, 0 as step from records
      where list_id = ${listId}::uuid and external_id is not null
        and external_id = any(array(select jsonb_array_elements_text(${JSON.stringify(externalIds)}::text::jsonb)))
      union all
      select o.external_id, r.id, r.removed_at, r.merged_into, o.step + 1 from owner o join records r on r.id = o.merged_into where o.step < 100)
    select external_id as "externalId", id::text, removed_at is not null as removed from owner where merged_into is null`
}
