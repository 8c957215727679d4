import { eq } from 'drizzle-orm'
import { defaultSync } from '../../domain/sync.ts'
import type { Database } from '../database.ts'
import { lists, syncSettings } from '../schema.ts'
import type { Holder } from './find.ts'

export type ScheduleWarning = { code: 'scheduleDoesNothing'; message: string }

/** A schedule of what neither pushes nor pulls runs, and does nothing. */
export const warningsOf = async (db: Database, { listId, segmentId }: Holder): Promise<ScheduleWarning[]> => {
  const [stored] = await db
    .select({ push: syncSettings.push, pull: syncSettings.pull })
    .from(syncSettings)
    .where(eq(syncSettings.holderId, segmentId ?? listId))
  const [list] = await db.select({ kind: lists.kind }).from(lists).where(eq(lists.id, listId))
  const { push, pull } = stored ?? defaultSync()
  const pulls = pull.enabled && segmentId === null && list?.kind !== 'plain'
  if (push.enabled || pulls) return []
  const what = segmentId === null ? 'list' : 'segment'
  const message = `The ${what} neither pushes nor pulls anything: its runs do nothing until its settings say otherwise.`
  return [{ code: 'scheduleDoesNothing', message }]
}
