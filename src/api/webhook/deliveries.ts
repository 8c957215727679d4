import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as deliveries from '../../db/alert/delivery.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { deliveryJson, WebhookDelivery } from './json.ts'

const tags = ['Alerts']
const params = z.strictObject({ webhookId: Id })

export const webhookDeliveryRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay }) => {
  app.get(
    '/webhooks/:webhookId/deliveries',
    {
      config: { role: 'admin', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'What was sent to a webhook, with every attempt',
        description: 'Newest first; kept for 90 days.',
        params,
        querystring: PageQuery,
        response: { 200: pageOf(WebhookDelivery) },
      },
    },
    async ({ caller: { accountId }, params: { webhookId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'deliveries', webhookId]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await deliveries.page(db, accountId, webhookId, { limit: limit + 1, before })
      return cutPage(rows, limit, deliveryJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )

  app.post(
    '/webhooks/:webhookId/test',
    {
      config: { role: 'admin' },
      schema: {
        tags,
        summary: 'Send a test to a webhook',
        description: 'With the type `test`, signed and repeated like any other.',
        params,
        response: { 202: WebhookDelivery },
      },
    },
    async ({ caller: { accountId }, params: { webhookId } }, reply) => {
      const delivery = await deliveries.test(db, accountId, webhookId)
      await relay()
      reply.code(202)
      return deliveryJson(delivery)
    },
  )

  app.post(
    '/webhooks/:webhookId/deliveries/:deliveryId/retry',
    {
      config: { role: 'admin', problems: ['conflict'] },
      schema: {
        tags,
        summary: 'Try a delivery again now',
        description: 'One that failed begins anew, one that waits does not wait any longer.',
        params: params.extend({ deliveryId: Id }),
        response: { 202: WebhookDelivery },
      },
    },
    async ({ caller: { accountId }, params: { webhookId, deliveryId } }, reply) => {
      const delivery = await deliveries.retry(db, accountId, webhookId, deliveryId)
      await relay()
      reply.code(202)
      return deliveryJson(delivery)
    },
  )
}
