import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import type { RunKind, RunState } from '../domain/run.ts'
import * as accounts from './account.ts'
import * as audits from './audit.ts'
import type { Database } from './database.ts'
import { refuseTwins } from './failure.ts'
import { closeOf } from './form/close.ts'
import * as folderRows from './folder.ts'
import { moveTo } from './order.ts'
import type { Transaction } from './outbox.ts'
import { endOf } from './schedule/end.ts'
import { folders, lanes, lists, runs } from './schema.ts'

export { insert } from './list/insert.ts'

export type List = typeof lists.$inferSelect
export type ListRow = Omit<List, 'folderId'> & {
  folder: { id: string; name: string }
  lastRun: { id: string; kind: RunKind; state: RunState; finishedAt: Date | null } | null
}
export type ListKey = { folder: number; folderId: string; position: number; id: string }

const owned = (accountId: string, listId: string) => and(eq(lists.accountId, accountId), eq(lists.id, listId))

/** A list that was not removed. Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, listId: string): Promise<List> => {
  const found = await getEver(db, accountId, listId)
  if (found.removedAt !== null) throw new FairleadError('notFound')
  return found
}

/** Also a removed one: its history stays. Errors: notFound. */
export const getEver = async (db: Database | Transaction, accountId: string, listId: string): Promise<List> => {
  const [found] = await db.select().from(lists).where(owned(accountId, listId))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** The place among the folder's lists, 0 is the top: stored positions only order, an import goes one below the smallest. */
const rank = sql<number>`(select count(*)::int from lists o where o.folder_id = ${lists.folderId} and o.removed_at is null
  and (o.position, o.id) < (${lists.position}, ${lists.id}))`

/** While a run fills the list, with what it has made so far. */
const recordCount = sql<number>`(${lists.recordCount} + coalesce((select sum(${lanes.created}) from ${lanes}
  join runs a on a.id = ${lanes.runId} where a.list_id = ${lists.id} and ${lanes.phase} not in ('push', 'upload') and a.kind <> 'preview'
  and a.state in ('queued', 'running', 'held')), 0))::int`

/** A preview does nothing to the list. */
const lastRunId = sql`(select r.id from runs r where r.list_id = ${lists.id} and r.kind <> 'preview' order by r.id desc limit 1)`

const selection = {
  list: lists,
  position: rank,
  recordCount,
  folder: { id: folders.id, name: folders.name, position: folders.position },
  lastRun: { id: runs.id, kind: runs.kind, state: runs.state, finishedAt: runs.finishedAt },
}

const described = (db: Database) =>
  db
    .select(selection)
    .from(lists)
    .innerJoin(folders, eq(folders.id, lists.folderId))
    .leftJoin(runs, eq(runs.id, lastRunId))
    .$dynamic()

type Described = Awaited<ReturnType<typeof described>>[number]
const toRow = ({ list, ...rest }: Described): ListRow => ({ ...list, ...rest })

export const find = async (db: Database, accountId: string, listId: string): Promise<ListRow | undefined> => {
  const [found] = await described(db).where(and(owned(accountId, listId), isNull(lists.removedAt)))
  return found === undefined ? undefined : toRow(found)
}

/** In the order of the folders, then of the lists in them. Each row comes with the key to go on after it. */
export const page = async (
  db: Database,
  accountId: string,
  { folderId, limit, after }: { folderId?: string; limit: number; after?: ListKey },
): Promise<{ row: ListRow; key: ListKey }[]> => {
  const key = sql`(${folders.position}, ${folders.id}, ${lists.position}, ${lists.id})`
  const rows = await described(db)
    .where(
      and(
        eq(lists.accountId, accountId),
        isNull(lists.removedAt),
        folderId === undefined ? undefined : eq(lists.folderId, folderId),
        after === undefined
          ? undefined
          : sql`${key} > (${after.folder}, ${after.folderId}, ${after.position}, ${after.id})`,
      ),
    )
    .orderBy(asc(folders.position), asc(folders.id), asc(lists.position), asc(lists.id))
    .limit(limit)
  return rows.map((each) => ({
    row: toRow(each),
    key: { folder: each.folder.position, folderId: each.folder.id, position: each.list.position, id: each.list.id },
  }))
}

type Changes = { name?: string; folderId?: string; position?: number }

/**
 * A list that moves to another folder without a position goes to its top. Places are numbered anew for whole folders, so changes
 * take turns within the account, and with imports, which choose a name and a place. Errors: notFound, nameTaken.
 */
export const update = (
  db: Database,
  accountId: string,
  listId: string,
  changes: Changes,
  actor: audits.Actor,
): Promise<void> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await accounts.lock(tx, accountId, 'no key update')
      const list = await get(tx, accountId, listId)
      const { id: folderId } = await folderRows.get(tx, accountId, changes.folderId ?? list.folderId)
      const changed = await tx
        .update(lists)
        .set({ name: changes.name ?? list.name, folderId })
        .where(and(owned(accountId, listId), isNull(lists.removedAt)))
        .returning({ id: lists.id })
      if (changed.length === 0) throw new FairleadError('notFound')
      const position = changes.position ?? (folderId === list.folderId ? undefined : 0)
      if (position !== undefined) await place(tx, folderId, listId, position)
      const details = { changed: Object.keys(changes) }
      await audits.insert(tx, accountId, actor, { action: 'list.update', targetId: listId, details })
    }),
  )

/** Numbers the folder's lists anew with one of them at `position`. */
const place = async (tx: Transaction, folderId: string, listId: string, position: number): Promise<void> => {
  const rows = await tx
    .select({ id: lists.id })
    .from(lists)
    .where(and(eq(lists.folderId, folderId), isNull(lists.removedAt)))
    .orderBy(asc(lists.position), asc(lists.id))
  const ids = rows.map(({ id }) => id)
  await moveTo(tx, lists, ids, listId, position)
}

/** The list and its records are seen no more, its schedule and its segments' end (R18); runs and entries stay. Errors: notFound. */
export const remove = (db: Database, accountId: string, listId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    const removed = await tx
      .update(lists)
      .set({ removedAt: sql`now()` })
      .where(and(owned(accountId, listId), isNull(lists.removedAt)))
      .returning({ id: lists.id })
    if (removed.length === 0) throw new FairleadError('notFound')
    await audits.insert(tx, accountId, actor, { action: 'list.remove', targetId: listId })
    await endOf(tx, accountId, { listId }, actor)
    await closeOf(tx, accountId, listId)
  })
