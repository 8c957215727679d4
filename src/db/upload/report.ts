import { and, asc, eq, gt, isNotNull } from 'drizzle-orm'
import type { EntryRow } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import { entries } from '../schema.ts'

export type ReportRow = { id: string; code: string | null; row: EntryRow }

/** Rows of a file that were rejected or skipped, in the order of the file, after the entry of an id. */
export const pageRows = async (
  db: Database,
  accountId: string,
  runId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<ReportRow[]> => {
  const rows = await db
    .select({ id: entries.id, code: entries.code, row: entries.row })
    .from(entries)
    .where(
      and(
        eq(entries.accountId, accountId),
        eq(entries.lastRunId, runId),
        isNotNull(entries.row),
        after === undefined ? undefined : gt(entries.id, after),
      ),
    )
    .orderBy(asc(entries.id))
    .limit(limit)
  return rows.flatMap(({ row, ...rest }) => (row === null ? [] : [{ ...rest, row }]))
}
