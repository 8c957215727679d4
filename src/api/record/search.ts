import { z } from 'zod'
import * as accounts from '../../db/account.ts'
import type * as columns from '../../db/column.ts'
import type * as lists from '../../db/list.ts'
import * as counts from '../../db/record/count.ts'
import * as records from '../../db/record/read.ts'
import type { Sort } from '../../db/record/sort.ts'
import { misplaced } from '../../domain/errors.ts'
import { columnIndex, type Clock, type Filter } from '../../domain/filter.ts'
import { labelsOf } from '../../domain/record.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { exampleOf, Id, Instant, pageOf, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import type { Gate } from './gate.ts'
import { ListRecord, recordJson } from './json.ts'

export const SortBy = text(200)
  .min(1)
  .meta({ description: 'a column, named as in a filter; without it, by time of making' })
export const Order = z.enum(['asc', 'desc']).default('asc').meta({ description: 'blanks come last either way' })

export const RecordPage = pageOf(ListRecord)
  .extend({
    complete: z.boolean().meta({
      description:
        'false where the time for a page was up before it was full: these are the records found so far, perhaps none; go on with `nextCursor`',
    }),
  })
  .meta({ examples: [{ items: [exampleOf(ListRecord)], nextCursor: null, complete: true }] })
type RecordPage = z.infer<typeof RecordPage>

export const Count = z
  .object({
    count: z.number().int(),
    exact: z.boolean().meta({ description: 'false where counting would take too long: estimated from a sample' }),
    low: z.number().int(),
    high: z.number().int().meta({
      description: '`low` and `high` hold the true number in 99 of 100 cases; both are `count` where it is exact',
    }),
  })
  .meta({ id: 'Count', examples: [{ count: 41200, exact: false, low: 40100, high: 42350 }] })
type Count = z.infer<typeof Count>

/** `now`: "today" and "now" of a filter stay what they were on the first page. */
const RecordKey = z.object({ id: Id, value: z.string().nullable(), now: Instant })

/** Which records, of what list, with the columns that it has. */
export type Source = { accountId: string; list: lists.List; known: columns.Column[]; filter?: Filter }
export type Asked = { sort?: string; order: Sort['order']; limit: number; cursor?: string; removed?: boolean }

const sortOf = (said: string | undefined, order: Sort['order'], known: columns.Column[]): Sort => {
  if (said === undefined) return { order }
  const column = columnIndex(known)(said)
  if (column !== undefined) return { column, order }
  throw misplaced('sort', 'The list has no such column.')
}

/** The time zone matters to filters alone. */
export const clockOf = async (
  { db }: Services,
  { accountId, filter }: Pick<Source, 'accountId' | 'filter'>,
  now: Date,
): Promise<Clock> => ({
  now,
  timeZone: filter === undefined ? 'UTC' : (await accounts.get(db, accountId)).timeZone,
})

/** A few searches and counts at a time, and how long a page is looked for before it is answered as far as it came. */
export type Searching = { gate: Gate; budgetMs: number }

/** A page of records. `scope` tells this collection from every other one. */
export const findPage = async (
  services: Services,
  { gate, budgetMs }: Searching,
  scope: readonly unknown[],
  source: Source,
  asked: Asked,
): Promise<RecordPage> => {
  const { db, secrets } = services
  const { accountId, list, known, filter } = source
  const { order, limit, removed = false } = asked
  const sort = sortOf(asked.sort, order, known)
  const bound = [accountId, ...scope, filter, sort.column?.key, order, removed]
  const key = readCursor(secrets, bound, asked.cursor, RecordKey)
  const now = key === undefined ? new Date() : new Date(key.now)
  const clock = await clockOf(services, source, now)
  const query = { filter, clock, sort, limit: limit + 1, after: key, removed }
  const find = () => records.page(db, secrets, accountId, list, query, { budgetMs })
  const { rows, ranOut } = await (records.isAdHoc(query) ? gate(accountId, find) : find())
  const labels = labelsOf(known)
  const toCursor = ({ id, value }: { id: string; value: string | null }) =>
    writeCursor(secrets, bound, { id, value, now: now.toISOString() })
  const page = cutPage(
    rows,
    limit,
    ({ row }) => recordJson(row, labels),
    ({ key }) => toCursor(key),
  )
  return { ...page, nextCursor: ranOut === null ? page.nextCursor : toCursor(ranOut), complete: ranOut === null }
}

export const countAll = async (services: Services, { gate }: Searching, source: Source): Promise<Count> => {
  const { accountId, list, filter } = source
  const clock = await clockOf(services, source, new Date())
  const found = await gate(accountId, () =>
    counts.count(services.db, services.secrets, accountId, list, { filter, clock }),
  )
  return { ...found, ...(found.exact ? { low: found.count, high: found.count } : {}) } as Count
}
