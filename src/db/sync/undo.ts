import { and, asc, eq, gt, lte } from 'drizzle-orm'
import { emailKeyColumn } from '../../domain/list.ts'
import { isEdited } from '../../domain/sync.ts'
import { endOf, setBack, type Columns, type Deed } from '../../domain/undo.ts'
import { isBlank } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import * as lanes from '../lane.ts'
import { lastIdOf } from '../run/entry.ts'
import { insertEntries, renewEntries, type NewEntry } from '../run/record.ts'
import type { Run } from '../run/state.ts'
import { records } from '../schema.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { lockedRows, writeRows, type RowChange, type SyncRow } from './rows.ts'

/** Clocks may differ by so much. */
const slackMs = 60_000

/** Records that a run has made, removed ones too, in the order of ids: they lie between its beginning and its end. */
export const pageCreated = (db: Database, run: Run, after: string, limit: number): Promise<{ id: string }[]> =>
  db
    .select({ id: records.id })
    .from(records)
    .where(
      and(
        eq(records.listId, run.listId!),
        eq(records.createdRunId, run.id),
        gt(records.id, after),
        lte(records.id, lastIdOf(new Date((run.finishedAt?.getTime() ?? Date.now()) + slackMs).toISOString())),
      ),
    )
    .orderBy(asc(records.id))
    .limit(limit)

const subjectOf = ({ id, crmId, entity }: SyncRow) => ({
  recordId: id,
  crmId,
  ...(entity === null ? {} : { entity }),
})

type Page = { plan: SyncPlan; key: lanes.LaneKey; next: string | null }

/** Writes a page's entries, counts them, and moves the lane on. */
const close = async (sql: Sql, { plan, key, next }: Page, entries: NewEntry[], unchanged: number) => {
  const counts = { ...lanes.noLaneCounts(), unchanged }
  const target = targetFor(plan, plan.entity)
  const updated = entries.filter(({ kind }) => kind === 'updated')
  await insertEntries(sql, target, key.runId, key.phase, updated)
  counts.updated = updated.length
  const skips = entries.filter(({ kind }) => kind === 'skipped')
  counts.skipped = await renewEntries(sql, target, key.runId, key.phase, skips)
  counts.read = unchanged + counts.updated + counts.skipped
  return lanes.advance(sql, key, { cursor: next, done: next === null, counts })
}

/** Sets values back here that a run has taken over, where they are still its own, and holds them. All or nothing, with the lane's cursor. */
export const storeSetBack = (
  db: Database,
  columns: Columns,
  deeds: ReadonlyMap<string, Deed>,
  page: Page,
): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const { plan } = page
    const rows = await lockedRows(sql, plan, [...deeds.keys()])
    const changed: RowChange[] = []
    const entries: NewEntry[] = []
    let unchanged = 0
    for (const [id, deed] of deeds) {
      const row = rows.get(id)
      if (row === undefined) continue
      const result = setBack(row, deed, columns, null)
      const end = row.removed ? { kind: 'skipped' as const, code: 'removedHere' } : endOf(result, deed)
      const { patch, agreed, changes } = result
      const { kind } = end
      if (kind === 'unchanged') {
        unchanged += 1
        continue
      }
      entries.push({ ...subjectOf(row), ...end, kind, ...(kind === 'updated' ? { changes } : {}) })
      if (kind === 'skipped') continue
      const email = emailKeyColumn in patch ? { emailKey: emailHexOf(plan.hashKey, patch[emailKeyColumn]) } : {}
      changed.push({ id, version: row.version, patch, agreed, ...email })
    }
    await writeRows(sql, plan.listId, changed)
    return close(sql, page, entries, unchanged)
  }) as Promise<lanes.Moved>

/** Of these records, those that somebody has given an external id, brought back or edited, whose edits a push has sent, or into which another record went. */
const touchedOf = async (sql: Sql, ids: readonly string[]): Promise<Set<string>> => {
  const found = await sql<{ id: string }[]>`
    select r.id::text as id from records r where r.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])
      and (r.external_id is not null or exists (select from entries e where e.record_id = r.id and e.phase in ('push', 'upload') and e.kind = 'updated')
        or exists (select from edits d where d.record_id = r.id and d.kind in ('edited', 'restored', 'merged')))`
  return new Set(found.map(({ id }) => id))
}

/** Somebody has given the record a value here: one that waits to be pushed, or one of a column of ours. */
const isTouched = ({ fields, agreed }: SyncRow, { bound, system }: Columns): boolean =>
  Object.values(agreed).some(isEdited) ||
  Object.entries(fields).some(([key, value]) => !bound.has(key) && !system.has(key) && !isBlank(value))

/** Removes records that a run has made (R17), but for those that were edited here since. All or nothing, with the lane's cursor. */
export const storeRemoved = (
  db: Database,
  columns: Columns,
  made: readonly { id: string }[],
  page: Page,
): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const ids = made.map(({ id }) => id)
    const rows = [...(await lockedRows(sql, page.plan, ids)).values()]
    const touched = ids.length === 0 ? new Set() : await touchedOf(sql, ids)
    const live = rows.filter(({ removed }) => !removed)
    const entries = live.map((row): NewEntry =>
      touched.has(row.id) || isTouched(row, columns)
        ? { ...subjectOf(row), kind: 'skipped', code: 'changedSince' }
        : { ...subjectOf(row), kind: 'updated', code: 'removedAgain' },
    )
    const going = entries.filter(({ kind }) => kind === 'updated').map(({ recordId }) => recordId!)
    if (going.length > 0)
      await sql`
        update records set removed_at = now(), version = version + 1, updated_at = now()
        where id = any(string_to_array(${going.join('\n')}::text, E'\n')::uuid[])`
    return close(sql, page, entries, rows.length - live.length)
  }) as Promise<lanes.Moved>
