import { and, asc, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { refuseTwins } from './failure.ts'
import type { Transaction } from './outbox.ts'
import { folders } from './schema.ts'

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
