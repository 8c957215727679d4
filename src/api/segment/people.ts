import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import * as segments from '../../db/segment.ts'
import { Count, countAll, findPage, Order, RecordPage, SortBy } from '../record/search.ts'
import { PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { SegmentParams } from './routes.ts'

const PeopleQuery = PageQuery.extend({ sort: SortBy.optional(), order: Order })
const tags = ['Segments']

/** Who is in a segment at this moment. */
export const segmentPeopleRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const sourceOf = async (accountId: string, segmentId: string) => {
    const { segment, list, known } = await segments.open(services.db, accountId, segmentId)
    return { accountId, list, known, filter: segment.definition }
  }

  app.get(
    '/segments/:segmentId/records',
    {
      config: { role: 'viewer', problems: ['invalidCursor', 'queryTimeout', 'segmentBroken'] },
      schema: {
        tags,
        summary: 'The records of a segment',
        description:
          'Whoever matches when the page is read. Answered within about a second, if need be with a page that is not `complete`.',
        params: SegmentParams,
        querystring: PeopleQuery,
        response: { 200: RecordPage },
      },
    },
    async ({ caller, params: { segmentId }, query }) => {
      const source = await sourceOf(caller.accountId, segmentId)
      return findPage(services, app.searching, ['segmentRecords', segmentId], source, query)
    },
  )

  app.get(
    '/segments/:segmentId/count',
    {
      config: { role: 'viewer', problems: ['queryTimeout', 'segmentBroken'] },
      schema: {
        tags,
        summary: 'How many records are in a segment',
        description: 'Answered within about a second: where counting would take longer, with an estimate.',
        params: SegmentParams,
        response: { 200: Count },
      },
    },
    async ({ caller, params: { segmentId } }) =>
      countAll(services, app.searching, await sourceOf(caller.accountId, segmentId)),
  )
}
