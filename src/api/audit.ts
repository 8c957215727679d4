import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../db/audit.ts'
import { cutPage, readCursor, writeCursor } from './cursor.ts'
import { Id, Instant, instant, pageOf, PageQuery } from './schemas.ts'
import type { Services } from './services.ts'

const AuditEntry = z
  .object({
    id: Id,
    at: Instant,
    apiKeyId: Id.nullable().meta({ description: 'null: an operator at the command line' }),
    action: z.string(),
    targetId: z.string().nullable(),
    details: z.record(z.string(), z.unknown()).meta({ description: 'names of what changed, never secrets or people' }),
    requestId: z.string().nullable(),
  })
  .meta({
    id: 'AuditEntry',
    examples: [
      {
        id: '019ab3c4-6000-7000-8000-334455667788',
        at: '2026-11-23T10:00:00.000Z',
        apiKeyId: '019ab3c4-5100-7000-8000-223344556677',
        action: 'list.update',
        targetId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
        details: { changed: ['name'] },
        requestId: '5d6e7f80-9a1b-4c3d-8e5f-607182930a1b',
      },
    ],
  })

const auditJson = ({ accountId: _account, at, ...entry }: audits.AuditEntry) => ({ ...entry, at: instant(at) })

export const auditRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/audit',
    {
      config: { role: 'admin', problems: ['invalidCursor'] },
      schema: {
        tags: ['Account'],
        summary: 'Who changed what, newest first',
        querystring: PageQuery,
        response: { 200: pageOf(AuditEntry) },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'audit']
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await audits.page(db, accountId, { limit: limit + 1, before })
      return cutPage(rows, limit, auditJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )
}
