export const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** `rows` under each other, the first column to the left, the others to the right. */
export const table = (rows: string[][]): string => {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? []
  const cell = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart((widths[column] ?? 0) + 3)
  return rows.map((row) => `  ${row.map(cell).join('')}`.trimEnd()).join('\n')
}
