import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as entries from '../../db/run/entry.ts'
import * as runs from '../../db/run/read.ts'
import { exampleOf, Id, Instant, instant } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Cause, Causes, causesJson } from './entryJson.ts'
import { Run, runJson } from './json.ts'

const Ledger = z.object({ run: Run, causes: Causes.shape.items, drawnUpAt: Instant }).meta({
  id: 'Ledger',
  description: 'The proof of a run: its sums, their balance, and every reason with its count',
  examples: [{ run: exampleOf(Run), causes: [exampleOf(Cause)], drawnUpAt: '2026-11-23T10:05:00.000Z' }],
})

export const ledgerRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db } = services

  app.get(
    '/runs/:runId/ledger',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['Runs'],
        summary: 'The ledger of a run as a file',
        description: 'It holds no personal data.',
        params: z.strictObject({ runId: Id }),
        response: { 200: Ledger },
      },
    },
    async ({ caller: { accountId }, params: { runId } }, reply) => {
      const run = await runs.get(db, accountId, runId)
      const { items } = causesJson(await entries.causes(db, accountId, run))
      reply.header('content-disposition', `attachment; filename="fairlead-run-${runId}.json"`)
      return { run: runJson(services, run), causes: items, drawnUpAt: instant(new Date()) }
    },
  )
}
