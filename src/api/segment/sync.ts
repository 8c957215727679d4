import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import * as runs from '../../db/run/read.ts'
import * as segments from '../../db/segment.ts'
import * as settings from '../../db/sync/settings.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { RunNow, runNowProblems, startNow } from '../run/control.ts'
import { Run, RunKind, runJson, RunState } from '../run/json.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { askedOf, NewSyncSettings, syncJson, syncProblems, SyncSettings } from '../sync.ts'
import { SegmentParams } from './routes.ts'

const RunQuery = PageQuery.extend({ kind: RunKind.optional(), state: RunState.optional() })
const tags = ['Segments']

/** P2: what a segment pushes, and its runs. */
export const segmentSyncRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets, relay } = services

  app.get(
    '/segments/:segmentId/sync',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'What a segment pushes',
        description: 'Until it is saved nothing is pushed. A segment never pulls, and goes by its own settings alone.',
        params: SegmentParams,
        response: { 200: SyncSettings },
      },
    },
    async ({ caller: { accountId }, params: { segmentId } }) => {
      const { listId } = await segments.get(db, accountId, segmentId)
      return syncJson(await settings.describe(db, accountId, listId, segmentId))
    },
  )

  app.put(
    '/segments/:segmentId/sync',
    {
      config: { role: 'marketer', problems: [...syncProblems] },
      schema: {
        tags,
        summary: 'Save what a segment pushes',
        description:
          'As for a list: everything is replaced and stored as a whole, for the version that was read. A pull is refused; columns that are added are those of the list.',
        params: SegmentParams,
        body: NewSyncSettings,
        response: { 200: SyncSettings },
      },
    },
    async ({ caller, id, params: { segmentId }, body }) => {
      const { accountId } = caller
      const { listId } = await segments.get(db, accountId, segmentId)
      const actor = actorOf({ caller, id })
      const saved = await settings.save(db, accountId, listId, askedOf(body, caller.role), actor, segmentId)
      await relay()
      return syncJson(saved)
    },
  )

  app.post(
    '/segments/:segmentId/runs',
    {
      config: { role: 'marketer', problems: [...runNowProblems] },
      schema: {
        tags,
        summary: 'Push a segment now',
        description:
          'Who is in the segment is decided once, when the run begins. It takes its list’s place: while a run of the list is under way, the answer is 200 with that run; `queue` makes one more wait for its end. A `preview` waits for nobody. A segment is neither swept nor verified.',
        headers: IdempotencyHeaders,
        params: SegmentParams,
        body: RunNow.nullish().meta({ examples: [{}, { queue: true }, { preview: true }] }),
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { segmentId } = request.params
        const { listId } = await segments.get(tx, request.caller.accountId, segmentId)
        return startNow(tx, request, { listId, segmentId }, request.body ?? {})
      }),
  )

  app.get(
    '/segments/:segmentId/runs',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Runs of a segment, newest first',
        params: SegmentParams,
        querystring: RunQuery,
        response: { 200: pageOf(Run) },
      },
    },
    async ({ caller: { accountId }, params: { segmentId }, query: { limit, cursor, ...filter } }) => {
      await segments.getEver(db, accountId, segmentId)
      const scope = [accountId, 'runs', { segmentId, ...filter }]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await runs.page(db, accountId, { segmentId, ...filter }, { limit: limit + 1, before })
      return cutPage(
        rows,
        limit,
        (row) => runJson(services, row),
        (last) => writeCursor(secrets, scope, last.id),
      )
    },
  )
}
