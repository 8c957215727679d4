import { z } from 'zod'
import { delimiters, type DelimiterName } from '../../csv/write.ts'
import type { UploadOptions } from '../../domain/upload.ts'
import type { HeaderOptions } from '../../domain/upload/header.ts'
import { text } from '../schemas.ts'

const DelimiterQuery = z.enum(Object.keys(delimiters) as [DelimiterName, ...DelimiterName[]])
/** Of a CSV file that is given out. */
export const FileQuery = z.strictObject({
  delimiter: DelimiterQuery.default('comma'),
  bom: z
    .enum(['true', 'false'])
    .default('true')
    .meta({ description: 'the byte-order mark by which Excel knows UTF-8' }),
})

const Columns = z.record(text(1000), text(200).nullable())

const parseColumns = (json: string, context: z.RefinementCtx): z.infer<typeof Columns> => {
  try {
    const parsed = Columns.safeParse(JSON.parse(json))
    if (parsed.success) return parsed.data
  } catch {
    // said below
  }
  context.addIssue({ code: 'custom', message: 'expects a JSON object of headers and the columns that they go to' })
  return z.NEVER
}

export const UploadQuery = z.strictObject({
  match: z.enum(['none', 'email', 'externalId', 'id']).default('none').meta({
    description:
      'how a row finds its record: not at all, so that each is a new one; by e-mail address, where a row without one is new; by external id, which each row then needs; or by the column `id` of a download of this list, where a row without one is new',
  }),
  onMatch: z.enum(['update', 'skip']).default('update'),
  blanks: z
    .enum(['keep', 'clear'])
    .default('keep')
    .meta({ description: 'what a blank cell does to a value that is there' }),
  unknownColumns: z
    .enum(['refuse', 'create', 'ignore'])
    .default('refuse')
    .meta({ description: 'columns of the file that the list has not; `create` makes text columns' }),
  columns: z
    .string()
    .max(100_000)
    .transform(parseColumns)
    .optional()
    .meta({
      description:
        'a JSON object, header → column (a name, a key, `email`, `externalId`), or null to leave it out; headers that it does not name are found by their names',
      examples: ['{"Mail privat":"email","Notizen":null}'],
    }),
  encoding: z.enum(['utf-8', 'windows-1252', 'utf-16le', 'utf-16be']).optional().meta({
    description:
      'found out by itself: by the byte-order mark, else UTF-8 if all of it is, else Windows-1252 if none of its letters are; a mixture is refused',
  }),
  delimiter: DelimiterQuery.optional().meta({ description: 'found out by itself' }),
  dates: z
    .enum(['iso', 'dmy', 'mdy'])
    .default('iso')
    .meta({ description: 'what 1/2/2026 is; 2026-02-01 and 1.2.2026 are always the first of February' }),
  decimal: z.enum(['point', 'comma']).default('point'),
})
export type UploadQuery = z.infer<typeof UploadQuery>

export const optionsOf = ({ match, onMatch, blanks, dates, decimal }: UploadQuery): UploadOptions => ({
  match,
  onMatch,
  blanks,
  dates,
  decimal,
})
export const headerOptionsOf = ({ columns = {}, unknownColumns, match }: UploadQuery): HeaderOptions => ({
  given: columns,
  unknown: unknownColumns,
  byId: match === 'id',
})
