import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as apiKeys from '../db/apiKey.ts'
import { roles } from '../domain/account.ts'
import { actorOf } from './auth.ts'
import { cutPage, readCursor, writeCursor } from './cursor.ts'
import { Id, Instant, instant, instantOrNull, Name, pageOf, PageQuery } from './schemas.ts'
import type { Services } from './services.ts'

const Role = z.enum(roles).meta({ description: 'each may do what the ones before it may' })

const keyMembers = {
  id: Id,
  name: z.string(),
  role: Role,
  prefix: z.string().meta({ description: 'the first characters of the key' }),
  createdAt: Instant,
  expiresAt: Instant.nullable(),
  revokedAt: Instant.nullable(),
  lastUsedAt: Instant.nullable().meta({ description: 'to the minute' }),
}
const example = {
  id: '019ab3c4-5100-7000-8000-223344556677',
  name: 'Website',
  role: 'marketer',
  prefix: 'fl_Xq3vL',
  createdAt: '2026-11-23T09:00:00.000Z',
  expiresAt: null,
  revokedAt: null,
  lastUsedAt: null,
}

const ApiKey = z.object(keyMembers).meta({ id: 'ApiKey', examples: [example] })
type ApiKey = z.infer<typeof ApiKey>

const ShownApiKey = z
  .object({ ...keyMembers, key: z.string().meta({ description: 'shown this once' }) })
  .meta({ id: 'ShownApiKey', examples: [{ ...example, key: 'fl_Xq3vLmA1c0uD8sWJ2bYt5nHk7ePzR9gVfTiO4xUyQwE' }] })

const Future = z.iso
  .datetime({ offset: true })
  .refine((at) => Date.parse(at) > Date.now(), 'lies in the past')
  .meta({ examples: ['2027-11-23T09:00:00.000Z'] })

const NewApiKey = z
  .strictObject({ name: Name, role: Role, expiresAt: Future.nullish() })
  .meta({ id: 'NewApiKey', examples: [{ name: 'Website', role: 'marketer', expiresAt: '2099-01-01T00:00:00.000Z' }] })

const keyJson = ({
  accountId: _account,
  createdAt,
  expiresAt,
  revokedAt,
  lastUsedAt,
  ...key
}: apiKeys.ApiKey): ApiKey => ({
  ...key,
  createdAt: instant(createdAt),
  expiresAt: instantOrNull(expiresAt),
  revokedAt: instantOrNull(revokedAt),
  lastUsedAt: instantOrNull(lastUsedAt),
})

const tags = ['Account']

export const apiKeyRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/api-keys',
    {
      config: { role: 'admin', problems: ['invalidCursor'] },
      schema: { tags, summary: 'API keys, also spent ones', querystring: PageQuery, response: { 200: pageOf(ApiKey) } },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'api-keys']
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await apiKeys.page(db, accountId, { limit: limit + 1, after })
      return cutPage(rows, limit, keyJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )

  app.post(
    '/api-keys',
    {
      config: { role: 'admin' },
      schema: {
        tags,
        summary: 'Make an API key',
        description: 'The key itself is in this answer only.',
        body: NewApiKey,
        response: { 201: ShownApiKey },
      },
    },
    async (request, reply) => {
      const { name, role, expiresAt } = request.body
      const input = { name, role, expiresAt: expiresAt ? new Date(expiresAt) : null }
      const { key, apiKey } = await apiKeys.insert(db, request.caller.accountId, input, actorOf(request))
      reply.code(201)
      return { ...keyJson(apiKey), key }
    },
  )

  app.delete(
    '/api-keys/:keyId',
    {
      config: { role: 'admin', problems: ['lastAdminKey'] },
      schema: {
        tags,
        summary: 'Revoke an API key',
        description:
          'It stops working at once and stays on the list. The last live administrator key cannot be revoked.',
        params: z.strictObject({ keyId: Id }),
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      await apiKeys.revoke(db, request.caller.accountId, request.params.keyId, actorOf(request))
      return reply.code(204).send()
    },
  )
}
