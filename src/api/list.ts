import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as folders from '../db/folder.ts'
import * as lists from '../db/list.ts'
import { cancelAll } from '../db/run/state.ts'
import { FairleadError } from '../domain/errors.ts'
import { actorOf } from './auth.ts'
import { FieldType } from './field.ts'
import { cutPage, readCursor, writeCursor } from './cursor.ts'
import { RunKind, RunState } from './run/json.ts'
import { Id, Instant, instant, instantOrNull, Name, pageOf, PageQuery } from './schemas.ts'
import type { Services } from './services.ts'

const List = z
  .object({
    id: Id,
    name: z.string(),
    kind: z.enum(['crmLeads', 'crmContacts', 'plain']),
    folder: z.object({ id: Id, name: z.string() }),
    position: z.number().int().meta({ description: 'among the lists of the folder; 0 is the top' }),
    recordCount: z.number().int(),
    mark: Instant.nullable().meta({ description: 'the CRM’s changes were read up to here, by its own clock' }),
    lastRun: z.object({ id: Id, kind: RunKind, state: RunState, finishedAt: Instant.nullable() }).nullable(),
    createdAt: Instant,
  })
  .meta({
    id: 'List',
    description: 'A table of people',
    examples: [
      {
        id: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
        name: 'All Infor CRM Leads',
        kind: 'crmLeads',
        folder: { id: '019ab3c4-5200-7000-8000-445566778899', name: 'Default' },
        position: 0,
        recordCount: 120000,
        mark: '2026-11-23T09:59:30.000Z',
        lastRun: {
          id: '019ab3c4-61f2-7a35-8d40-0b5a7c9e1f23',
          kind: 'import',
          state: 'succeeded',
          finishedAt: '2026-11-23T10:00:21.000Z',
        },
        createdAt: '2026-11-23T10:00:00.000Z',
      },
    ],
  })
type List = z.infer<typeof List>

const mostColumns = 1000

const NewList = z
  .strictObject({
    name: Name,
    folderId: Id.optional().meta({ description: 'the folder `Default` where none is said' }),
    columns: z
      .array(z.strictObject({ name: Name, type: FieldType.default('text') }))
      .max(mostColumns)
      .default([])
      .meta({ description: 'besides e-mail, first name and last name, which every list has' }),
  })
  .meta({
    id: 'NewList',
    examples: [
      {
        name: 'Trade fair 2027',
        columns: [
          { name: 'Booth', type: 'text' },
          { name: 'Visited', type: 'date' },
        ],
      },
    ],
  })

const ListChanges = z
  .strictObject({ name: Name, folderId: Id, position: z.number().int().min(0).max(1_000_000) })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'ListChanges', examples: [{ name: 'Leads', position: 0 }] })

const listJson = (row: lists.ListRow): List => ({
  id: row.id,
  name: row.name,
  kind: row.kind,
  folder: { id: row.folder.id, name: row.folder.name },
  position: row.position,
  recordCount: row.recordCount,
  mark: instantOrNull(row.mark),
  lastRun: row.lastRun && { ...row.lastRun, finishedAt: instantOrNull(row.lastRun.finishedAt) },
  createdAt: instant(row.createdAt),
})

const ListKey = z.object({ folder: z.number(), folderId: Id, position: z.number(), id: Id })
const ListParams = z.strictObject({ listId: Id })
const ListQuery = PageQuery.extend({ folderId: Id.optional() })
const tags = ['Lists']

export const listRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets, relay }) => {
  const show = async (accountId: string, listId: string): Promise<List> => {
    const row = await lists.find(db, accountId, listId)
    if (row === undefined) throw new FairleadError('notFound')
    return listJson(row)
  }

  app.get(
    '/lists',
    {
      config: { role: 'viewer', problems: ['notFound', 'invalidCursor'] },
      schema: {
        tags,
        summary: 'Lists in the order of their folders',
        querystring: ListQuery,
        response: { 200: pageOf(List) },
      },
    },
    async ({ caller: { accountId }, query: { limit, cursor, folderId } }) => {
      if (folderId !== undefined) await folders.get(db, accountId, folderId)
      const scope = [accountId, 'lists', folderId]
      const after = readCursor(secrets, scope, cursor, ListKey)
      const rows = await lists.page(db, accountId, { folderId, limit: limit + 1, after })
      return cutPage(
        rows,
        limit,
        ({ row }) => listJson(row),
        ({ key }) => writeCursor(secrets, scope, key),
      )
    },
  )

  app.post(
    '/lists',
    {
      config: { role: 'marketer', problems: ['nameTaken', 'notFound'] },
      schema: {
        tags,
        summary: 'Make a plain list',
        description: 'It appears at the top of its folder. Imported lists are made by POST /v1/imports.',
        body: NewList,
        response: { 201: List },
      },
    },
    async ({ caller, id, body }, reply) => {
      const listId = await lists.insert(db, caller.accountId, body, actorOf({ caller, id }))
      const list = await show(caller.accountId, listId)
      return reply.code(201).header('location', `/v1/lists/${listId}`).send(list)
    },
  )

  app.get(
    '/lists/:listId',
    { config: { role: 'viewer' }, schema: { tags, summary: 'A list', params: ListParams, response: { 200: List } } },
    ({ caller, params }) => show(caller.accountId, params.listId),
  )

  app.patch(
    '/lists/:listId',
    {
      config: { role: 'marketer', problems: ['nameTaken'] },
      schema: {
        tags,
        summary: 'Rename or move a list',
        params: ListParams,
        body: ListChanges,
        response: { 200: List },
      },
    },
    async ({ caller, id, params: { listId }, body }) => {
      await lists.update(db, caller.accountId, listId, body, actorOf({ caller, id }))
      return show(caller.accountId, listId)
    },
  )

  app.delete(
    '/lists/:listId',
    {
      config: { role: 'marketer' },
      schema: {
        tags,
        summary: 'Remove a list',
        description:
          'Its run stops at the next checkpoint, its schedule and those of its segments end; the forms that fill it are closed; its records are deleted after 30 days; the history of its runs stays. The CRM is untouched.',
        params: ListParams,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const { accountId } = request.caller
      const { listId } = request.params
      await lists.get(db, accountId, listId)
      await cancelAll(db, accountId, { listId })
      await lists.remove(db, accountId, listId, actorOf(request))
      // A run that began between the two.
      await cancelAll(db, accountId, { listId })
      await relay()
      return reply.code(204).send()
    },
  )
}
