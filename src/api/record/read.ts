import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import * as records from '../../db/record/read.ts'
import type { Sort } from '../../db/record/sort.ts'
import { FairleadError } from '../../domain/errors.ts'
import { findColumn, readFilter } from '../../domain/filter.ts'
import { labelsOf } from '../../domain/record.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Filter } from '../filter.ts'
import { Cursor, Id, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { createGate } from './gate.ts'
import { ListRecord, recordJson } from './json.ts'

const SortBy = text(200).min(1).meta({ description: 'a column, named as in a filter; without it, by time of making' })
const Order = z.enum(['asc', 'desc']).default('asc').meta({ description: 'blanks come last either way' })
const RecordQuery = PageQuery.extend({
  sort: SortBy.optional(),
  order: Order,
  removed: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'those that were removed and can be restored' }),
})

const RecordSearch = z
  .strictObject({
    filter: Filter.optional(),
    sort: SortBy.optional(),
    order: Order,
    limit: z.number().int().min(1).max(200).default(50),
    cursor: Cursor.optional(),
  })
  .meta({
    id: 'RecordSearch',
    examples: [
      {
        filter: { column: 'lastName', operator: 'beginsWith', value: 'Mi' },
        sort: 'lastName',
        order: 'asc',
        limit: 50,
      },
    ],
  })
type RecordSearch = z.infer<typeof RecordSearch>

const RecordKey = z.object({ id: Id, value: z.string().nullable() })
const ListParams = z.strictObject({ listId: Id })
const tags = ['Records']

export const recordRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  const gate = createGate(4, 40)

  const columnsOf = async (accountId: string, listId: string) => {
    const list = await lists.get(db, accountId, listId)
    return { list, known: await columns.all(db, accountId, listId) }
  }

  const sortOf = (said: string | undefined, order: Sort['order'], known: columns.Column[]): Sort => {
    if (said === undefined) return { order }
    const column = findColumn(known, said)
    if (column !== undefined) return { column, order }
    const error = { path: 'sort', message: 'The list has no such column.' }
    throw new FairleadError('invalidInput', { detail: `sort: ${error.message}`, errors: [error] })
  }

  const search = async (accountId: string, listId: string, asked: RecordSearch, removed = false) => {
    const { list, known } = await columnsOf(accountId, listId)
    const filter = asked.filter === undefined ? undefined : readFilter(asked.filter, known)
    const sort = sortOf(asked.sort, asked.order, known)
    const scope = [accountId, 'records', listId, filter, sort.column?.key, sort.order, removed]
    const after = readCursor(secrets, scope, asked.cursor, RecordKey)
    const query = { filter, sort, limit: asked.limit + 1, after, removed }
    const find = () => records.page(db, secrets, accountId, list, query)
    const rows = await (records.isAdHoc(query) ? gate(find) : find())
    const labels = labelsOf(known)
    return cutPage(
      rows,
      asked.limit,
      ({ row }) => recordJson(row, labels),
      ({ key }) => writeCursor(secrets, scope, key),
    )
  }

  app.get(
    '/lists/:listId/records',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout'] },
      schema: {
        tags,
        summary: 'The records of a list',
        description: 'Filters go to POST …/records/search: people stay out of URLs.',
        params: ListParams,
        querystring: RecordQuery,
        response: { 200: pageOf(ListRecord) },
      },
    },
    ({ caller, params, query: { removed, ...query } }) =>
      search(caller.accountId, params.listId, query, removed === 'true'),
  )

  app.post(
    '/lists/:listId/records/search',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout'] },
      schema: {
        tags,
        summary: 'Find records of a list',
        description: 'A search that takes longer than 10 seconds ends with `queryTimeout`.',
        params: ListParams,
        body: RecordSearch,
        response: { 200: pageOf(ListRecord) },
      },
    },
    ({ caller, params, body }) => search(caller.accountId, params.listId, body),
  )

  app.get(
    '/lists/:listId/records/:recordId',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'A record',
        params: ListParams.extend({ recordId: Id }),
        response: { 200: ListRecord },
      },
    },
    async ({ caller: { accountId }, params: { listId, recordId } }) => {
      const { list, known } = await columnsOf(accountId, listId)
      return recordJson(await records.get(db, accountId, list, recordId), labelsOf(known))
    },
  )
}
