/** One line of the report. `met` is null where nothing is demanded. */
export type Line = { work: string; must: string; measured: string; met: boolean | null }

const verdictOf = ({ met }: Line): string => (met === null ? '–' : met ? 'yes' : 'no')

export const toMarkdown = (lines: Line[], machine: string, notes: string[]): string =>
  [
    '| work | must reach | measured | reached |',
    '|---|---|---|---|',
    ...lines.map((line) => `| ${line.work} | ${line.must} | ${line.measured} | ${verdictOf(line)} |`),
    '',
    machine,
    ...notes.map((note) => `\n${note}`),
    '',
  ].join('\n')

export const thousands = (value: number): string => `${Math.round(value / 100) / 10} thousand`
export const sizeOf = (rows: number): string =>
  rows >= 1_000_000 ? `${rows / 1_000_000} million` : `${rows / 1000} thousand`
