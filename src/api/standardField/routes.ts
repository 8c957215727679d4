import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as standardFields from '../../db/standardField.ts'
import { proposalOf } from '../../domain/standardField.ts'
import { actorOf } from '../auth.ts'
import { cutPage, readCursor, writeCursor } from '../cursor.ts'
import { readFields } from '../field.ts'
import { Id, PageQuery } from '../schemas.ts'
import type { Services } from '../services.ts'
import {
  askedOf,
  fieldJson,
  mappedJson,
  NewStandardFields,
  Proposal,
  SavedFields,
  savedJson,
  StandardFields,
  usagesJson,
} from './json.ts'

const ColumnKey = z.object({ listId: Id, position: z.number(), id: Id })
const tags = ['Standard fields']

export const standardFieldRoutes: FastifyPluginAsyncZod<Services> = async (app, services) => {
  const { db, secrets } = services
  app.get(
    '/standard-fields',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: {
        tags,
        summary: 'Standard field names, and what the columns of all lists are in the CRM',
        description: 'All standard fields at once; `limit` and `cursor` are those of `columns`.',
        querystring: PageQuery,
        response: { 200: StandardFields },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'standard-fields']
      const after = readCursor(secrets, scope, cursor, ColumnKey)
      const saved = await standardFields.get(db, accountId)
      const rows = await standardFields.pageColumns(db, accountId, { limit: limit + 1, ...(after && { after }) })
      const { items: columns, nextCursor } = cutPage(
        rows,
        limit,
        ({ row }) => mappedJson(row),
        ({ key }) => writeCursor(secrets, scope, key),
      )
      return { ...savedJson(saved), usages: usagesJson, columns, nextCursor }
    },
  )

  app.put(
    '/standard-fields',
    {
      config: {
        role: 'admin',
        problems: [
          'conflict',
          'nameTaken',
          'duplicateField',
          'unknownField',
          'fieldReadOnly',
          'secretField',
          'notConnected',
        ],
      },
      schema: {
        tags,
        summary: 'Save the standard field names',
        description:
          'The whole set is replaced, or nothing is. The version must be the current one; a conflict names it. No name or alias may be that of two. Plain columns without a standard field are recognised anew.',
        body: NewStandardFields,
        response: { 200: SavedFields },
      },
    },
    async ({ caller, id, body }) => {
      const asked = { version: body.version, items: askedOf(body) }
      return savedJson(await standardFields.save(db, caller.accountId, asked, actorOf({ caller, id })))
    },
  )

  app.post(
    '/standard-fields/optimize',
    {
      config: { role: 'admin', problems: ['notConnected', 'crmTimeout'] },
      schema: {
        tags,
        summary: 'Optimize for Infor CRM: propose standard fields for the CRM’s addresses',
        description:
          'From the address fields of leads and contacts as they were read last. Nothing is stored, and no mapping is changed: PUT saves the proposal.',
        response: { 200: Proposal },
      },
    },
    async ({ caller: { accountId } }, reply) => {
      const { found: lead } = await readFields(services, reply, accountId, { entity: 'lead', refresh: 'false' })
      const { found: contact } = await readFields(services, reply, accountId, { entity: 'contact', refresh: 'false' })
      const { version, items } = await standardFields.get(db, accountId)
      const proposed = proposalOf(items, { lead: lead.fields, contact: contact.fields })
      return {
        version,
        items: proposed.items.map(({ proposal, ...field }) => ({ ...fieldJson(field), proposal })),
        notCovered: proposed.notCovered,
      }
    },
  )
}
