import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../db/audit.ts'
import * as imports from '../db/import.ts'
import { actorOf } from './auth.ts'
import { IdempotencyHeaders, once } from './idempotency.ts'
import { Run } from './run/json.ts'
import { Entity, text } from './schemas.ts'
import type { Services } from './services.ts'

const mostFields = 1000

const NewImport = z
  .strictObject({
    entity: Entity,
    fields: z
      .array(text(128).min(1))
      .max(mostFields)
      .default([])
      .meta({ description: 'Names from GET /v1/crm/fields; Email, FirstName and LastName are always imported' }),
    newList: z.boolean().default(false).meta({ description: 'a further list of an entity that has one already' }),
  })
  .meta({ id: 'NewImport', examples: [{ entity: 'lead', fields: ['WorkPhone', 'Address/City'] }] })

export const importRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  app.post(
    '/imports',
    {
      config: {
        role: 'marketer',
        problems: [
          'notConnected',
          'connectorDisabled',
          'alreadyImported',
          'unknownField',
          'secretField',
          'duplicateField',
          'idempotencyMismatch',
        ],
      },
      schema: {
        tags: ['Imports'],
        summary: 'Import all leads or all contacts into a new list',
        description:
          'The list appears at once at the top of the folder Default and fills while the run works. While an import of the entity is under way, the answer is 200 with that run, unless `newList` asks for a further list.',
        headers: IdempotencyHeaders,
        body: NewImport,
        response: { 200: Run, 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { runId, created } = await imports.request(tx, accountId, request.body)
        const details = { entity: request.body.entity, fields: request.body.fields.length }
        if (created) {
          await audits.insert(tx, accountId, actorOf(request), { action: 'import.start', targetId: runId, details })
        }
        return { runId, created }
      }),
  )
}
