import { and, eq, inArray, isNotNull, isNull, sql, type SQL } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Clock, Filter } from '../../domain/filter.ts'
import { isEdited, type AgreedValues } from '../../domain/sync.ts'
import { parseValues } from '../../domain/values.ts'
import type { Database } from '../database.ts'
import { emailKeyOf, hashKeyOf } from '../emailKey.ts'
import type { Transaction } from '../outbox.ts'
import { records } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { filterSql, isIndexed, suppressedSql } from '../filter.ts'
import { sortSql, type RecordKey, type Sort } from './sort.ts'
import { walk, within, type ReadPart } from './walk.ts'

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
  /** an active suppression of the account for the address (R34) */
  suppressed: boolean
  version: number
  /** keys of values that were edited here, and that the CRM has not agreed to yet */
  pending: string[]
  /** keys of values that an undo has set back on one side, and that are neither pushed nor pulled until either side changes */
  held: string[]
}

/** The list as the caller has read it, so that a million rows need not be joined with it. */
export type ListOf = { id: string; connectionId: string | null }

/** Looked up per row of the answer, so after the limit, as suppressions are. Spelled out: in a select from one table drizzle drops table names. */
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
  suppressed: suppressedSql,
}

const openOf = (agreed: string): Pick<RecordRow, 'pending' | 'held'> => {
  if (agreed === '{}') return { pending: [], held: [] }
  const open = Object.entries(JSON.parse(agreed) as AgreedValues)
  const keys = (wanted: boolean): string[] => open.filter(([, each]) => isEdited(each) === wanted).map(([key]) => key)
  return { pending: keys(true), held: keys(false) }
}

export const toRow = <Row extends { fields: string; agreed: string }>({ fields, agreed, ...row }: Row) => ({
  ...row,
  values: parseValues(fields),
  ...openOf(agreed),
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

/** `clock` is what a filter's "today" and "now" are. */
export type Query = {
  filter?: Filter
  clock: Clock
  sort: Sort
  limit: number
  after?: RecordKey
  removed?: boolean
}
/** `ranOut`: the time was up before the page was full; the rows after this key were not looked at. */
export type Page = { rows: { row: RecordRow; key: RecordKey }[]; ranOut: RecordKey | null }

/** Without an index behind it. */
export const isAdHoc = ({ filter, sort, removed }: Pick<Query, 'filter' | 'sort' | 'removed'>): boolean =>
  filter !== undefined || sort.column !== undefined || removed === true

/** Records of a list that match, as a condition. */
export const matching = async (
  db: Database | Transaction,
  secrets: SecretBox,
  accountId: string,
  list: ListOf,
  { filter, clock }: Pick<Query, 'filter' | 'clock'>,
): Promise<SQL | undefined> => {
  if (filter === undefined) return live(accountId, list.id)
  const hashKey = await hashKeyOf(db, secrets, accountId)
  const hashEmail = (email: string) => emailKeyOf(hashKey, email)
  const { connectionId } = list
  return and(live(accountId, list.id), filterSql(filter, { accountId, connectionId, hashEmail, clock }))
}

/**
 * By the index that has the order already. Of a list that has grown since the last analysis Postgres expects one row, and would fetch and sort
 * them all.
 */
const inOrder = <T>(db: Database, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  db.transaction(async (tx) => {
    await tx.execute(sql`select set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)`)
    return work(tx)
  })

/** How long a page is looked for before it is answered as far as it came, and how long any statement may take. */
export type Patience = { budgetMs?: number; timeoutMs?: number }

/**
 * Records of a list, by id or by a column. A filter without an index behind it looks at the list piece by piece, and what it has found is the
 * page when its time is up; where a sort must see every record, and where not even one piece can be read, it ends with queryTimeout.
 */
export const page = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  list: ListOf,
  query: Query,
  { budgetMs = 1000, timeoutMs = 10_000 }: Patience = {},
): Promise<Page> => {
  const { filter, sort, limit, after, removed = false } = query
  const matches = removed ? gone(accountId, list.id) : await matching(db, secrets, accountId, list, query)
  const sorting = sortSql(sort, after)
  const read: ReadPart<Page['rows'][number]> = async (tx, bounds, most, orderBy = sorting.orderBy) => {
    // Keys first: Postgres would turn every row's values into text before it sorts.
    const keys = tx.$with('keys').as(
      tx
        .select({ key: sql<string>`${id}`.as('key'), value: sorting.value.as('value') })
        .from(records)
        .where(and(matches, bounds))
        .orderBy(...orderBy)
        .limit(most),
    )
    const found = await tx
      .with(keys)
      .select({ ...selection, crmState: crmState(list), value: keys.value })
      .from(keys)
      .innerJoin(records, eq(id, keys.key))
      .orderBy(...sorting.orderBy)
    return found.map(({ value, ...row }) => ({ row: toRow(row), key: { id: row.id, value } }))
  }
  if (!isAdHoc(query)) return { rows: await inOrder(db, (tx) => read(tx, sorting.after, limit)), ranOut: null }
  if (filter === undefined || sort.column !== undefined || removed || isIndexed(filter)) {
    return { rows: await within(db, timeoutMs, (tx) => read(tx, sorting.after, limit)), ranOut: null }
  }
  return walk(db, { listId: list.id, order: sort.order, after, limit, budgetMs, timeoutMs }, read)
}

/** The list that a record is on, removed or not; null where there is none. */
export const listOf = async (db: Database, accountId: string, recordId: string): Promise<string | null> => {
  const [found] = await db
    .select({ listId: records.listId })
    .from(records)
    .where(and(eq(records.accountId, accountId), eq(records.id, recordId)))
  return found?.listId ?? null
}
