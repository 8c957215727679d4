import { z } from 'zod'
import { FairleadError } from '../../domain/errors.ts'
import { trimId } from '../values/value.ts'

export type Row = Record<string, unknown>

const Count = z.coerce.number().int().min(0).nullish().catch(null)

const Envelope = z.object({
  $resources: z.array(z.unknown()).nullish(),
  $totalResults: Count,
  $itemsPerPage: Count,
  $next: z.unknown().optional(),
})

export type Feed = {
  rows: Row[]
  /** what the CRM says it has for this query: a hint (6.3) */
  total: number | null
  itemsPerPage: number | null
  more: boolean
}

export const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The envelope of a feed. Rows are checked to be objects only; throws crmAnswer. */
export const readFeed = (json: unknown, needsRows = true): Feed => {
  const parsed = Envelope.safeParse(json)
  const rows = parsed.data?.$resources ?? (needsRows ? null : [])
  if (!parsed.success || !rows || !rows.every(isRow)) throw new FairleadError('crmAnswer')
  const { $totalResults, $itemsPerPage, $next } = parsed.data
  return {
    rows,
    total: $totalResults ?? null,
    itemsPerPage: $itemsPerPage ?? null,
    more: typeof $next === 'string' && $next !== '',
  }
}

/** The key of a row without padding; throws crmAnswer when it has none. */
export const keyOf = (row: Row): string => {
  const key = trimId(row['$key']) ?? trimId(row['Id']) ?? trimId(row['id'])
  if (key === null) throw new FairleadError('crmAnswer', { detail: 'The CRM’s answer holds a person without a key.' })
  return key
}

/** A property in whatever case the server writes it. */
export const member = (row: Row, name: string): unknown => {
  if (row[name] !== undefined) return row[name]
  const lower = name.toLowerCase()
  const key = Object.keys(row).find((candidate) => candidate.toLowerCase() === lower)
  return key === undefined ? undefined : row[key]
}

/** Adds the properties of `more` to `row`, one level into related objects. `$etag` stays the first one: what was read first must not pass for newer. */
export const mergeRow = (row: Row | undefined, more: Row): void => {
  if (!row) return
  for (const [name, value] of Object.entries(more)) {
    if (name.startsWith('$') && row[name] !== undefined) continue
    const known = row[name]
    const both = typeof known === 'object' && known !== null && typeof value === 'object' && value !== null
    row[name] = both ? { ...known, ...value } : value
  }
}
