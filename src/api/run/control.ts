import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import * as lists from '../../db/list.ts'
import type { Transaction } from '../../db/outbox.ts'
import * as previews from '../../db/preview.ts'
import * as runs from '../../db/run/read.ts'
import { requestCancel } from '../../db/run/state.ts'
import * as sweeps from '../../db/sweep.ts'
import { request as requestRun } from '../../db/sync/request.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run, runJson } from './json.ts'

export const RunNow = z
  .strictObject({
    sweep: z.literal(true).optional().meta({ description: 'compares the keys of list and CRM only' }),
    verify: z
      .literal(true)
      .optional()
      .meta({ description: 'compares all keys and all values, and lists what differs' }),
    preview: z.literal(true).optional().meta({
      description: 'shows what a sync would do, as the entries of a run that writes nothing; kept 7 days',
    }),
    previewId: Id.optional().meta({
      description: 'a preview: a sync that does exactly what it has shown, and reports what has changed since',
    }),
    queue: z
      .boolean()
      .default(false)
      .meta({ description: 'while a run of the list is under way: begin when it ends, instead of answering with it' }),
  })
  .refine(
    ({ sweep, verify, preview, previewId }) => [sweep, verify, preview, previewId].filter(Boolean).length < 2,
    'a run is one or the other: `verify` includes `sweep`, and stands like `preview` and `previewId` by itself',
  )
  .meta({
    id: 'RunNow',
    description: 'A sync, unless it says otherwise',
    examples: [{}, { queue: true }, { sweep: true }, { preview: true }],
  })

/** What a start of a run can be refused with. */
export const runNowProblems = [
  'notConnected',
  'connectorDisabled',
  'idempotencyMismatch',
  'conflict',
  'pullNotPossible',
  'notAPreview',
  'previewNotReady',
  'previewExpired',
  'previewApplied',
] as const

type Holder = { listId: string; segmentId?: string }
type Started = { runId: string; created: boolean }

/** Starts what is asked for of a list, or of one of its segments (P2), and writes it down. */
export const startNow = async (
  tx: Transaction,
  caller: Pick<FastifyRequest, 'caller' | 'id'>,
  { listId, segmentId }: Holder,
  { sweep, verify, preview, previewId, queue = false }: Partial<z.infer<typeof RunNow>>,
): Promise<Started> => {
  const { accountId } = caller.caller
  const log = (action: audits.Action, targetId: string, details?: Record<string, unknown>) =>
    audits.insert(tx, accountId, actorOf(caller), { action, targetId, ...(details && { details }) })
  if (previewId !== undefined) {
    const applied = await previews.apply(tx, accountId, listId, previewId, queue, segmentId)
    if (applied.created) await log('preview.apply', previewId, { runId: applied.runId })
    return applied
  }
  const kind = sweep ? 'sweep' : verify ? 'verify' : preview ? 'preview' : 'sync'
  const asked = { kind, trigger: 'api', queue, ...(segmentId !== undefined && { segmentId }) } as const
  const started = await requestRun(tx, accountId, listId, asked)
  if (started.created) await log(`${kind}.start`, started.runId)
  return started
}

const tags = ['Runs']
const RunParams = z.strictObject({ runId: Id })

export const runControlRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, relay } = services

  app.post(
    '/lists/:listId/runs',
    {
      config: {
        role: 'marketer',
        problems: [...runNowProblems],
      },
      schema: {
        tags,
        summary: 'Start a run of a list now',
        description:
          'A sync in both directions by the list’s settings; a plain list can only push, so `sweep` and `verify` are refused. While a run of the list is under way, the answer is 200 with that run; `queue` makes one more wait for its end. A `preview` waits for nobody; while one of the list is under way, the answer is that one.',
        headers: IdempotencyHeaders,
        params: z.strictObject({ listId: Id }),
        body: RunNow.nullish().meta({ examples: [{}, { queue: true }, { sweep: true }] }),
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { listId } = request.params
        await lists.get(tx, request.caller.accountId, listId)
        return startNow(tx, request, { listId }, request.body ?? {})
      }),
  )

  app.post(
    '/runs/:runId/confirm-deletions',
    {
      config: {
        role: 'marketer',
        problems: ['nothingToConfirm', 'runActive', 'notConnected', 'connectorDisabled', 'idempotencyMismatch'],
      },
      schema: {
        tags,
        summary: 'Confirm that many people are really gone from the CRM',
        description: 'For a sweep that ended with `massDeletion`: starts a new one that marks them.',
        headers: IdempotencyHeaders,
        params: RunParams,
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { runId, created } = await sweeps.confirm(tx, accountId, request.params.runId)
        const entry = { action: 'run.confirmDeletions', targetId: request.params.runId } as const
        if (created) await audits.insert(tx, accountId, actorOf(request), entry)
        return { runId, created }
      }),
  )

  app.post(
    '/runs/:runId/cancel',
    {
      config: { role: 'marketer', problems: ['runFinished'] },
      schema: {
        tags,
        summary: 'Ask a run to stop',
        description: 'It stops at its next checkpoint; what was stored until then stays.',
        params: RunParams,
        response: { 202: Run },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const { runId } = request.params
      await requestCancel(db, accountId, runId)
      await audits.insert(db, accountId, actorOf(request), { action: 'run.cancel', targetId: runId })
      await relay()
      return reply.code(202).send(runJson(services, await runs.get(db, accountId, runId)))
    },
  )
}
