import type { CrmValue, FieldType } from './crm.ts'
import { fitsDouble } from './values.ts'

/** Longest texts that are taken (R39). What the CRM cannot hold is cut when it is sent (R8). */
const longest: Partial<Record<FieldType, number>> = { email: 320, phone: 200 }
const longestText = 100_000

/** Without what Postgres cannot keep in text or JSON: NUL, and halves of surrogate pairs. */
export const isText = (value: string): boolean => !/\0|\p{Surrogate}/u.test(value)

/** Of a text in the shape of a day; by arithmetic, since a million rows have many. */
const isRealDay = (text: string): boolean => {
  const [year, month, day] = [Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8, 10))]
  if (year < 1000 || month < 1 || month > 12 || day < 1) return false
  return day <= 28 || day <= new Date(Date.UTC(year, month, 0)).getUTCDate()
}

const truths = new Map<unknown, boolean>([
  ...[true, 1, 'true', 't', '1', 'y'].map((word) => [word, true] as const),
  ...[false, 0, 'false', 'f', '0', 'n'].map((word) => [word, false] as const),
])

/** A decimal without the ornaments that JSON does not know. Undefined for what is none. */
const readDecimal = (text: string): CrmValue | undefined => {
  const match = /^([+-]?)0*(\d{1,40}(?:\.\d{1,40})?)$/.exec(text.trim())
  if (match === null) return undefined
  const numeral = `${match[1] === '-' ? '-' : ''}${match[2]}`
  return fitsDouble(numeral) ? Number(numeral) || 0 : { bigDecimal: numeral }
}

const readNumber = (value: unknown): CrmValue | undefined => {
  // `|| 0`: JSON has a negative zero, Postgres has not
  if (typeof value === 'number') return Number.isFinite(value) ? value || 0 : undefined
  if (typeof value === 'string') return readDecimal(value)
  const digits = typeof value === 'object' ? (value as { bigDecimal?: unknown }).bigDecimal : undefined
  return typeof digits === 'string' ? readDecimal(digits) : undefined
}

const readText =
  (type: FieldType) =>
  (value: unknown): CrmValue | undefined =>
    typeof value === 'string' && value.length <= (longest[type] ?? longestText) && isText(value) ? value : undefined

/** Not with quotation marks: hardly anybody has such an address, and a row that was broken by them does. */
const readEmail = (value: unknown): CrmValue | undefined => {
  const text = readText('email')(typeof value === 'string' ? value.trim() : value)
  return typeof text === 'string' && /^[^\s@"]+@[^\s@"]+$/.test(text) ? text : undefined
}

const readDay = (value: unknown): CrmValue | undefined =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && isRealDay(value) ? value : undefined

const instantShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/

const readInstant = (value: unknown): CrmValue | undefined => {
  if (typeof value !== 'string' || !instantShape.test(value) || !isRealDay(value.slice(0, 10))) return undefined
  const at = new Date(value)
  const text = Number.isNaN(at.getTime()) ? '' : at.toISOString()
  return /^[1-9]/.test(text) ? text : undefined
}

const textOf = (type: FieldType) => [readText(type), 'expects text'] as const

/** R8, R10: how a value of each type is read, and what to say when it is none. */
const readers: Record<FieldType, readonly [read: (value: unknown) => CrmValue | undefined, expects: string]> = {
  text: [readText('text'), `expects text of at most ${longestText.toLocaleString('en')} characters`],
  picklist: textOf('picklist'),
  phone: [readText('phone'), `expects text of at most ${longest.phone} characters`],
  email: [readEmail, `expects an address such as pat@example.com, at most ${longest.email} characters`],
  number: [readNumber, 'expects a number'],
  boolean: [
    (value) => truths.get(typeof value === 'string' ? value.trim().toLowerCase() : value),
    'expects true or false',
  ],
  date: [readDay, 'expects a day such as 2026-11-23'],
  instant: [readInstant, 'expects an instant such as 2026-11-23T10:00:00Z'],
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'string' && value.trim() === '')

/** A value as somebody gave it, read by its type; undefined for what is none, with what was expected. Blank text is null, whatever the type. */
export const readTyped = (type: FieldType, value: unknown): readonly [CrmValue | undefined, expects: string] => {
  const [read, expects] = readers[type]
  return [isNothing(value) ? null : read(value), expects]
}

/** How a sentence about a column begins. */
export const columnNoun = (type: FieldType): string => `${/^[aeiou]/.test(type) ? 'An' : 'A'} ${type} column`
