import { and, asc, count, eq, gt, gte, isNotNull, isNull, lte, sql } from 'drizzle-orm'
import type { EntryKind } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import { columns, entries, records } from '../schema.ts'
import type { RunRow } from './read.ts'

export type Entry = Omit<typeof entries.$inferSelect, 'emailKey' | 'accountId'>
type Wanted = { kind?: EntryKind; code?: string; limit: number; after?: string }

/** The run's own entries and those of the list that it renewed: ids are in order of time. */
const ofRun = (accountId: string, run: RunRow) =>
  and(
    eq(entries.accountId, accountId),
    run.listId === null ? isNull(entries.listId) : eq(entries.listId, run.listId),
    lte(entries.firstRunId, run.id),
    gte(entries.lastRunId, run.id),
  )

/** Values are stored by column key; people read names. */
const labelsOf = async (db: Database, accountId: string, listId: string | null): Promise<Map<string, string>> => {
  if (listId === null) return new Map()
  const rows = await db
    .select({ key: columns.key, label: sql<string>`coalesce(${columns.crmField}, ${columns.name})` })
    .from(columns)
    .where(and(eq(columns.accountId, accountId), eq(columns.listId, listId)))
  return new Map(rows.map(({ key, label }) => [key, label]))
}

const { id, listId, firstRunId, lastRunId, times, phase, kind, code, recordId, crmEntity, crmId, changes, crm, at } =
  entries
const selection = {
  id,
  listId,
  firstRunId,
  lastRunId,
  times,
  phase,
  kind,
  code,
  recordId,
  crmEntity,
  crmId,
  changes,
  crm,
  at,
}

/** A record that a run created needs no row of its own: the record says so. */
const pageCreated = async (
  db: Database,
  accountId: string,
  run: RunRow,
  { limit, after }: Wanted,
): Promise<Entry[]> => {
  if (run.listId === null) return []
  const { id: recordId, crmEntity, crmId } = records
  const rows = await db
    .select({ recordId, crmEntity, crmId, at: sql<Date>`uuid_extract_timestamp(${recordId})`.mapWith(entries.at) })
    .from(records)
    .where(
      and(
        eq(records.accountId, accountId),
        eq(records.listId, run.listId),
        eq(records.createdRunId, run.id),
        // Ids are in order of time, so records older than the run need not be looked at.
        gt(recordId, after ?? run.id),
      ),
    )
    .orderBy(asc(recordId))
    .limit(limit)
  const shared = { listId: run.listId, firstRunId: run.id, lastRunId: run.id, times: 1, changes: null, crm: null }
  return rows.map((row) => ({
    ...shared,
    ...row,
    id: row.recordId,
    phase: 'pull',
    kind: 'created' as const,
    code: null,
  }))
}

/** What a run did to single records, oldest first. Created ones come only when they are asked for. */
export const page = async (db: Database, accountId: string, run: RunRow, wanted: Wanted): Promise<Entry[]> => {
  if (wanted.kind === 'created') return wanted.code === undefined ? pageCreated(db, accountId, run, wanted) : []
  const rows = await db
    .select(selection)
    .from(entries)
    .where(
      and(
        ofRun(accountId, run),
        wanted.kind === undefined ? undefined : eq(entries.kind, wanted.kind),
        wanted.code === undefined ? undefined : eq(entries.code, wanted.code),
        wanted.after === undefined ? undefined : gt(entries.id, wanted.after),
      ),
    )
    .orderBy(asc(entries.id))
    .limit(wanted.limit)
  if (rows.every((row) => row.changes === null)) return rows
  const labels = await labelsOf(db, accountId, run.listId)
  return rows.map((row) => ({
    ...row,
    changes:
      row.changes &&
      Object.fromEntries(Object.entries(row.changes).map(([key, change]) => [labels.get(key) ?? key, change])),
  }))
}

export type CauseCount = { phase: string; kind: EntryKind; code: string; count: number }

/** How many entries of a run have each reason, the most frequent first. */
export const causes = async (db: Database, accountId: string, run: RunRow): Promise<CauseCount[]> => {
  const rows = await db
    .select({ phase: entries.phase, kind: entries.kind, code: sql<string>`${entries.code}`, count: count() })
    .from(entries)
    .where(and(ofRun(accountId, run), isNotNull(entries.code)))
    .groupBy(entries.phase, entries.kind, entries.code)
  return rows.sort((a, b) => b.count - a.count || (a.code < b.code ? -1 : 1))
}
