import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as columns from '../db/column.ts'
import * as lists from '../db/list.ts'
import { FairleadError } from '../domain/errors.ts'
import { fieldsOf } from '../domain/settings.ts'
import { actorOf } from './auth.ts'
import { FieldType } from './field.ts'
import { exampleOf, Id, Instant, instant, instantOrNull, Name, text } from './schemas.ts'
import type { Services } from './services.ts'

const Column = z
  .object({
    id: Id,
    key: z.string().meta({ description: 'short and stable' }),
    name: z.string(),
    type: FieldType,
    crmField: z.string().nullable().meta({ description: 'the field of the CRM that it is bound to' }),
    standardField: z.string().nullable().meta({ description: 'the standard field that it means' }),
    leadField: z
      .string()
      .nullable()
      .meta({ description: 'what it is on a lead, as far as the CRM’s fields are known; null: it is left out' }),
    contactField: z.string().nullable().meta({ description: 'the same on a contact' }),
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
        standardField: null,
        leadField: 'WorkPhone',
        contactField: 'WorkPhone',
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

const FieldName = text(200).min(1)
const NewColumn = z
  .strictObject({
    crmField: FieldName.optional().meta({ description: 'a name from GET /v1/crm/fields' }),
    name: Name.optional(),
    type: FieldType.optional().meta({ description: '`text` where it is not said' }),
  })
  .refine(
    ({ crmField, name, type }) =>
      crmField === undefined ? name !== undefined : name === undefined && type === undefined,
    'expects either crmField, or a name and a type',
  )
  .meta({
    id: 'NewColumn',
    description: 'A column for a CRM field of an imported list, or one of the list’s own with a name and a type',
    examples: [{ crmField: 'Title' }],
  })

const askedOf = ({ crmField, name = '', type = 'text' }: z.infer<typeof NewColumn>): columns.Asked =>
  crmField === undefined ? { name, type } : { crmField }

const ColumnChanges = z
  .strictObject({
    name: Name,
    position: z.number().int().min(0).max(1_000_000).meta({ description: '0 is the first' }),
    standardField: Name.nullable().meta({
      description:
        'name or alias of the standard field that the column means, whatever its own name; null: it means none, and is not recognised anew',
    }),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'ColumnChanges', examples: [{ name: 'Phone', position: 0 }] })

const RemovedColumn = z
  .object({
    removedFrom: z.array(z.string()).meta({
      description: 'the parts of the sync settings that named it and do so no more; their version is a new one',
    }),
    segments: z.array(z.object({ id: Id, name: z.string() })).meta({
      description: 'the segments that use it: until their filters are changed they answer `segmentBroken`',
    }),
    forms: z.array(z.object({ id: Id, name: z.string() })).meta({
      description: 'the forms that filled it: they keep these answers with their submissions only',
    }),
  })
  .meta({
    id: 'RemovedColumn',
    examples: [
      {
        removedFrom: ['push.fields'],
        segments: [{ id: '019ab3c4-7a00-7000-8000-667788990011', name: 'Springfield' }],
        forms: [],
      },
    ],
  })

type Fields = ReturnType<typeof fieldsOf>

const columnJson = (
  { accountId: _account, listId: _list, standard, staleAt, createdAt, ...column }: columns.Column,
  { lead, contact }: Fields,
) => ({
  ...column,
  standardField: standard?.name ?? null,
  leadField: lead.get(column.key)?.name ?? null,
  contactField: contact.get(column.key)?.name ?? null,
  staleAt: instantOrNull(staleAt),
  createdAt: instant(createdAt),
})

const ListParams = z.strictObject({ listId: Id })
const ColumnParams = ListParams.extend({ columnId: Id })
const tags = ['Lists']

export const columnRoutes: FastifyPluginAsyncZod<Services> = async (app, { db }) => {
  const showAll = async (accountId: string, listId: string) => {
    const list = await lists.get(db, accountId, listId)
    const known = await columns.all(db, accountId, listId)
    const live = (await columns.liveFields(db, accountId, list)) ?? {}
    const fields = fieldsOf({ kind: list.kind, columns: known, live })
    return known.map((column) => columnJson(column, fields))
  }
  const show = async (accountId: string, listId: string, columnId: string) => {
    const found = (await showAll(accountId, listId)).find(({ id }) => id === columnId)
    if (found === undefined) throw new FairleadError('notFound')
    return found
  }

  app.get(
    '/lists/:listId/columns',
    {
      config: { role: 'viewer' },
      schema: {
        tags,
        summary: 'The columns of a list',
        description: 'All of them at once.',
        params: ListParams,
        response: { 200: Columns },
      },
    },
    async ({ caller, params }) => ({ items: await showAll(caller.accountId, params.listId), nextCursor: null }),
  )

  app.post(
    '/lists/:listId/columns',
    {
      config: {
        role: 'marketer',
        problems: ['unknownField', 'secretField', 'duplicateField', 'nameTaken', 'pullNotPossible', 'notConnected'],
      },
      schema: {
        tags,
        summary: 'Add a column to a list',
        description: 'A column for a CRM field is there at once and is filled for everybody by the next sync.',
        params: ListParams,
        body: NewColumn,
        response: { 201: Column },
      },
    },
    async ({ caller, id, params, body }, reply) => {
      const actor = actorOf({ caller, id })
      const made = await columns.insert(db, caller.accountId, params.listId, askedOf(body), actor)
      return reply.code(201).send(await show(caller.accountId, params.listId, made.id))
    },
  )

  app.patch(
    '/lists/:listId/columns/:columnId',
    {
      config: { role: 'marketer', problems: ['nameTaken'] },
      schema: {
        tags,
        summary: 'Rename or move a column, or say what it means',
        params: ColumnParams,
        body: ColumnChanges,
        response: { 200: Column },
      },
    },
    async ({ caller, id, params: { listId, columnId }, body }) => {
      await columns.update(db, caller.accountId, listId, columnId, body, actorOf({ caller, id }))
      return show(caller.accountId, listId, columnId)
    },
  )

  app.delete(
    '/lists/:listId/columns/:columnId',
    {
      config: { role: 'marketer', problems: ['columnLocked'] },
      schema: {
        tags,
        summary: 'Remove a column',
        description:
          'Its values are seen no more, and it is taken out of the sync settings; the CRM is untouched. Segments that use it stay and say what they miss. Columns that every list has stay.',
        params: ColumnParams,
        response: { 200: RemovedColumn },
      },
    },
    ({ caller, id, params: { listId, columnId } }) =>
      columns.remove(db, caller.accountId, listId, columnId, actorOf({ caller, id })),
  )
}
