import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as lists from '../../db/list.ts'
import { cancelAll } from '../../db/run/state.ts'
import * as segments from '../../db/segment.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { keepDigits } from '../record/input.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import {
  NewSegment,
  RemovedSegment,
  Segment,
  SegmentChanges,
  segmentJson,
  SegmentVersion,
  versionJson,
} from './json.ts'

const ListParams = z.strictObject({ listId: Id })
export const SegmentParams = z.strictObject({ segmentId: Id })
const tags = ['Segments']

export const segmentRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay }) => {
  keepDigits(app)

  const show = async (segment: segments.Segment) =>
    segmentJson(segment, await segments.createShower(db, segment.accountId, segment.listId))

  app.get(
    '/lists/:listId/segments',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'The segments of a list',
        params: ListParams,
        querystring: PageQuery,
        response: { 200: pageOf(Segment) },
      },
    },
    async ({ caller: { accountId }, params: { listId }, query: { limit, cursor } }) => {
      await lists.get(db, accountId, listId)
      const scope = [accountId, 'segments', listId]
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await segments.page(db, accountId, listId, { limit: limit + 1, after })
      const show = await segments.createShower(db, accountId, listId)
      return cutPage(
        rows,
        limit,
        (row) => segmentJson(row, show),
        ({ id }) => writeCursor(secrets, scope, id),
      )
    },
  )

  app.post(
    '/lists/:listId/segments',
    {
      config: { role: 'marketer', problems: ['nameTaken'] },
      schema: {
        tags,
        summary: 'Save a filter as a segment',
        description: 'A list has at most 1,000 segments. Renaming a column changes no segment.',
        params: ListParams,
        body: NewSegment,
        response: { 201: Segment },
      },
    },
    async ({ caller, id, params: { listId }, body: { name, filter } }, reply) => {
      const asked = { name, filter }
      const made = await segments.insert(db, caller.accountId, listId, asked, actorOf({ caller, id }))
      reply.code(201).header('location', `/v1/segments/${made.id}`)
      return show(made)
    },
  )

  app.get(
    '/segments/:segmentId',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'A segment', params: SegmentParams, response: { 200: Segment } },
    },
    async ({ caller, params: { segmentId } }) => show(await segments.get(db, caller.accountId, segmentId)),
  )

  app.patch(
    '/segments/:segmentId',
    {
      config: { role: 'marketer', problems: ['nameTaken', 'conflict'] },
      schema: {
        tags,
        summary: 'Rename a segment or change its filter',
        description: 'What changes nothing makes no new version. `conflict` names the present version.',
        params: SegmentParams,
        body: SegmentChanges,
        response: { 200: Segment },
      },
    },
    async ({ caller, id, params: { segmentId }, body }) =>
      show(await segments.update(db, caller.accountId, segmentId, body, actorOf({ caller, id }))),
  )

  app.delete(
    '/segments/:segmentId',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Remove a segment',
        description:
          'Nobody on the list is touched. Its schedule ends, and a run of it stops at the next checkpoint; the history of its runs stays. Answers what used the segment.',
        params: SegmentParams,
        response: { 200: RemovedSegment },
      },
    },
    async ({ caller, id, params: { segmentId } }) => {
      const usedBy = await segments.remove(db, caller.accountId, segmentId, actorOf({ caller, id }))
      // none begins any more
      await cancelAll(db, caller.accountId, { segmentId })
      await relay()
      return { usedBy }
    },
  )

  app.get(
    '/segments/:segmentId/versions',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Every state that a segment was saved in, newest first',
        params: SegmentParams,
        querystring: PageQuery,
        response: { 200: pageOf(SegmentVersion) },
      },
    },
    async ({ caller: { accountId }, params: { segmentId }, query: { limit, cursor } }) => {
      const { listId } = await segments.get(db, accountId, segmentId)
      const scope = [accountId, 'segmentVersions', segmentId]
      const before = readCursor(secrets, scope, cursor, z.number())
      const rows = await segments.pageVersions(db, accountId, segmentId, { limit: limit + 1, before })
      const show = await segments.createShower(db, accountId, listId)
      return cutPage(
        rows,
        limit,
        (row) => versionJson(row, show),
        ({ version }) => writeCursor(secrets, scope, version),
      )
    },
  )
}
