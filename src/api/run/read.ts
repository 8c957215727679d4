import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as lists from '../../db/list.ts'
import * as runs from '../../db/run/read.ts'
import * as segments from '../../db/segment.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, PageQuery, pageOf } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run, RunKind, runJson, RunState } from './json.ts'

const RunQuery = PageQuery.extend({
  listId: Id.optional(),
  segmentId: Id.optional(),
  kind: RunKind.optional(),
  state: RunState.optional(),
})
type RunQuery = z.infer<typeof RunQuery>

const tags = ['Runs']

export const runRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services

  const pageOfRuns = async (accountId: string, { limit, cursor, ...filter }: RunQuery) => {
    const scope = [accountId, 'runs', filter]
    const before = readCursor(secrets, scope, cursor, Id)
    const rows = await runs.page(db, accountId, filter, { limit: limit + 1, before })
    return cutPage(
      rows,
      limit,
      (row) => runJson(services, row),
      (last) => writeCursor(secrets, scope, last.id),
    )
  }

  app.get(
    '/runs',
    {
      config: { role: 'viewer', problems: ['notFound', 'invalidCursor'] },
      schema: { tags, summary: 'Runs, newest first', querystring: RunQuery, response: { 200: pageOf(Run) } },
    },
    async ({ caller, query }) => {
      if (query.listId !== undefined) await lists.getEver(db, caller.accountId, query.listId)
      if (query.segmentId !== undefined) await segments.getEver(db, caller.accountId, query.segmentId)
      return pageOfRuns(caller.accountId, query)
    },
  )

  app.get(
    '/lists/:listId/runs',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Runs of a list, newest first',
        params: z.strictObject({ listId: Id }),
        querystring: RunQuery.omit({ listId: true }).meta({ description: 'also those of its segments' }),
        response: { 200: pageOf(Run) },
      },
    },
    async ({ caller, params, query }) => {
      await lists.getEver(db, caller.accountId, params.listId)
      return pageOfRuns(caller.accountId, { ...query, listId: params.listId })
    },
  )

  app.get(
    '/runs/:runId',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'A run with its ledger', params: z.strictObject({ runId: Id }), response: { 200: Run } },
    },
    async ({ caller, params }) => runJson(services, await runs.get(db, caller.accountId, params.runId)),
  )
}
