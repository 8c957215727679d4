import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { bounce } from '../../db/delivery/bounce.ts'
import * as deliveries from '../../db/delivery/read.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { BounceKind, Delivery, deliveryJson, State, Status } from './json.ts'

const tags = ['Messages']
const DeliveryParams = z.strictObject({ deliveryId: Id })
const DeliveryQuery = PageQuery.extend({
  state: State.optional(),
  code: text(100).min(1).optional().meta({ description: 'only those of this cause' }),
  externalId: text(200)
    .min(1)
    .optional()
    .meta({ description: 'only the one that another sender has reported by this id, such as one that came back' }),
})
const NewBounce = z
  .strictObject({ kind: BounceKind, status: Status.optional() })
  .meta({ id: 'NewBounce', examples: [{ kind: 'permanent', status: '5.1.1' }] })

export const deliveryRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services
  const toJson = deliveryJson(services)

  app.get(
    '/messages/:messageId/deliveries',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Deliveries of a message',
        description: 'In the order in which its audience was frozen, or another sender has reported them.',
        params: z.strictObject({ messageId: Id }),
        querystring: DeliveryQuery,
        response: { 200: pageOf(Delivery) },
      },
    },
    async ({ caller: { accountId }, params: { messageId }, query: { limit, cursor, ...only } }) => {
      const scope = [accountId, 'messageDeliveries', messageId, only.state, only.code, only.externalId]
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await deliveries.page(db, accountId, messageId, { limit: limit + 1, after, ...only })
      return cutPage(rows, limit, toJson, ({ id }) => writeCursor(secrets, scope, id))
    },
  )

  app.get(
    '/deliveries/:deliveryId',
    {
      config: { role: 'viewer' },
      schema: { tags, summary: 'A delivery', params: DeliveryParams, response: { 200: Delivery } },
    },
    async ({ caller: { accountId }, params: { deliveryId } }) =>
      toJson(await deliveries.get(db, accountId, deliveryId)),
  )

  app.post(
    '/deliveries/:deliveryId/bounce',
    {
      config: { role: 'marketer', problems: ['notBounceable'] },
      schema: {
        tags,
        summary: 'Say that a mail came back',
        description:
          '`permanent`: the address takes no mail, and is suppressed as `bounced`. `transient`: it is written down and changes nothing else.',
        params: DeliveryParams,
        body: NewBounce,
        response: { 200: Delivery },
      },
    },
    async ({ caller, id, params: { deliveryId }, body: { kind, status = null } }) => {
      const row = await bounce(db, caller.accountId, deliveryId, { kind, status }, actorOf({ caller, id }))
      await services.relay()
      return toJson(row)
    },
  )
}
