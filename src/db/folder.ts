import { and, asc, eq, isNotNull, isNull, min, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import * as accounts from './account.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { refuseTwins } from './failure.ts'
import { moveTo } from './order.ts'
import type { Transaction } from './outbox.ts'
import { folders, lists } from './schema.ts'

export type Folder = typeof folders.$inferSelect
export type FolderKey = { position: number; id: string }

export const get = async (db: Database | Transaction, accountId: string, folderId: string): Promise<Folder> => {
  const [found] = await db
    .select()
    .from(folders)
    .where(and(eq(folders.accountId, accountId), eq(folders.id, folderId)))
  if (found === undefined) throw new FairleadError('notFound', { detail: 'There is no folder by that id.' })
  return found
}

const isDefault = ({ name }: Pick<Folder, 'name'>): boolean => name.toLowerCase() === 'default'

/** Where imports go, and lists that nobody gave a folder. */
export const getDefault = async (tx: Transaction, accountId: string): Promise<Folder> => {
  const [folder] = await tx
    .select()
    .from(folders)
    .where(and(eq(folders.accountId, accountId), sql`lower(${folders.name}) = 'default'`))
  if (folder !== undefined) return folder
  const [made] = await tx.insert(folders).values({ accountId, name: 'Default' }).returning()
  return made!
}

/** The position of a list that is to stand above all others of the folder. */
export const topOf = async (tx: Transaction, folderId: string): Promise<number> => {
  const [top] = await tx
    .select({ position: min(lists.position) })
    .from(lists)
    .where(and(eq(lists.folderId, folderId), isNull(lists.removedAt)))
  return (top?.position ?? 1) - 1
}

export const page = (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: FolderKey },
): Promise<Folder[]> =>
  db
    .select()
    .from(folders)
    .where(
      and(
        eq(folders.accountId, accountId),
        after === undefined ? undefined : sql`(${folders.position}, ${folders.id}) > (${after.position}, ${after.id})`,
      ),
    )
    .orderBy(asc(folders.position), asc(folders.id))
    .limit(limit)

/** A new folder below the others. Errors: nameTaken. */
export const insert = (db: Database, accountId: string, name: string, actor: audits.Actor): Promise<Folder> =>
  refuseTwins(
    db.transaction(async (tx) => {
      const below = sql<number>`(select coalesce(max(position) + 1, 0) from folders where account_id = ${accountId})`
      const [folder] = await tx.insert(folders).values({ accountId, name, position: below }).returning()
      await audits.insert(tx, accountId, actor, { action: 'folder.create', targetId: folder!.id })
      return folder!
    }),
  )

/** Renames a folder, moves it to a place among the others (0 is the first). Errors: notFound, nameTaken, folderLocked for `Default`'s name. */
export const update = (
  db: Database,
  accountId: string,
  folderId: string,
  { name, position }: { name?: string; position?: number },
  actor: audits.Actor,
): Promise<Folder> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      const folder = await get(tx, accountId, folderId)
      if (name !== undefined) {
        if (isDefault(folder) && !isDefault({ name })) throw new FairleadError('folderLocked')
        await tx.update(folders).set({ name }).where(eq(folders.id, folderId))
      }
      if (position !== undefined) await place(tx, accountId, folderId, position)
      const changed = [...(name === undefined ? [] : ['name']), ...(position === undefined ? [] : ['position'])]
      await audits.insert(tx, accountId, actor, { action: 'folder.update', targetId: folderId, details: { changed } })
      return get(tx, accountId, folderId)
    }),
  )

const place = async (tx: Transaction, accountId: string, folderId: string, position: number): Promise<void> => {
  const rows = await tx
    .select({ id: folders.id })
    .from(folders)
    .where(eq(folders.accountId, accountId))
    .orderBy(asc(folders.position), asc(folders.id))
  const ids = rows.map(({ id }) => id)
  await moveTo(tx, folders, ids, folderId, position)
}

/** Only an empty folder is removed, so that no list goes with it by mistake. Errors: notFound, folderLocked, folderNotEmpty. */
export const remove = (db: Database, accountId: string, folderId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    const folder = await get(tx, accountId, folderId)
    if (isDefault(folder)) throw new FairleadError('folderLocked')
    const inside = eq(lists.folderId, folderId)
    const [list] = await tx
      .select({ id: lists.id })
      .from(lists)
      .where(and(inside, isNull(lists.removedAt)))
      .limit(1)
    if (list !== undefined) throw new FairleadError('folderNotEmpty')
    // Removed lists keep the history of their runs, and need a folder as long as they are there.
    const { id } = await getDefault(tx, accountId)
    await tx
      .update(lists)
      .set({ folderId: id })
      .where(and(inside, isNotNull(lists.removedAt)))
    await tx.delete(folders).where(eq(folders.id, folderId))
    await audits.insert(tx, accountId, actor, { action: 'folder.remove', targetId: folderId })
  })
