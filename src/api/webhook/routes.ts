import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as webhooks from '../../db/webhook.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { ChangedWebhook, NewWebhook, ShownWebhook, Webhook, WebhookChanges, webhookJson } from './json.ts'

const tags = ['Alerts']
const params = z.strictObject({ webhookId: Id })

/** Addresses that say by themselves where they lead; what a name resolves to is looked at when it is called. */
const checkUrl = (checkHost: (hostname: string) => void, url: string | undefined): void => {
  if (url === undefined) return
  try {
    checkHost(new URL(url).hostname)
  } catch (error) {
    if (!isFairleadError(error)) throw error
    throw new FairleadError('webhookHostNotAllowed')
  }
}

export const webhookRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, checkWebhookHost }) => {
  app.get(
    '/webhooks',
    {
      config: { role: 'admin', problems: ['invalidCursor'] },
      schema: { tags, summary: 'Webhooks', querystring: PageQuery, response: { 200: pageOf(Webhook) } },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'webhooks']
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await webhooks.page(db, accountId, { limit: limit + 1, after })
      return cutPage(rows, limit, webhookJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )

  app.post(
    '/webhooks',
    {
      config: { role: 'admin', problems: ['webhookHostNotAllowed', 'tooManyWebhooks'] },
      schema: {
        tags,
        summary: 'Make a webhook',
        description: `Each alert is sent as \`POST\` with the body \`{ "type": "alert.opened" | "alert.resolved", "timestamp", "data": Alert }\`, signed as Standard Webhooks says: \`webhook-signature\` has \`v1,\` and the base64 of HMAC-SHA256 over \`webhook-id.webhook-timestamp.body\`. What is not answered with 2xx within ten seconds is repeated for about a day, with the same \`webhook-id\`. The secret is in this answer only.`,
        body: NewWebhook,
        response: { 201: ShownWebhook },
      },
    },
    async (request, reply) => {
      checkUrl(checkWebhookHost, request.body.url)
      const { accountId } = request.caller
      const { webhook, secret } = await webhooks.insert(db, secrets, accountId, request.body, actorOf(request))
      reply.code(201)
      return { ...webhookJson(webhook), secret }
    },
  )

  app.patch(
    '/webhooks/:webhookId',
    {
      config: { role: 'admin', problems: ['webhookHostNotAllowed'] },
      schema: {
        tags,
        summary: 'Change a webhook, or give it a new secret',
        params,
        body: WebhookChanges,
        response: { 200: ChangedWebhook },
      },
    },
    async ({ caller, id, params, body }) => {
      checkUrl(checkWebhookHost, body.url)
      const actor = actorOf({ caller, id })
      const changed = await webhooks.update(db, secrets, caller.accountId, params.webhookId, body, actor)
      return { ...webhookJson(changed.webhook), ...(changed.secret !== null && { secret: changed.secret }) }
    },
  )

  app.delete(
    '/webhooks/:webhookId',
    {
      config: { role: 'admin' },
      schema: {
        tags,
        summary: 'Remove a webhook',
        description: 'What was not delivered yet is not delivered any more; its log goes.',
        params,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      await webhooks.remove(db, request.caller.accountId, request.params.webhookId, actorOf(request))
      return reply.code(204).send()
    },
  )
}
