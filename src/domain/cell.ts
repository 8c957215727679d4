import type { CrmValue, FieldType } from './crm.ts'
import { isText, readTyped } from './typed.ts'

/** How numbers and days are written in a file, where that is not plain from themselves. */
export type CellFormats = { dates: 'iso' | 'dmy' | 'mdy'; decimal: 'point' | 'comma' }

const grouped = {
  point: /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/,
  comma: /^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$/,
} as const
const exponent = /^[+-]?\d+(\.\d+)?e[+-]?\d+$/i

/** A number as our reader of values takes it: a point before the decimals, nothing between the thousands. */
const plainNumber = (text: string, decimal: CellFormats['decimal']): string | number => {
  const bare = grouped[decimal].test(text) ? text.replaceAll(decimal === 'point' ? ',' : '.', '') : text
  // a point that stands between no thousands: nobody knows whether 1.5 is one and a half
  if (decimal === 'comma') return bare.includes('.') ? Number.NaN : bare.replace(',', '.')
  return exponent.test(bare) ? Number(bare) : bare
}

const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/
const slashed = /^(\d{1,2})[/-](\d{1,2})[/-](\d{4})$/
const midnight = /^(\d{4}-\d\d-\d\d)[ T]00:00(:00(\.0+)?)?$/

/** Day.month.year is always that; with strokes the file decides which comes first. */
const plainDay = (text: string, dates: CellFormats['dates']): string => {
  const day = midnight.exec(text)?.[1]
  if (day !== undefined) return day
  const match = dotted.exec(text) ?? (dates === 'iso' ? null : slashed.exec(text))
  if (match === null) return text
  const [, first = '', second = '', year = ''] = match
  const [days, months] = dates === 'mdy' && !text.includes('.') ? [second, first] : [first, second]
  return `${year}-${months.padStart(2, '0')}-${days.padStart(2, '0')}`
}

const truths = new Map([
  ...['yes', 'ja', 'wahr'].map((word) => [word, true] as const),
  ...['no', 'nein', 'falsch'].map((word) => [word, false] as const),
])

const plainOf = (type: FieldType, text: string, { dates, decimal }: CellFormats): unknown => {
  switch (type) {
    case 'number':
      return plainNumber(text.trim(), decimal)
    case 'date':
      return plainDay(text.trim(), dates)
    case 'instant':
      return text.trim()
    case 'boolean':
      return truths.get(text.trim().toLowerCase()) ?? text
    default:
      return text
  }
}

/**
 * A cell of a file read by the type of its column (R8, R10); undefined for what is no such value, with what was expected. Blank is null, text
 * stays as it is.
 */
export const readCell = (
  type: FieldType,
  text: string,
  formats: CellFormats,
): readonly [CrmValue | undefined, expects: string] => {
  if (text === '') return [null, '']
  if (!isText(text)) return [undefined, 'cannot hold characters that are not text']
  return readTyped(type, plainOf(type, text, formats))
}

/** A value as a cell of a file: what `readCell` reads back. */
export const writeCell = (value: string | number | boolean | null | undefined): string =>
  value === null || value === undefined ? '' : String(value)
