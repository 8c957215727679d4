import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as optOuts from '../../db/optOut/read.ts'
import * as suppressions from '../../db/suppression.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id, pageOf, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import { readNew, readRow } from './input.ts'
import {
  Lift,
  NewSuppression,
  Suppression,
  SuppressionBulk,
  SuppressionBulkResult,
  suppressionJson,
  SuppressionSearch,
  type SuppressionRow,
} from './json.ts'

const SuppressionQuery = PageQuery.extend({
  lifted: z.enum(['true', 'false']).default('false').meta({ description: 'those that were lifted, as history' }),
})
const Params = z.strictObject({ suppressionId: Id })
const tags = ['Suppressions']

export const suppressionRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay }) => {
  const show = async (accountId: string, row: suppressions.Suppression) =>
    suppressionJson(row, (await optOuts.ofSuppressions(db, accountId, [row.id])).get(row.id))
  /** The CRM hears of it at once; the relay of the process comes anyway. */
  const relayLater = (): void => void relay().catch(() => undefined)

  const find = async (
    accountId: string,
    asked: { email?: string; lifted?: boolean; limit: number; cursor?: string },
  ) => {
    const { email, lifted, limit, cursor } = asked
    const scope = [accountId, 'suppressions', email, lifted]
    const before = readCursor(secrets, scope, cursor, Id)
    const rows = await suppressions.page(db, secrets, accountId, { email, lifted, limit: limit + 1, before })
    const told = await optOuts.ofSuppressions(
      db,
      accountId,
      rows.map(({ id }) => id),
    )
    return cutPage(
      rows,
      limit,
      (row) => suppressionJson(row, told.get(row.id)),
      ({ id }) => writeCursor(secrets, scope, id),
    )
  }

  app.get(
    '/suppressions',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Addresses that must not be mailed, newest first',
        description: 'One address is found by POST /v1/suppressions/search: people stay out of URLs.',
        querystring: SuppressionQuery,
        response: { 200: pageOf(Suppression) },
      },
    },
    ({ caller, query: { lifted, ...query } }) => find(caller.accountId, { ...query, lifted: lifted === 'true' }),
  )

  app.post(
    '/suppressions/search',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'The suppressions of an address',
        description: 'In any case and with blanks around it; newest first.',
        body: SuppressionSearch,
        response: { 200: pageOf(Suppression) },
      },
    },
    ({ caller, body }) => find(caller.accountId, body),
  )

  app.post(
    '/suppressions',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Suppress an address',
        description:
          'Where the address has an active one of the same source, that one is answered as it is, with 200. The source `crm` cannot be given; `admin` needs the role admin.',
        body: NewSuppression,
        response: { 200: Suppression, 201: Suppression },
      },
    },
    async ({ caller, id, body }, reply) => {
      const row = readNew(body, caller.role)
      const [done] = await suppressions.insert(db, secrets, caller.accountId, [row], actorOf({ caller, id }))
      relayLater()
      return reply.code(done!.created ? 201 : 200).send(await show(caller.accountId, done!.suppression))
    },
  )

  app.post(
    '/suppressions/bulk',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Suppress up to 1,000 addresses',
        description: 'Each row has a result of its own; a bad one harms no other.',
        body: SuppressionBulk,
        response: { 200: SuppressionBulkResult },
      },
    },
    async ({ caller, id, body }) => {
      const rows = body.suppressions.map((row) => readRow(row, caller.role))
      const good = rows.flatMap((each) => ('row' in each ? [each.row] : []))
      const actor = actorOf({ caller, id })
      const done = good.length === 0 ? [] : await suppressions.insert(db, secrets, caller.accountId, good, actor)
      relayLater()
      const results = rows.map((each, index): SuppressionRow => {
        if ('row' in each) {
          const { suppression, created } = done.shift()!
          const result = created ? 'created' : 'unchanged'
          return { result, id: suppression.id, code: null, message: null, path: null }
        }
        const { code, message, path } = each.refused
        const place = path === '' ? '' : `.${path}`
        return {
          result: 'rejected',
          id: null,
          code,
          message,
          path: `suppressions[${index}]${place}`,
        }
      })
      const tally = (name: SuppressionRow['result']) => results.filter(({ result }) => result === name).length
      const counts = { created: tally('created'), unchanged: tally('unchanged'), rejected: tally('rejected') }
      return { counts, results }
    },
  )

  app.delete(
    '/suppressions/:suppressionId',
    {
      config: { role: 'marketer', problems: ['suppressionOfCrm'] },
      schema: {
        tags,
        summary: 'Lift a suppression',
        description:
          'With evidence; others of the address stay. Where no opt-out of the address holds any more, the CRM is told that it may be mailed. Those of the sources `person` and `admin` need the role admin; those of `crm` are lifted by the CRM alone. One that was lifted before is answered as it is.',
        params: Params,
        body: Lift,
        response: { 200: Suppression },
      },
    },
    async ({ caller, id, params: { suppressionId }, body: { evidence } }) => {
      const asked = { evidence, role: caller.role }
      const lifted = await suppressions.lift(db, caller.accountId, suppressionId, asked, actorOf({ caller, id }))
      relayLater()
      return show(caller.accountId, lifted)
    },
  )

  app.post(
    '/suppressions/:suppressionId/retry',
    {
      config: { role: 'marketer', problems: ['notRetryable'] },
      schema: {
        tags,
        summary: 'Tell the CRM of an opt-out again',
        description: 'One that was rejected; the others go on by themselves. The address stays suppressed meanwhile.',
        params: Params,
        response: { 200: Suppression },
      },
    },
    async ({ caller, id, params: { suppressionId } }) => {
      const found = await suppressions.get(db, caller.accountId, suppressionId)
      await optOuts.retry(db, caller.accountId, suppressionId, actorOf({ caller, id }))
      relayLater()
      return show(caller.accountId, found)
    },
  )
}
