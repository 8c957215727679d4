import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as erasures from '../../db/erasure.ts'
import { misplaced } from '../../domain/errors.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Erasure, erasureJson, NewErasure } from './json.ts'

const tags = ['Erasures']

export const erasureRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.post(
    '/erasures',
    {
      config: { role: 'admin', problems: ['overloaded'] },
      schema: {
        tags,
        summary: 'Erase a person',
        description:
          'By address, as a person of the CRM, or as a record of a list. All records with the address, and with the CRM ids and addresses of those, are erased for good, with what was sent and filled in; entries of runs stay as numbers. The person does not return by imports, syncs, files or programs, and comes back by filling in a form. The CRM is untouched.',
        body: NewErasure,
        response: { 201: Erasure },
      },
    },
    async ({ caller, id, body: { reason, ...subject } }, reply) => {
      if ('email' in subject && normaliseEmail(subject.email) === null) throw misplaced('email', 'expects an address.')
      const done = await erasures.erase(db, secrets, caller.accountId, { subject, reason }, actorOf({ caller, id }))
      return reply.code(201).header('location', `/v1/erasures/${done.id}`).send(erasureJson(done))
    },
  )

  app.get(
    '/erasures',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: { tags, summary: 'Erasures, newest first', querystring: PageQuery, response: { 200: pageOf(Erasure) } },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'erasures']
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await erasures.page(db, accountId, { limit: limit + 1, before })
      return cutPage(rows, limit, erasureJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )

  app.get(
    '/erasures/:erasureId',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'The proof of an erasure',
        params: z.strictObject({ erasureId: Id }),
        response: { 200: Erasure },
      },
    },
    async ({ caller, params: { erasureId } }) => erasureJson(await erasures.get(db, caller.accountId, erasureId)),
  )
}
