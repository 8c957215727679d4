import { FairleadError } from '../domain/errors.ts'
import { detectDelimiter } from './delimiter.ts'
import { createCsvReader, type Place } from './read.ts'

/** `next`: where the first record of data begins */
export type Head = { delimiter: string; header: string[]; line: number; next: Place }

/** The header of a file from its first chunk. Errors: emptyFile, headerInvalid. */
export const readHead = (text: string, isWhole: boolean, asked?: string): Head => {
  const found = detectDelimiter(text, isWhole)
  const { skipped } = found
  const delimiter = asked ?? found.delimiter
  const from = { chunk: 0, offset: skipped, line: skipped === 0 ? 1 : 2 }
  const reader = createCsvReader(delimiter, from)
  reader.push(0, text.slice(skipped), isWhole)
  const first = reader.next()
  if (first === undefined && isWhole) throw new FairleadError('emptyFile', { detail: 'Line 1: the file is empty.' })
  if (first === undefined || first.broken === 'tooLong') {
    throw new FairleadError('headerInvalid', { detail: `Line ${from.line}: the header has no end.` })
  }
  if (first.broken !== undefined) {
    throw new FairleadError('headerInvalid', {
      detail: `Line ${first.line}: a quotation mark of the header has no partner.`,
    })
  }
  return { delimiter, header: first.cells, line: first.line, next: reader.place() }
}
