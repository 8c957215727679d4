import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import * as lists from '../../db/list.ts'
import * as quarantine from '../../db/quarantine.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { Id } from '../schemas.ts'
import type { Services } from '../services.ts'
import { GroupKey, groupJson, GroupQuery, Groups, recordJson, RecordQuery, Records, Release, Released } from './json.ts'

const tags = ['Quarantine']

export const quarantineRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/quarantine',
    {
      config: { role: 'viewer', problems: ['notFound', 'invalidCursor'] },
      schema: {
        tags,
        summary: 'Records that are not tried any more, by cause',
        description:
          'A record that was rejected for one cause in three runs is parked. It is tried again by itself when it, its mapping or the CRM’s fields change; and each run tries one record of each cause: when that goes through, all of them are pushed.',
        querystring: GroupQuery,
        response: { 200: Groups },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor, listId } }) => {
      if (listId !== undefined) await lists.getEver(db, accountId, listId)
      const scope = [accountId, 'quarantine', listId]
      const after = readCursor(secrets, scope, cursor, GroupKey)
      const rows = await quarantine.pageGroups(db, accountId, { listId, limit: limit + 1, after })
      return cutPage(rows, limit, groupJson, ({ listId: list, code, detail }) =>
        writeCursor(secrets, scope, { listId: list, code, detail }),
      )
    },
  )

  app.get(
    '/quarantine/records',
    {
      config: { role: 'viewer', problems: ['notFound', 'invalidCursor'] },
      schema: {
        tags,
        summary: 'The records of one cause',
        querystring: RecordQuery,
        response: { 200: Records },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor, ...cause } }) => {
      await lists.getEver(db, accountId, cause.listId)
      const scope = [accountId, 'quarantined', cause]
      const after = readCursor(secrets, scope, cursor, Id)
      const rows = await quarantine.pageRecords(db, accountId, { ...cause, limit: limit + 1, after })
      return cutPage(rows, limit, recordJson, ({ recordId }) => writeCursor(secrets, scope, recordId))
    },
  )

  app.post(
    '/quarantine/release',
    {
      config: { role: 'marketer', problems: ['notFound'] },
      schema: {
        tags,
        summary: 'Release records from the quarantine',
        description: 'All that everything given holds for; the next run of their list tries them.',
        body: Release,
        response: { 200: Released },
      },
    },
    async ({ caller, id, body }) => {
      if (body.listId !== undefined) await lists.getEver(db, caller.accountId, body.listId)
      return { released: await quarantine.releaseBy(db, caller.accountId, body, actorOf({ caller, id })) }
    },
  )
}
