import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as alerts from '../db/alert.ts'
import { alertKinds } from '../domain/alert.ts'
import { cutPage, readCursor, writeCursor } from './cursor.ts'
import { Id, Instant, instantOrNull, pageOf, PageQuery } from './schemas.ts'
import type { Services } from './services.ts'

export const AlertKind = z.enum(alertKinds)

const Alert = z
  .object({
    id: Id,
    kind: AlertKind,
    state: z.enum(['open', 'resolved']),
    subject: z
      .object({
        type: z.enum(['connection', 'list', 'segment', 'schedule', 'message']),
        id: z.string(),
        name: z.string().nullable(),
      })
      .meta({ description: 'what has the problem' }),
    message: z.string(),
    remedy: z.string(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    openedAt: Instant,
    resolvedAt: Instant.nullable(),
    toldAt: Instant.nullable().meta({ description: 'when people and programs were told of the problem last' }),
    mail: z
      .object({
        state: z.enum(['pending', 'delivered', 'failed']),
        error: z.string().nullable().meta({ description: '`mailNotConfigured`: this installation has no mail server' }),
      })
      .nullable()
      .meta({ description: 'what became of the last mail about it; null: none was to be sent' }),
  })
  .meta({
    id: 'Alert',
    examples: [
      {
        id: '019ab3c4-7000-7000-8000-112233445566',
        kind: 'connectionBroken',
        state: 'open',
        subject: { type: 'connection', id: '019ab3c4-5a00-7000-8000-3c4d5e6f7081', name: null },
        message: 'The connection to the CRM needs a person: all work waits. The password of the CRM user has expired.',
        remedy: 'Set a new password in Infor CRM and reconfirm the login. To reconfirm: POST /v1/connection/reconfirm.',
        details: { code: 'passwordExpired' },
        openedAt: '2026-11-23T09:00:00.000Z',
        resolvedAt: null,
        toldAt: '2026-11-23T09:00:00.000Z',
        mail: { state: 'delivered', error: null },
      },
    ],
  })
type Alert = z.infer<typeof Alert>

const alertJson = (row: alerts.AlertRow): Alert => ({
  ...alerts.shownOf(row),
  toldAt: instantOrNull(row.toldAt),
  mail: row.mail,
})

const Key = z.object({ open: z.boolean(), id: Id })

export const alertRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/alerts',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags: ['Alerts'],
        summary: 'Problems that need somebody',
        description: 'Open ones first, then the newest. Those that are over stay for 90 days.',
        querystring: PageQuery,
        response: { 200: pageOf(Alert) },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'alerts']
      const after = readCursor(secrets, scope, cursor, Key)
      const rows = await alerts.page(db, accountId, { limit: limit + 1, after })
      return cutPage(rows, limit, alertJson, ({ id, resolvedAt }) =>
        writeCursor(secrets, scope, { open: resolvedAt === null, id }),
      )
    },
  )
}
