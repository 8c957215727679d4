import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../../db/column.ts'
import * as lists from '../../db/list.ts'
import * as records from '../../db/record/read.ts'
import { readFilter } from '../../domain/filter.ts'
import { labelsOf } from '../../domain/record.ts'
import { Filter } from '../filter.ts'
import { Cursor, Id, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { keepDigits } from './input.ts'
import { ListRecord, recordJson } from './json.ts'
import { Count, countAll, findPage, Order, RecordPage, SortBy } from './search.ts'

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

const RecordCount = z
  .strictObject({ filter: Filter.optional() })
  .meta({ id: 'RecordCount', examples: [{ filter: { column: 'lastName', operator: 'beginsWith', value: 'Mi' } }] })

const ListParams = z.strictObject({ listId: Id })
const tags = ['Records']

export const recordRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  keepDigits(app)

  const { db } = services
  const { searching } = app

  const columnsOf = async (accountId: string, listId: string) => {
    const [list, known] = await Promise.all([lists.get(db, accountId, listId), columns.all(db, accountId, listId)])
    return { accountId, list, known }
  }

  const sourceOf = async (accountId: string, listId: string, filter: unknown) => {
    const source = await columnsOf(accountId, listId)
    return filter === undefined ? source : { ...source, filter: readFilter(filter, source.known) }
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
        response: { 200: RecordPage },
      },
    },
    async ({ caller, params: { listId }, query: { removed, ...query } }) => {
      const source = await columnsOf(caller.accountId, listId)
      return findPage(services, searching, ['records', listId], source, { ...query, removed: removed === 'true' })
    },
  )

  app.post(
    '/lists/:listId/records/search',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout'] },
      schema: {
        tags,
        summary: 'Find records of a list',
        description:
          'A filter over a large list is answered within about a second: with a page that is not `complete`, if there was no time for more. With a sort every record has to be seen; what takes longer than 10 seconds ends with `queryTimeout`.',
        params: ListParams,
        body: RecordSearch,
        response: { 200: RecordPage },
      },
    },
    async ({ caller, params: { listId }, body: { filter, ...asked } }) =>
      findPage(services, searching, ['records', listId], await sourceOf(caller.accountId, listId, filter), asked),
  )

  app.post(
    '/lists/:listId/records/count',
    {
      config: { role: 'viewer', problems: ['queryTimeout'] },
      schema: {
        tags,
        summary: 'How many records of a list match',
        description: 'To try a filter before it is saved as a segment. Answered within about a second.',
        params: ListParams,
        body: RecordCount,
        response: { 200: Count },
      },
    },
    async ({ caller, params: { listId }, body: { filter } }) =>
      countAll(services, searching, await sourceOf(caller.accountId, listId, filter)),
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
