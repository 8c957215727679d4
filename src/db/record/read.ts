import { and, eq, inArray, isNotNull, isNull, sql, type SQL } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Clock, Filter } from '../../domain/filter.ts'
import type { Database } from '../database.ts'
import { emailKeyOf, hashKeyOf } from '../emailKey.ts'
import type { Transaction } from '../outbox.ts'
import { records } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { filterSql, isIndexed } from '../filter.ts'
import { crmState, live, ofList, selection, toRow, type ListOf, type RecordRow } from './row.ts'
import { sortSql, type RecordKey, type Sort } from './sort.ts'
import { walk, within, type ReadPart } from './walk.ts'

const { id } = records

/** What can be restored (R17): not those that were merged into another record. */
const gone = (accountId: string, listId: string) =>
  and(ofList(accountId, listId), isNotNull(records.removedAt), isNull(records.mergedInto))

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

/** The ids before and after all others. */
const [first, last] = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff']

/** Live records by id, in one statement and by their index (migrations/0001_list_page.sql). */
const pageById = async (
  db: Database,
  accountId: string,
  list: ListOf,
  { sort, limit, after }: Query,
): Promise<Page['rows']> => {
  const isBack = sort.order === 'desc'
  const beyond = after?.id ?? (isBack ? last : first)
  const ids = sql`array(select ${sql.raw(isBack ? 'list_page_back' : 'list_page')}(${list.id}, ${beyond}, ${limit}))`
  const found = await db
    .select({ ...selection, crmState: crmState(list) })
    .from(records)
    .where(and(eq(records.accountId, accountId), sql`${id} = any(${ids})`))
    .orderBy(...sortSql(sort, undefined).orderBy)
  return found.map((row) => ({ row: toRow(row), key: { id: row.id, value: null } }))
}

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
  if (!isAdHoc(query)) return { rows: await pageById(db, accountId, list, query), ranOut: null }
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
    .where(and(eq(records.accountId, accountId), eq(id, recordId)))
  return found?.listId ?? null
}
