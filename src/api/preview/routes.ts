import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { revokePreview, revokePreviews } from '../../db/delivery/preview.ts'
import * as views from '../../db/delivery/view.ts'
import { viewDays } from '../../domain/delivery.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, instant, Instant, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { browsers } from './visit.ts'

const tags = ['Messages']
const DeliveryParams = z.strictObject({ deliveryId: Id })
const MessageParams = z.strictObject({ messageId: Id })

const View = z
  .object({
    id: Id,
    at: Instant,
    network: z.string().nullable().meta({ description: 'shortened: IPv4 to 24 bits, IPv6 to 48' }),
    browser: z.enum(browsers).nullable().meta({ description: 'its family; `bot` is a program' }),
  })
  .meta({
    id: 'PreviewView',
    examples: [
      {
        id: '019ab3c8-1000-7000-8000-112233445566',
        at: '2026-11-23T10:05:00.000Z',
        network: '192.0.2.0/24',
        browser: 'firefox',
      },
    ],
  })

const viewJson = ({ id, at, network, browser }: views.View): z.infer<typeof View> => ({
  id,
  at: instant(at),
  network,
  browser: browsers.find((each) => each === browser) ?? null,
})

const Revoked = z
  .object({ revoked: z.number().int().meta({ description: 'how many previews were revoked by it' }) })
  .meta({ id: 'RevokedPreviews', examples: [{ revoked: 1 }] })

export const previewRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/deliveries/:deliveryId/views',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Who looked at the preview of a delivery',
        description: `Newest first; without names and addresses. Kept for ${viewDays} days.`,
        params: DeliveryParams,
        querystring: PageQuery,
        response: { 200: pageOf(View) },
      },
    },
    async ({ caller: { accountId }, params: { deliveryId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'views', deliveryId]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await views.page(db, accountId, deliveryId, { limit: limit + 1, before })
      return cutPage(rows, limit, viewJson, ({ id }) => writeCursor(secrets, scope, id))
    },
  )

  app.post(
    '/deliveries/:deliveryId/revoke-preview',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Revoke the preview of a delivery',
        description:
          'Its address says from then on that it was revoked; for good. The unsubscribe link goes on working.',
        params: DeliveryParams,
        response: { 200: Revoked },
      },
    },
    async ({ caller, id, params: { deliveryId } }) => ({
      revoked: await revokePreview(db, caller.accountId, deliveryId, actorOf({ caller, id })),
    }),
  )

  app.post(
    '/messages/:messageId/revoke-previews',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Revoke all previews of a message',
        description: 'Those included that are still to be sent; of a removed message, too. Answers how many.',
        params: MessageParams,
        response: { 200: Revoked },
      },
    },
    async ({ caller, id, params: { messageId } }) => ({
      revoked: await revokePreviews(db, caller.accountId, messageId, actorOf({ caller, id })),
    }),
  )
}
