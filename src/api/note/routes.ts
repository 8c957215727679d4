import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as notes from '../../db/note/read.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery, text } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Note, noteJson, NoteState } from './json.ts'

const NoteQuery = PageQuery.extend({
  state: NoteState.optional(),
  code: text(100).min(1).optional().meta({ description: 'only those of this cause' }),
})

export const noteRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/messages/:messageId/notes',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags: ['Messages'],
        summary: 'Notes of a message in the CRM',
        description:
          'One for each delivery that the mail server took, where the message adds notes. What was skipped or rejected can be tried again: `POST /v1/runs/{runId}/retry`.',
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
}
