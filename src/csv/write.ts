import { guard } from './safe.ts'

export const delimiters = { comma: ',', semicolon: ';', tab: '\t', pipe: '|' } as const
export type DelimiterName = keyof typeof delimiters

/** The byte-order mark, by which Excel knows UTF-8. */
export const mark = '\uFEFF'

// Any delimiter is quoted, whatever the file's own: a spreadsheet may be set to another one.
const special = /["\r\n,;\t|]|^\s|\s$/

/** One record of a file by RFC 4180, its line end included; no cell can start a formula. */
export const writeRecord = (cells: readonly string[], delimiter: string): string =>
  `${cells
    .map((cell) => {
      const safe = guard(cell)
      return special.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
    })
    .join(delimiter)}\r\n`
