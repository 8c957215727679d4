import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import * as lists from '../../db/list.ts'
import * as runs from '../../db/run/read.ts'
import { requestCancel } from '../../db/run/state.ts'
import * as sweeps from '../../db/sweep.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run, runJson } from './json.ts'

const RunNow = z
  .strictObject({ sweep: z.literal(true) })
  .meta({ description: '`sweep` compares the keys of list and CRM', examples: [{ sweep: true }] })

const tags = ['Runs']
const RunParams = z.strictObject({ runId: Id })

export const runControlRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, relay } = services

  app.post(
    '/lists/:listId/runs',
    {
      config: { role: 'marketer', problems: ['notConnected', 'connectorDisabled', 'idempotencyMismatch', 'conflict'] },
      schema: {
        tags,
        summary: 'Start a run of a list now',
        description: 'While a run of the list is under way, the answer is 200 with that run.',
        headers: IdempotencyHeaders,
        params: z.strictObject({ listId: Id }),
        body: RunNow,
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { listId } = request.params
        await lists.get(tx, accountId, listId)
        const { runId, created } = await sweeps.request(tx, accountId, listId)
        if (created) await audits.insert(tx, accountId, actorOf(request), { action: 'sweep.start', targetId: runId })
        return { runId, created }
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
