import { causeOf } from '../../domain/cause.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { EntryChanges, EntryKind, EntryRow } from '../../domain/run.ts'
import { externalIdTarget, idTarget, type RunUpload } from '../../domain/upload.ts'
import { cutRow } from '../../domain/upload/cut.ts'
import type { RowRead, RowRefusal } from '../../domain/upload/row.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import { erasedAmong } from '../erasure/known.ts'
import { advance, noLaneCounts, type LaneKey, type Moved } from '../lane.ts'
import { upsertIn, type BulkOutcome } from '../record/bulk.ts'
import { inTransaction, type Scope } from '../record/edit.ts'

type FileRow = { line: number; cells: string[] }
export type UploadPage = {
  rows: (FileRow & RowRead)[]
  /** with the address, where the row has one: what is kept of a person must be found by it */
  refused: (FileRow & RowRefusal & { email?: string })[]
  /** where the next page begins */
  cursor: string
  done: boolean
}

type NewEntry = {
  line: number
  kind: EntryKind
  code: string | null
  recordId: string | null
  /** hexadecimal, '' without an address */
  email: string
  changes?: EntryChanges
  row?: EntryRow
}

/** Postgres keeps neither NUL nor halves of surrogate pairs. */
const storable = (cell: string): string => cell.replaceAll('\0', '\uFFFD').toWellFormed()
const storableRow = (whole: EntryRow): EntryRow => {
  const row = cutRow(whole)
  return { ...row, cells: row.cells.map(storable) }
}

const insertEntries = async (sql: Sql, { accountId, listId }: Scope, runId: string, entries: NewEntry[]) => {
  if (entries.length === 0) return
  const rows = entries.map(({ kind, code, recordId, email, changes, row }, n) => ({
    n,
    kind,
    code,
    record_id: recordId,
    email,
    changes,
    row: row && storableRow(row),
  }))
  await sql`
    insert into entries (account_id, list_id, first_run_id, last_run_id, phase, kind, code, record_id, crm_entity, crm_id, email_key, changes, row)
    select ${accountId}::uuid, ${listId}::uuid, ${runId}::uuid, ${runId}::uuid, 'upload', e.kind, e.code, r.id, r.crm_entity, r.crm_id,
      coalesce(decode(nullif(e.email, ''), 'hex'), r.email_key), e.changes, e.row
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb)
      as e (n int, kind text, code text, record_id uuid, email text, changes jsonb, row jsonb)
      left join records r on r.id = e.record_id
    order by e.n`
}

const entryOf =
  (scope: Scope, upload: Pick<RunUpload, 'columns' | 'options'>) =>
  ({ line, cells, values }: UploadPage['rows'][number], { result, code, id, changes }: BulkOutcome): NewEntry[] => {
    if (result === 'created' || result === 'unchanged') return []
    // names nobody (R40)
    if (code === 'erased') return [{ line, kind: 'skipped', code, recordId: null, email: '' }]
    const email = emailHexOf(scope.hashKey, values[emailKeyColumn])
    if (result === 'updated') return [{ line, kind: result, code: null, recordId: id, email, changes }]
    const cause = code ?? 'existsSkipped'
    const culprit = upload.options.match === 'id' && code !== 'externalIdTaken' ? idTarget : externalIdTarget
    const column = code === undefined ? undefined : upload.columns.find(({ to }) => to === culprit)?.header
    const row = { line, ...(column && { column }), message: causeOf(cause).message, cells }
    return [{ line, kind: result, code: cause, recordId: id, email, row }]
  }

/**
 * Stores a page of a file: records, entries, and with them, last, cursor and counts under the fence of the attempt. Errors: notFound for a list that
 * was removed, leaseLost.
 */
export const storePage = (
  db: Database,
  scope: Scope,
  key: LaneKey,
  upload: RunUpload,
  { rows, refused, cursor, done }: UploadPage,
): Promise<Moved> =>
  inTransaction(db, scope.accountId, async (sql) => {
    const outcomes = rows.length === 0 ? [] : await upsertIn(sql, scope, rows, upload.options)
    const toEntries = entryOf(scope, upload)
    const listed = outcomes.flatMap((outcome, index) => toEntries(rows[index]!, outcome))
    const hexOf = (email: string | undefined): string => emailHexOf(scope.hashKey, email)
    const erased = await erasedAmong(
      sql,
      scope.accountId,
      refused.map(({ email }) => hexOf(email)),
    )
    const rejected = refused.map(({ line, cells, code, column, message, email }): NewEntry => {
      if (erased.has(hexOf(email))) return { line, kind: 'skipped', code: 'erased', recordId: null, email: '' }
      const row = { line, ...(column === undefined ? {} : { column }), message, cells }
      return { line, kind: 'rejected', code, recordId: null, email: hexOf(email), row }
    })
    await insertEntries(
      sql,
      scope,
      key.runId,
      [...listed, ...rejected].toSorted((a, b) => a.line - b.line),
    )
    const counts = noLaneCounts()
    counts.read = rows.length + refused.length
    counts.rejected = rejected.filter(({ kind }) => kind === 'rejected').length
    counts.skipped = refused.length - counts.rejected
    for (const { result } of outcomes) counts[result] += 1
    return advance(sql, key, { cursor, done, counts })
  })
