import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import { requestUndo } from '../../db/run/undo.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run } from './json.ts'

export const runUndoRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  app.post(
    '/runs/:runId/undo',
    {
      config: {
        role: 'admin',
        problems: [
          'notUndoable',
          'undoExpired',
          'runActive',
          'notConnected',
          'connectorDisabled',
          'idempotencyMismatch',
          'conflict',
        ],
      },
      schema: {
        tags: ['Runs'],
        summary: 'Undo a sync',
        description:
          'Sets back, here and in the CRM, each value that still is what the sync wrote; its entries name what was changed since and stays. What goes back on one side only is `held` on the record: neither pushed nor pulled until it changes on either side. Records that the sync added are removed, and can be restored; leads that it created are listed and never deleted. While a run of the list is under way, the undo waits for its end. 200: the run is being undone already.',
        headers: IdempotencyHeaders,
        params: z.strictObject({ runId: Id }),
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { runId, created } = await requestUndo(tx, accountId, request.params.runId)
        const details = { of: request.params.runId }
        if (created)
          await audits.insert(tx, accountId, actorOf(request), { action: 'undo.start', targetId: runId, details })
        return { runId, created }
      }),
  )
}
