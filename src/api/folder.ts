import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import * as folders from '../db/folder.ts'
import { actorOf } from './auth.ts'
import { cutPage, readCursor, writeCursor } from './cursor.ts'
import { Id, Instant, instant, Name, pageOf, PageQuery } from './schemas.ts'
import type { Services } from './services.ts'

const Folder = z.object({ id: Id, name: z.string(), position: z.number().int(), createdAt: Instant }).meta({
  id: 'Folder',
  examples: [
    {
      id: '019ab3c4-5200-7000-8000-445566778899',
      name: 'Default',
      position: 0,
      createdAt: '2026-11-23T09:00:00.000Z',
    },
  ],
})

const NewFolder = z.strictObject({ name: Name }).meta({ id: 'NewFolder', examples: [{ name: 'Events 2027' }] })

const FolderChanges = z
  .strictObject({
    name: Name,
    position: z.number().int().min(0).max(1_000_000).meta({ description: 'among the folders; 0 is the first' }),
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'names nothing to change')
  .meta({ id: 'FolderChanges', examples: [{ name: 'Events', position: 0 }] })

const FolderParams = z.strictObject({ folderId: Id })
const FolderKey = z.object({ position: z.number(), id: Id })

const folderJson = ({ accountId: _account, createdAt, ...folder }: folders.Folder) => ({
  ...folder,
  createdAt: instant(createdAt),
})

const tags = ['Lists']

export const folderRoutes: FastifyPluginAsyncZod<Services> = async (app, { db, secrets }) => {
  app.get(
    '/folders',
    {
      config: { role: 'viewer', problems: ['invalidCursor'] },
      schema: { tags, summary: 'Folders in their order', querystring: PageQuery, response: { 200: pageOf(Folder) } },
    },
    async ({ caller: { accountId }, query: { limit, cursor } }) => {
      const scope = [accountId, 'folders']
      const after = readCursor(secrets, scope, cursor, FolderKey)
      const rows = await folders.page(db, accountId, { limit: limit + 1, after })
      return cutPage(rows, limit, folderJson, ({ position, id }) => writeCursor(secrets, scope, { position, id }))
    },
  )

  app.post(
    '/folders',
    {
      config: { role: 'marketer', problems: ['nameTaken'] },
      schema: { tags, summary: 'Make a folder', body: NewFolder, response: { 201: Folder } },
    },
    async (request, reply) => {
      const folder = await folders.insert(db, request.caller.accountId, request.body.name, actorOf(request))
      reply.code(201)
      return folderJson(folder)
    },
  )

  app.patch(
    '/folders/:folderId',
    {
      config: { role: 'marketer', problems: ['nameTaken', 'folderLocked'] },
      schema: {
        tags,
        summary: 'Rename or move a folder',
        params: FolderParams,
        body: FolderChanges,
        response: { 200: Folder },
      },
    },
    async ({ caller, id, params: { folderId }, body }) =>
      folderJson(await folders.update(db, caller.accountId, folderId, body, actorOf({ caller, id }))),
  )

  app.delete(
    '/folders/:folderId',
    {
      config: { role: 'marketer', problems: ['folderLocked', 'folderNotEmpty'] },
      schema: {
        tags,
        summary: 'Remove an empty folder',
        params: FolderParams,
        response: { 204: z.undefined() },
      },
    },
    async ({ caller, id, params: { folderId } }, reply) => {
      await folders.remove(db, caller.accountId, folderId, actorOf({ caller, id }))
      return reply.code(204).send()
    },
  )
}
