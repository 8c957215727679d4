import type { createCsvReader, CsvRow, Place } from './read.ts'

/** A page ends with the row that reaches either; `characters` counts UTF-16 units of the cells, and one for each cell. */
export type PageLimits = { rows: number; characters: number }

const sizeOf = ({ cells }: CsvRow): number => cells.reduce((sum, cell) => sum + cell.length + 1, 0)

/**
 * The next rows of a file, as many as the limits let: at least one where there is one, so a page is longer than `characters` by one row at most.
 * `more` gives the reader its next chunk, or false behind the last one; what it throws is passed on.
 */
export const readPage = async (
  reader: Pick<ReturnType<typeof createCsvReader>, 'next' | 'place'>,
  more: () => Promise<boolean>,
  limits: PageLimits,
): Promise<{ rows: CsvRow[]; place: Place; done: boolean }> => {
  const rows: CsvRow[] = []
  let characters = 0
  while (rows.length < limits.rows && characters < limits.characters) {
    const row = reader.next()
    if (row !== undefined) {
      rows.push(row)
      characters += sizeOf(row)
    } else if (!(await more())) return { rows, place: reader.place(), done: true }
  }
  return { rows, place: reader.place(), done: false }
}
