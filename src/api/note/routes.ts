import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as audits from '../../db/audit.ts'
import * as notes from '../../db/note/read.ts'
import { retryOfMessage } from '../../db/note/retry.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { IdempotencyHeaders, once } from '../idempotency.ts'
import { Run } from '../run/json.ts'
import { Id, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Note, noteJson, NoteState } from './json.ts'

const NoteQuery = PageQuery.extend({
  state: NoteState.optional(),
  code: text(100).min(1).optional().meta({ description: 'only those of this cause' }),
})

const RetryNotes = z.strictObject({ code: text(64).min(1) }).meta({
  id: 'RetryNotes',
  description: 'Everything of one reason',
  examples: [{ code: 'otherCrm' }],
})

export const noteRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services

  app.get(
    '/messages/:messageId/notes',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags: ['Messages'],
        summary: 'Notes of a message in the CRM',
        description:
          'One for each delivery that the mail server took, where the message adds notes. What was skipped or rejected can be tried again.',
        params: z.strictObject({ messageId: Id }),
        querystring: NoteQuery,
        response: { 200: pageOf(Note) },
      },
    },
    async ({ caller: { accountId }, params: { messageId }, query: { limit, cursor, state, code } }) => {
      const scope = [accountId, 'notes', messageId, state, code]
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await notes.page(db, accountId, messageId, { limit: limit + 1, after, state, code })
      return cutPage(rows, limit, noteJson, ({ deliveryId }) => writeCursor(secrets, scope, deliveryId))
    },
  )

  app.post(
    '/messages/:messageId/notes/retry',
    {
      config: {
        role: 'marketer',
        problems: ['nothingToRetry', 'runActive', 'notConnected', 'idempotencyMismatch', 'conflict'],
      },
      schema: {
        tags: ['Messages'],
        summary: 'Try notes of a message again',
        description:
          'Those of one reason that were skipped or rejected, by whichever run or by none; in the CRM that is connected now.',
        headers: IdempotencyHeaders,
        params: z.strictObject({ messageId: Id }),
        body: RetryNotes,
        response: { 202: Run },
      },
    },
    (request, reply) =>
      once(services, request, reply, async (tx) => {
        const { accountId } = request.caller
        const { messageId } = request.params
        const { code } = request.body
        const started = await retryOfMessage(tx, { accountId, messageId }, code)
        const details = { of: messageId, code }
        await audits.insert(tx, accountId, actorOf(request), {
          action: 'retry.start',
          targetId: started.runId,
          details,
        })
        return started
      }),
  )
}
