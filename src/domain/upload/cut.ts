import type { EntryRow } from '../run.ts'

/** Stands at the end of a cell of which an entry keeps the beginning only. A row that has it is not read again as if it were whole. */
export const cutMark = '…[cut]'

/** UTF-16 units that an entry keeps: of one cell, of all cells together, and how many cells. */
const longestCell = 2000
const longestRow = 20_000
const mostCells = 2000

/** The cells of a row as an entry keeps them, so that it stays small: what is left out is marked where it was. */
export const cutCells = (cells: readonly string[]): string[] => {
  let left = longestRow
  const kept = cells.slice(0, mostCells).map((cell) => {
    const most = Math.min(longestCell, left)
    left -= Math.min(cell.length, most)
    return cell.length > most ? `${cell.slice(0, most)}${cutMark}` : cell
  })
  return cells.length > mostCells ? [...kept, cutMark] : kept
}

/** A row as an entry keeps it; its sentence says when cells are cut. */
export const cutRow = (row: EntryRow): EntryRow => {
  const cells = cutCells(row.cells)
  const isWhole = cells.every((cell, index) => cell === row.cells[index])
  return {
    ...row,
    cells,
    message: isWhole ? row.message : `${row.message} Cells that end with ${cutMark} were longer.`,
  }
}
