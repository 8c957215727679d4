import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as decisions from '../../db/decision.ts'
import * as lists from '../../db/list.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf } from '../schemas.ts'
import type { Services } from '../services.ts'
import { Answer, Decision, decisionJson, DecisionQuery } from './json.ts'

const tags = ['Decisions']

export const decisionRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/decisions',
    {
      config: { role: 'viewer', problems: ['notFound', 'invalidCursor'] },
      schema: {
        tags,
        summary: 'Questions that only a person can answer, newest first',
        description: 'Each with the record and everybody in the CRM who may be meant, side by side.',
        querystring: DecisionQuery,
        response: { 200: pageOf(Decision) },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor, state, listId } }) => {
      if (listId !== undefined) await lists.getEver(db, accountId, listId)
      const scope = [accountId, 'decisions', state, listId]
      const before = readCursor(secrets, scope, cursor, Id)
      const rows = await decisions.page(db, accountId, { state, listId, limit: limit + 1, before })
      return cutPage(rows, limit, decisionJson, (last) => writeCursor(secrets, scope, last.id))
    },
  )

  app.post(
    '/decisions/:decisionId',
    {
      config: { role: 'marketer', problems: ['alreadyDecided'] },
      schema: {
        tags,
        summary: 'Say who it is',
        description:
          'The answer is remembered, and the next run goes by it. Where the chosen one is gone by then, the question comes up anew. What is said of a person who is gone holds for all lists.',
        params: z.strictObject({ decisionId: Id }),
        body: Answer,
        response: { 200: Decision },
      },
    },
    async ({ caller, id, params: { decisionId }, body: { crmId } }) => {
      await decisions.decide(db, caller.accountId, decisionId, crmId, actorOf({ caller, id }))
      return decisionJson(await decisions.get(db, caller.accountId, decisionId))
    },
  )
}
