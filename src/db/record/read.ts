import { and, eq, inArray, isNotNull, isNull, sql, type SQL } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Filter } from '../../domain/filter.ts'
import { parseValues } from '../../domain/values.ts'
import type { Database } from '../database.ts'
import { emailKeyOf, hashKeyOf } from '../emailKey.ts'
import { failureCode } from '../failure.ts'
import type { Transaction } from '../outbox.ts'
import { records } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { filterSql } from './filter.ts'
import { sortSql, type RecordKey, type Sort } from './sort.ts'

const queryCanceled = '57014'

export type RecordRow = {
  id: string
  crmEntity: CrmEntity | null
  crmId: string | null
  crmState: 'linked' | 'deletedInCrm' | 'converted' | 'merged'
  /** column key → value; numbers that a double cannot hold are text */
  values: Record<string, string | number | boolean | null>
  /** a version 7 id begins with the time of its making */
  createdAt: Date
  updatedAt: Date | null
  removedAt: Date | null
  externalId: string | null
  version: number
  /** keys of values that were edited here, and that the CRM has not agreed to yet */
  pending: string[]
}

/** The list as the caller has read it, so that a million rows need not be joined with it. */
export type ListOf = { id: string; connectionId: string | null }

/** Looked up per row of the answer, so after the limit. Spelled out: in a select from one table drizzle drops table names. */
export const crmState = ({ connectionId }: ListOf): SQL<RecordRow['crmState']> =>
  sql`coalesce((select p.state from crm_people p where p.connection_id = ${connectionId}::uuid
    and p.entity = records.crm_entity and p.crm_id = records.crm_id), 'linked')`

const { id, crmEntity, crmId, updatedAt, removedAt, externalId, version } = records
const createdAt = sql<Date>`uuid_extract_timestamp(${id})`.mapWith(updatedAt)
export const selection = {
  id,
  crmEntity,
  crmId,
  createdAt,
  updatedAt,
  removedAt,
  externalId,
  version,
  fields: sql<string>`${records.fields}::text`,
  agreed: sql<string>`${records.agreed}::text`,
}

export const toRow = <Row extends { fields: string; agreed: string }>({ fields, agreed, ...row }: Row) => ({
  ...row,
  values: parseValues(fields),
  pending: Object.keys(JSON.parse(agreed) as object),
})

const of = (accountId: string, listId: string) => and(eq(records.accountId, accountId), eq(records.listId, listId))
export const live = (accountId: string, listId: string) => and(of(accountId, listId), isNull(removedAt))
/** What can be restored (R17): not those that were merged into another record. */
const gone = (accountId: string, listId: string) =>
  and(of(accountId, listId), isNotNull(removedAt), isNull(records.mergedInto))

export const get = async (db: Database, accountId: string, list: ListOf, recordId: string): Promise<RecordRow> => {
  const [found] = await db
    .select({ ...selection, crmState: crmState(list) })
    .from(records)
    .where(and(live(accountId, list.id), eq(id, recordId)))
  if (found === undefined) throw new FairleadError('notFound')
  return toRow(found)
}

/** Live records by their ids. */
export const some = async (
  db: Database,
  accountId: string,
  list: ListOf,
  ids: readonly string[],
): Promise<Map<string, RecordRow>> => {
  if (ids.length === 0) return new Map()
  const rows = await db
    .select({ ...selection, crmState: crmState(list) })
    .from(records)
    .where(and(live(accountId, list.id), inArray(id, [...ids])))
  return new Map(rows.map((row) => [row.id, toRow(row)]))
}

export type Query = { filter?: Filter; sort: Sort; limit: number; after?: RecordKey; removed?: boolean }

/** Without an index behind it. */
export const isAdHoc = ({ filter, sort, removed }: Pick<Query, 'filter' | 'sort' | 'removed'>): boolean =>
  filter !== undefined || sort.column !== undefined || removed === true

/**
 * Records of a list, by id or by a column. Filters and sorts of people's own making have no index behind them: they end with
 * queryTimeout after `timeoutMs`.
 */
export const page = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  list: ListOf,
  query: Query,
  timeoutMs = 10_000,
): Promise<{ row: RecordRow; key: RecordKey }[]> => {
  const { filter, sort, limit, after, removed = false } = query
  const hashKey = filter === undefined ? undefined : await hashKeyOf(db, secrets, accountId)
  const matches = hashKey && filter && filterSql(filter, (email) => emailKeyOf(hashKey, email))
  const sorting = sortSql(sort, after)
  const run = (tx: Database | Transaction) => {
    // Keys first: Postgres would turn every row's values into text before it sorts.
    const keys = tx.$with('keys').as(
      tx
        .select({ key: sql<string>`${id}`.as('key'), value: sorting.value.as('value') })
        .from(records)
        .where(and(removed ? gone(accountId, list.id) : live(accountId, list.id), matches, sorting.after))
        .orderBy(...sorting.orderBy)
        .limit(limit),
    )
    return tx
      .with(keys)
      .select({ ...selection, crmState: crmState(list), value: keys.value })
      .from(keys)
      .innerJoin(records, eq(id, keys.key))
      .orderBy(...sorting.orderBy)
  }
  const rows = isAdHoc(query) ? await db.transaction((tx) => within(tx, timeoutMs, run)) : await run(db)
  return rows.map(({ value, ...row }) => ({ row: toRow(row), key: { id: row.id, value } }))
}

/** Ends with queryTimeout after `timeoutMs`. */
export const within = async <T>(
  tx: Transaction,
  timeoutMs: number,
  run: (tx: Transaction) => Promise<T>,
): Promise<T> => {
  await tx.execute(sql.raw(`set local statement_timeout = ${Math.round(timeoutMs)}`))
  try {
    return await run(tx)
  } catch (error) {
    if (failureCode(error) === queryCanceled) throw new FairleadError('queryTimeout')
    throw error
  }
}
