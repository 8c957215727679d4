import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../db/column.ts'
import * as lists from '../db/list.ts'
import { FieldType } from './field.ts'
import { exampleOf, Id, Instant, instant, instantOrNull } from './schemas.ts'
import type { Services } from './services.ts'

const Column = z
  .object({
    id: Id,
    key: z.string().meta({ description: 'short and stable' }),
    name: z.string(),
    type: FieldType,
    crmField: z.string().nullable(),
    maxLength: z.number().int().nullable(),
    custom: z.boolean(),
    locked: z.boolean().meta({ description: 'always there: Email, FirstName, LastName' }),
    system: z.boolean().meta({ description: 'read for Fairlead’s own use' }),
    position: z.number().int(),
    staleAt: Instant.nullable().meta({ description: 'since when the CRM does not know the field' }),
    createdAt: Instant,
  })
  .meta({
    id: 'Column',
    examples: [
      {
        id: '019ab3c4-5d70-7000-8000-556677889900',
        key: 'c8',
        name: 'Work Phone',
        type: 'phone',
        crmField: 'WorkPhone',
        maxLength: 32,
        custom: false,
        locked: false,
        system: false,
        position: 7,
        staleAt: null,
        createdAt: '2026-11-23T10:00:00.000Z',
      },
    ],
  })

const Columns = z.object({ items: z.array(Column), nextCursor: z.null() }).meta({
  examples: [{ items: [exampleOf(Column)], nextCursor: null }],
})

const columnJson = ({ accountId: _account, listId: _list, staleAt, createdAt, ...column }: columns.Column) => ({
  ...column,
  staleAt: instantOrNull(staleAt),
  createdAt: instant(createdAt),
})

export const columnRoutes: FastifyPluginAsyncZod<Services> = async (app, { db }) => {
  app.get(
    '/lists/:listId/columns',
    {
      config: { role: 'viewer' },
      schema: {
        tags: ['Lists'],
        summary: 'The columns of a list',
        description: 'All of them at once.',
        params: z.strictObject({ listId: Id }),
        response: { 200: Columns },
      },
    },
    async ({ caller, params }) => {
      await lists.get(db, caller.accountId, params.listId)
      const found = await columns.all(db, caller.accountId, params.listId)
      return { items: found.map(columnJson), nextCursor: null }
    },
  )
}
