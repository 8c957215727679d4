import { and, asc, gt, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { records } from '../schema.ts'
import { crmState, live, selection, toRow, type ListOf, type RecordRow } from './read.ts'

/**
 * All records of a list by id, a page at a time: each page is a statement of its own, so a reader may take his time. What changes meanwhile is
 * seen as it is then; nobody comes twice. `where` narrows them.
 */
export async function* walk(
  db: Database,
  accountId: string,
  list: ListOf,
  { where, size = 1000 }: { where?: SQL; size?: number } = {},
): AsyncGenerator<RecordRow[]> {
  for (let after: string | undefined; ;) {
    const rows = await db
      .select({ ...selection, crmState: crmState(list) })
      .from(records)
      .where(and(live(accountId, list.id), where, after === undefined ? undefined : gt(records.id, after)))
      .orderBy(asc(records.id))
      .limit(size)
    if (rows.length > 0) yield rows.map(toRow)
    if (rows.length < size) return
    after = rows.at(-1)!.id
  }
}
