import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as databases from '../db/health.ts'
import type { Services } from './services.ts'

const Alive = z.object({ alive: z.literal(true) }).meta({ id: 'Alive', examples: [{ alive: true }] })
const part = z.enum(['ok', 'unavailable'])
const Ready = z
  .object({ ready: z.boolean(), database: part, migrations: part, engine: part })
  .meta({ id: 'Ready', examples: [{ ready: true, database: 'ok', migrations: 'ok', engine: 'ok' }] })

const tags = ['Operating']
const word = (isThere: boolean) => (isThere ? 'ok' : 'unavailable')

export const healthRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, engineReady }) => {
  app.get(
    '/healthz',
    { schema: { tags, summary: 'Whether the process is alive', response: { 200: Alive } } },
    async () => ({ alive: true as const }),
  )

  app.get(
    '/readyz',
    { schema: { tags, summary: 'Whether work can be done, part by part', response: { 200: Ready, 503: Ready } } },
    async (_request, reply) => {
      const [{ database, migrations }, engine] = await Promise.all([
        databases.check(db),
        engineReady().catch(() => false),
      ])
      const ready = database && migrations && engine
      reply.code(ready ? 200 : 503).header('cache-control', 'no-store')
      return { ready, database: word(database), migrations: word(migrations), engine: word(engine) } as const
    },
  )
}
