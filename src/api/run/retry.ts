import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import { retry } from '../../db/run/retry.ts'
import { actorOf } from '../auth.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Id, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Run } from './json.ts'

const Retry = z
  .union([z.strictObject({ code: text(64).min(1) }), z.strictObject({ entryIds: z.array(Id).min(1).max(1000) })])
  .meta({
    id: 'Retry',
    description: 'Everything of one reason, or single entries',
    examples: [{ code: 'crmRefused' }, { entryIds: ['019ab3c4-7100-7000-8000-778899aabbcc'] }],
  })

export const retryRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  app.post(
    '/runs/:runId/retry',
    {
      config: {
        role: 'marketer',
        problems: [
          'nothingToRetry',
          'runActive',
          'notConnected',
          'connectorDisabled',
          'idempotencyMismatch',
          'conflict',
        ],
      },
      schema: {
        tags: ['Runs'],
        summary: 'Try again what a run has skipped or rejected',
        description:
          'A run that tries these and nothing else; they leave the quarantine. While a run of the list is under way, it begins when that one ends.',
        headers: IdempotencyHeaders,
        params: z.strictObject({ runId: Id }),
        body: Retry,
        response: { 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { params, body } = request
        const started = await retry(tx, accountId, params.runId, body)
        const details = { of: params.runId, ...('code' in body ? body : { entries: body.entryIds.length }) }
        await audits.insert(tx, accountId, actorOf(request), {
          action: 'retry.start',
          targetId: started.runId,
          details,
        })
        return started
      }),
  )
}
