import { CancelledFailure, Context } from '@temporalio/activity'
import { readPlace, writePlace, type CsvRow } from '../csv/read.ts'
import * as columns from '../db/column.ts'
import * as lanes from '../db/lane.ts'
import * as lists from '../db/list.ts'
import { scopeOf } from '../db/record/edit.ts'
import { balanceOf } from '../db/run/balance.ts'
import * as runs from '../db/run/state.ts'
import { warn } from '../db/run/warning.ts'
import * as uploads from '../db/upload.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'
import { emailKeyColumn } from '../domain/list.ts'
import { isOver, type RunState } from '../domain/run.ts'
import { externalIdTarget, idTarget, type RunUpload } from '../domain/upload.ts'
import { createRowReader } from '../domain/upload/row.ts'
import { beat } from './beat.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { refreshStatistics, runErrorOf, working, type Outcome } from './run.ts'
import { segmentLimits, type SegmentResult } from './segment.ts'
import { openFile } from './upload/file.ts'

/** Of one transaction. Two pages are held at a time: the one that is stored and the next. */
const pageLimits = { rows: 1000, characters: 2_000_000 }
/** A segment ends sooner by time. */
const segmentRows = 1_000_000

const brokenMessages: Record<NonNullable<CsvRow['broken']>, string> = {
  strayQuote: 'A quotation mark stands in the middle of a cell that does not begin with one.',
  openQuote: 'A cell begins with a quotation mark and does not end with one.',
  textAfterQuote: 'Text follows the closing quotation mark of a cell.',
  tooLong: 'The row is longer than 1,000,000 characters; only its beginning is shown.',
}

const uploadOf = ({ settings }: runs.Run): RunUpload => {
  if (settings.upload === undefined) throw new FairleadError('internal', { detail: 'The run is no upload.' })
  return settings.upload
}

/** Reads rows as what they mean for the list, the ones that mean nothing apart. */
const createSorter = (upload: RunUpload, known: readonly columns.Column[]) => {
  const readRow = createRowReader(upload.columns, known, upload.options)
  const emailIndex = upload.columns.findIndex(({ to }) => to === emailKeyColumn)
  return (rows: readonly CsvRow[]): Pick<uploads.UploadPage, 'rows' | 'refused'> => {
    const page: Pick<uploads.UploadPage, 'rows' | 'refused'> = { rows: [], refused: [] }
    for (const { line, cells, broken } of rows) {
      const read =
        broken === undefined ? readRow(cells) : ({ code: 'brokenRow', message: brokenMessages[broken] } as const)
      if ('code' in read) page.refused.push({ line, cells, email: cells[emailIndex], ...read })
      else page.rows.push({ line, cells, ...read })
    }
    return page
  }
}

/** Headers whose column was removed since the file was received. */
const lostColumns = async (deps: Dependencies, accountId: string, listId: string, { columns: read }: RunUpload) => {
  const kept = new Set<string | null>([null, idTarget, externalIdTarget])
  for (const { key } of await columns.all(deps.db, accountId, listId)) kept.add(key)
  return read.filter(({ to }) => !kept.has(to)).map(({ header }) => header)
}

export const uploadActivities = (deps: Dependencies) => ({
  /**
   * Brings rows of the file into the list for about two minutes, from where the last page ended. A page is read while the one before it is stored.
   * A cancelled or shut-down attempt stops after the page that it is storing.
   */
  async applyUpload(input: RunInput): Promise<SegmentResult> {
    return working(deps, input, async (run) => {
      const upload = uploadOf(run)
      const { accountId, id: runId } = run
      const listId = run.listId!
      const lane = await lanes.claim(deps.db, accountId, runId, 'upload', 0)
      if (lane.done) return { done: true, rows: 0, stop: false }
      const known = await columns.all(deps.db, accountId, listId)
      // for each page anew: what is edited in a column that has become a field of the CRM meanwhile has to be pushed
      const scope = async () => {
        const now = await columns.all(deps.db, accountId, listId)
        return { ...(await scopeOf(deps.db, deps.secrets, { accountId, listId }, now)), runId }
      }
      const key = { runId, phase: 'upload' as const, lane: 0, attempt: lane.attempt }
      const sort = createSorter(upload, known)
      const read = openFile(deps.db, accountId, upload, readPlace(lane.cursor ?? ''))
      const next = async (): Promise<uploads.UploadPage> => {
        const { rows, place, done } = await read(pageLimits)
        return { ...sort(rows), cursor: writePlace(place), done }
      }
      const { cancellationSignal } = Context.current()
      const endAt = Date.now() + segmentLimits.ms
      let rows = 0
      for (let page = await next(); ;) {
        const storing = uploads.storePage(deps.db, await scope(), key, upload, page)
        storing.catch(() => undefined)
        rows += page.rows.length + page.refused.length
        const more = !page.done && rows < segmentRows && Date.now() < endAt
        const following = more ? await next() : undefined
        const { cancelRequested } = await storing
        beat({ rows })
        if (following === undefined || cancelRequested) return { done: page.done, rows, stop: cancelRequested }
        if (cancellationSignal.aborted) throw new CancelledFailure('stopped at a checkpoint')
        page = following
      }
    })
  },

  /** Draws up the ledger of an upload, ends its run, and lets the next upload of the list begin. */
  async finishUpload({ accountId, runId, outcome }: RunInput & { outcome: Outcome }): Promise<{ state: RunState }> {
    const run = await runs.get(deps.db, accountId, runId)
    if (isOver(run.state)) return { state: run.state }
    await lanes.close(deps.db, runId)
    const { counts, balance, recordsAdded } = await balanceOf(deps.db, run)
    const list = await lists.getEver(deps.db, accountId, run.listId!)
    const cancelled =
      outcome.cancelled === true ||
      outcome.code === 'runFinished' ||
      run.cancelRequestedAt !== null ||
      list.removedAt !== null
    const isWhole = outcome.code === undefined && balance.balanced === true
    const state: RunState = cancelled ? 'cancelled' : isWhole ? 'succeeded' : 'failed'
    const error =
      state === 'failed' ? runErrorOf(new FairleadError((outcome.code ?? 'internal') as ErrorCode), null) : null
    const nothing = { mark: null, swept: null, widenedAt: null }
    const upload = uploadOf(run)
    const lost = await lostColumns(deps, accountId, list.id, upload)
    await warn(
      deps.db,
      { runId, listId: list.id },
      lost.map((field) => ({ code: 'columnRemoved', field, count: 1 })),
    )
    await uploads.remove(deps.db, accountId, upload.fileId)
    await refreshStatistics(deps, counts)
    await runs.finish(deps.db, run, { state, counts, balance, error, recordsAdded, ...nothing })
    await deps.deliverOutbox()
    return { state }
  },
})
