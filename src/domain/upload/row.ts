import { causeOf } from '../cause.ts'
import { readCell } from '../cell.ts'
import type { CrmValue, FieldType } from '../crm.ts'
import { emailKeyColumn } from '../list.ts'
import type { RecordColumn } from '../record.ts'
import { columnNoun, isText } from '../typed.ts'
import { cutMark } from './cut.ts'
import { externalIdTarget, idTarget, type UploadColumn, type UploadOptions } from '../upload.ts'

export type RowCode = 'brokenRow' | 'tooManyCells' | 'invalidCell' | 'emptyRow' | 'recordUnknown'
/** `id`: of the record that is meant, where rows are matched by it */
export type RowRead = { values: Record<string, CrmValue>; externalId: string | null | undefined; id?: string }
/** `type: null` is the external id */
type Target = { index: number; header: string; key: string; type: FieldType | null }
/** `column`: header of the cell at fault */
export type RowRefusal = { code: RowCode; column?: string; message: string }

/** As the API takes them. */
const longestExternalId = 200

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

const isBlank = (cell: string): boolean => cell.trim() === ''

/**
 * Reads the cells of a row by the columns that they go to. A missing cell is absent; a blank one is absent or null, as `blanks` says. A column
 * that the list has no more is left out.
 */
export const createRowReader = (
  file: readonly UploadColumn[],
  columns: readonly RecordColumn[],
  options: UploadOptions,
): ((cells: readonly string[]) => RowRead | RowRefusal) => {
  const types = new Map(
    columns.map(({ key, type }): [string, FieldType] => [key, key === emailKeyColumn ? 'email' : type]),
  )
  const targets = file.flatMap(({ header, to }, index): Target[] => {
    const type = to === null ? undefined : types.get(to)
    if (to === externalIdTarget) return [{ index, header, key: to, type: null }]
    return to === null || type === undefined ? [] : [{ index, header, key: to, type }]
  })
  const clears = options.blanks === 'clear'
  const idIndex = options.match === 'id' ? file.findIndex(({ to }) => to === idTarget) : -1
  const externalIdHeader = targets.find(({ type }) => type === null)?.header

  return (cells) => {
    if (cells.length > file.length && !cells.slice(file.length).every(isBlank)) {
      const message = `The row has ${cells.length} cells, and the header names ${file.length}.`
      return { code: 'tooManyCells', message }
    }
    const id = cells[idIndex]?.trim().toLowerCase() || undefined
    if (id !== undefined && !uuid.test(id)) {
      return { code: 'recordUnknown', column: file[idIndex]!.header, message: causeOf('recordUnknown').message }
    }
    const values: Record<string, CrmValue> = {}
    let externalId: string | null | undefined
    let something = false
    for (const { index, header, key, type } of targets) {
      const cell = cells[index]
      if (cell === undefined) continue
      if (cell.endsWith(cutMark)) {
        const message = 'The cell is not whole: it was cut in the list of rejected rows. Take it from the first file.'
        return { code: 'invalidCell', column: header, message }
      }
      if (type === null) {
        externalId = cell.trim() || (clears ? null : undefined)
        if (cell.length > longestExternalId || !isText(cell)) {
          const message = `An external id is text of at most ${longestExternalId} characters.`
          return { code: 'invalidCell', column: header, message }
        }
        continue
      }
      const [value, expects] = isBlank(cell) ? [null, ''] : readCell(type, cell, options)
      if (value === undefined) {
        return { code: 'invalidCell', column: header, message: `${columnNoun(type)} ${expects}.` }
      }
      if (value !== null) something = true
      if (value !== null || clears) values[key] = value
    }
    if (options.match === 'externalId' && typeof externalId !== 'string') {
      const message = 'Rows that are matched by external id need one.'
      return { code: 'invalidCell', ...(externalIdHeader && { column: externalIdHeader }), message }
    }
    if (!something && typeof externalId !== 'string' && id === undefined) {
      return { code: 'emptyRow', message: 'The row has nothing in the columns that are read.' }
    }
    return { values, externalId, ...(id !== undefined && { id }) }
  }
}
