import { createCsvReader, type CsvRow } from './read.ts'

const candidates = [',', ';', '\t', '|'] as const
/** So many records tell which delimiter it is. */
const sampled = 50

/** The line by which Excel says the delimiter itself: `sep=;` */
const said = /^"?sep=([,;\t|])"?(\r\n|\n|\r)/i

const sample = (text: string, isWhole: boolean, delimiter: string): CsvRow[] => {
  const reader = createCsvReader(delimiter, { chunk: 0, offset: 0, line: 1 })
  reader.push(0, text, isWhole)
  const rows: CsvRow[] = []
  for (let row = reader.next(); row !== undefined && rows.length < sampled; row = reader.next()) rows.push(row)
  return rows
}

/** How large a part of the records has as many cells as the header; 0 when that has one cell only. */
const consistency = ([header, ...rows]: CsvRow[]): number => {
  if (header === undefined || header.broken !== undefined || header.cells.length < 2) return 0
  const alike = rows.filter(({ cells, broken }) => broken === undefined && cells.length === header.cells.length).length
  return (alike + 1) / (rows.length + 1)
}

/**
 * What stands between the cells, from the beginning of a file: as Excel says it, else the one that divides the most records into as many cells as
 * the header, else the comma. `skipped` is the length of the line that says it.
 */
export const detectDelimiter = (text: string, isWhole: boolean): { delimiter: string; skipped: number } => {
  const first = said.exec(text)
  if (first !== null) return { delimiter: first[1]!, skipped: first[0].length }
  const scored = candidates.map((delimiter) => {
    const rows = sample(text, isWhole, delimiter)
    return { delimiter, score: consistency(rows), width: rows[0]?.cells.length ?? 0 }
  })
  const best = scored.reduce((a, b) => (b.score > a.score || (b.score === a.score && b.width > a.width) ? b : a))
  return { delimiter: best.score === 0 ? ',' : best.delimiter, skipped: 0 }
}
