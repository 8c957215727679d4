import { and, asc, count, desc, eq, gt, gte, inArray, isNotNull, isNull, lte, or, sql, type SQL } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { renewsNone, type EntryKind, type EntryWarning } from '../../domain/run.ts'
import { lostNames } from '../column.ts'
import type { Database } from '../database.ts'
import { failureCode } from '../failure.ts'
import type { Transaction } from '../outbox.ts'
import { columns, entries, records } from '../schema.ts'
import type { Person } from './person.ts'
import type { RunRow } from './read.ts'

export type Entry = Omit<typeof entries.$inferSelect, 'emailKey' | 'accountId'>

export type Wanted = { kind?: EntryKind; code?: string; phase?: string; person?: Person; limit: number }

/**
 * The run's own entries and those of the list that it renewed: ids are in order of time. Each is one entry of each of these runs, but for those
 * between that renew none.
 */
export const ofRun = (accountId: string, run: Pick<RunRow, 'id' | 'kind' | 'listId'>) =>
  and(
    eq(entries.accountId, accountId),
    run.listId === null ? isNull(entries.listId) : eq(entries.listId, run.listId),
    ...(renewsNone(run.kind)
      ? [eq(entries.lastRunId, run.id)]
      : [lte(entries.firstRunId, run.id), gte(entries.lastRunId, run.id)]),
  )

/** Values are stored by column key; people read names, also of columns that were removed since. */
const labelsOf = async (db: Database, accountId: string, listId: string | null): Promise<Map<string, string>> => {
  if (listId === null) return new Map()
  const rows = await db
    .select({ key: columns.key, label: sql<string>`coalesce(${columns.crmField}, ${columns.name})` })
    .from(columns)
    .where(and(eq(columns.accountId, accountId), eq(columns.listId, listId)))
  return new Map([...(await lostNames(db, accountId, listId)), ...rows.map(({ key, label }) => [key, label] as const)])
}

const withLabels = async (db: Database, accountId: string, listId: string | null, rows: Entry[]): Promise<Entry[]> => {
  if (rows.every(({ changes, warnings }) => changes === null && warnings === null)) return rows
  const labels = await labelsOf(db, accountId, listId)
  const label = (key: string): string => labels.get(key) ?? key
  const named = ({ field, fields, ...warning }: EntryWarning): EntryWarning => ({
    ...warning,
    ...(field !== undefined && { field: label(field) }),
    ...(fields !== undefined && { fields: fields.map(label) }),
  })
  return rows.map((row) => ({
    ...row,
    changes:
      row.changes && Object.fromEntries(Object.entries(row.changes).map(([key, change]) => [label(key), change])),
    warnings: row.warnings && row.warnings.map(named),
  }))
}

const selection = {
  id: entries.id,
  listId: entries.listId,
  firstRunId: entries.firstRunId,
  lastRunId: entries.lastRunId,
  times: entries.times,
  phase: entries.phase,
  kind: entries.kind,
  code: entries.code,
  recordId: entries.recordId,
  crmEntity: entries.crmEntity,
  crmId: entries.crmId,
  changes: entries.changes,
  warnings: entries.warnings,
  crm: entries.crm,
  row: entries.row,
  at: entries.at,
}

const ofPerson = ({ emailKey, recordIds, people }: Person): SQL =>
  or(
    emailKey && eq(entries.emailKey, emailKey),
    recordIds.length > 0 ? inArray(entries.recordId, recordIds) : undefined,
    ...people.map((each) => and(eq(entries.crmEntity, each.entity), eq(entries.crmId, each.id))),
  ) ?? sql`false`

const matching = ({ kind, code, phase, person }: Wanted) =>
  and(
    kind && eq(entries.kind, kind),
    code === undefined ? undefined : eq(entries.code, code),
    phase === undefined ? undefined : eq(entries.phase, phase),
    person && ofPerson(person),
  )

/** Records that a run created say so themselves. They are listed when they are asked for, and beside the entries of one person. */
const includesCreated = ({ kind, code, phase, person }: Wanted): boolean =>
  (kind === 'created' || (kind === undefined && person !== undefined)) &&
  code === undefined &&
  (phase === undefined || phase === 'pull' || phase === 'upload')

/** of the run that made it */
const phaseOfCreated = sql<string>`coalesce((select case when c.kind = 'upload' then 'upload' else 'pull' end from runs c where c.id = records.created_run_id), 'pull')`
const createdAt = sql<Date>`uuid_extract_timestamp(${records.id})`.mapWith(entries.at)

const selectCreated = (db: Database | Transaction, accountId: string, list: string, wanted: Wanted, where?: SQL) =>
  db
    .select({
      recordId: records.id,
      runId: records.createdRunId,
      crmEntity: records.crmEntity,
      crmId: records.crmId,
      phase: phaseOfCreated,
      at: createdAt,
    })
    .from(records)
    .where(
      and(
        eq(records.accountId, accountId),
        eq(records.listId, list),
        wanted.person && inArray(records.id, wanted.person.recordIds),
        wanted.phase === undefined ? undefined : sql`${phaseOfCreated} = ${wanted.phase}`,
        where,
      ),
    )
    .limit(wanted.limit)

type Created = Awaited<ReturnType<typeof selectCreated>>[number]

const entryOf =
  (listId: string) =>
  ({ runId, ...row }: Created): Entry => ({
    ...row,
    id: row.recordId,
    listId,
    firstRunId: runId!,
    lastRunId: runId!,
    times: 1,
    kind: 'created',
    code: null,
    changes: null,
    warnings: null,
    crm: null,
    row: null,
  })

/**
 * What a run did to single records, oldest first, after the entry of an id. Created records come only when they are asked for, among the leads
 * that a push created.
 */
export const page = async (
  db: Database,
  accountId: string,
  run: RunRow,
  wanted: Wanted & { after?: string },
): Promise<Entry[]> => {
  const { limit, after } = wanted
  const rows: Entry[] = await db
    .select(selection)
    .from(entries)
    .where(and(ofRun(accountId, run), matching(wanted), after === undefined ? undefined : gt(entries.id, after)))
    .orderBy(asc(entries.id))
    .limit(limit)
  if (run.listId !== null && includesCreated(wanted)) {
    // Ids are in order of time, so records older than the run need not be looked at.
    const own = and(eq(records.createdRunId, run.id), gt(records.id, after ?? run.id))
    const created = await selectCreated(db, accountId, run.listId, wanted, own).orderBy(asc(records.id))
    rows.push(...created.map(entryOf(run.listId)))
    rows.sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  return withLabels(db, accountId, run.listId, rows.slice(0, limit))
}

export type EntryKey = { at: string; id: string }

/** The largest version 7 id of a millisecond. */
export const lastIdOf = (at: string): string => {
  const hex = Date.parse(at).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7fff-bfff-ffffffffffff`
}

const queryCanceled = '57014'

/**
 * What all runs of a list did to single records, previews aside, newest first, before the entry of a key; an entry that was renewed is as new as its last run.
 * No index serves every search: it ends with queryTimeout after `timeoutMs`.
 */
export const pageOfList = async (
  db: Database,
  accountId: string,
  list: string,
  wanted: Wanted & { before?: EntryKey },
  timeoutMs = 10_000,
): Promise<Entry[]> => {
  const { limit, before } = wanted
  const key = before && sql`(${before.at}::timestamptz, ${before.id}::uuid)`
  const find = async (tx: Transaction): Promise<Entry[]> => {
    await tx.execute(sql.raw(`set local statement_timeout = ${Math.round(timeoutMs)}`))
    const isDone = sql`not exists (select from runs p where p.id = ${entries.lastRunId} and p.kind = 'preview')`
    const ofList = and(eq(entries.accountId, accountId), eq(entries.listId, list), isDone)
    const rows: Entry[] = await tx
      .select(selection)
      .from(entries)
      .where(and(ofList, matching(wanted), key && sql`(${entries.at}, ${entries.id}) < ${key}`))
      .orderBy(desc(entries.at), desc(entries.id))
      .limit(limit)
    if (!includesCreated(wanted)) return rows
    const earlier = before && and(lte(records.id, lastIdOf(before.at)), sql`(${createdAt}, ${records.id}) < ${key}`)
    const byRun = and(isNotNull(records.createdRunId), earlier)
    const created = await selectCreated(tx, accountId, list, wanted, byRun).orderBy(desc(records.id))
    rows.push(...created.map(entryOf(list)))
    return rows.sort((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1)).slice(0, limit)
  }
  try {
    return await withLabels(db, accountId, list, await db.transaction(find))
  } catch (error) {
    if (failureCode(error) === queryCanceled) throw new FairleadError('queryTimeout')
    throw error
  }
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
