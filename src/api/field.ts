import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as connections from '../db/connection.ts'
import type { CrmEntity } from '../domain/crm.ts'
import { FairleadError } from '../domain/errors.ts'
import { isSecretField } from '../domain/field.ts'
import { poll } from './poll.ts'
import { Entity, Instant, instant } from './schemas.ts'
import type { Services } from './services.ts'

export const FieldType = z.enum(['text', 'number', 'boolean', 'date', 'instant', 'email', 'phone', 'picklist'])

const CrmField = z
  .object({
    name: z.string().meta({ description: 'canonical, such as `Address/City`' }),
    label: z.string(),
    type: FieldType,
    maxLength: z.number().int().nullable(),
    custom: z.boolean(),
    readOnly: z.boolean(),
    required: z.boolean(),
    locked: z.boolean().meta({ description: 'always imported' }),
    address: z.boolean(),
  })
  .meta({ id: 'CrmField' })

const example = {
  name: 'WorkPhone',
  label: 'Work Phone',
  type: 'phone',
  maxLength: 32,
  custom: false,
  readOnly: false,
  required: false,
  locked: false,
  address: false,
}

const CrmFields = z
  .object({ items: z.array(CrmField), nextCursor: z.null(), readAt: Instant })
  .meta({ id: 'CrmFields', examples: [{ items: [example], nextCursor: null, readAt: '2026-11-23T10:00:00.000Z' }] })

const FieldQuery = z.strictObject({
  entity: Entity,
  refresh: z.enum(['true', 'false']).default('false').meta({ description: 'ask the CRM anew' }),
})

type Asked = { entity: CrmEntity; refresh: 'true' | 'false' }

/** Fields as they were read last; the CRM is asked when they are not known, or to be read anew. Errors: notConnected, crmTimeout. */
export const readFields = async (
  { db, relay }: Services,
  reply: FastifyReply,
  accountId: string,
  { entity, refresh }: Asked,
) => {
  const find = () => connections.findFields(db, accountId, entity)
  const known = await find()
  let fresh = refresh === 'true' ? undefined : known
  if (fresh === undefined) {
    await connections.requestFields(db, accountId, entity)
    await relay()
    fresh = await poll(reply, async () => {
      const found = await find()
      return found?.readAt.getTime() === known?.readAt.getTime() ? undefined : found
    })
  }
  const found = fresh ?? known
  if (found === undefined) throw new FairleadError('crmTimeout')
  return { found, isFresh: fresh !== undefined }
}

export const fieldRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  app.get(
    '/crm/fields',
    {
      config: { role: 'viewer', problems: ['notConnected', 'crmTimeout'] },
      schema: {
        tags: ['Connection'],
        summary: 'The CRM’s standard and custom fields of an entity',
        description:
          'Answers 202 with the fields as they were read before when the CRM does not answer within 20 seconds.',
        querystring: FieldQuery,
        response: { 200: CrmFields, 202: CrmFields },
      },
    },
    async ({ caller, query }, reply) => {
      const { found, isFresh } = await readFields(services, reply, caller.accountId, query)
      reply.code(isFresh ? 200 : 202)
      const items = found.fields.filter(({ name }) => !isSecretField(name))
      return { items, nextCursor: null, readAt: instant(found.readAt) }
    },
  )
}
