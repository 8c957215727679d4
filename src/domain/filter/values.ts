import type { FieldType } from '../crm.ts'
import { isText } from '../typed.ts'
import type { FilterOperator } from './operators.ts'

/** How a value is read, and what to say when it is none. */
export type ValueReader = readonly [read: (value: unknown) => string | boolean | undefined, expects: string]

const isRealDay = (text: string): boolean => {
  const at = new Date(`${text}T00:00:00.000Z`)
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

const instantShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/

const readInstant = (value: unknown): string | undefined => {
  if (typeof value !== 'string' || !instantShape.test(value) || !isRealDay(value.slice(0, 10))) return undefined
  const at = new Date(value)
  return Number.isNaN(at.getTime()) || !/^\d/.test(at.toISOString()) ? undefined : at.toISOString()
}

const readNumber = (value: unknown): string | undefined => {
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : undefined
  const said = typeof value === 'object' ? (value as { bigDecimal?: unknown } | null)?.bigDecimal : value
  const match = typeof said === 'string' ? /^(-?)0*(\d{1,40}(?:\.\d{1,40})?)$/.exec(said) : null
  return match === null ? undefined : `${match[1]}${match[2]}`
}

const readText = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length > 0 && value.length <= 1000 && isText(value) ? value : undefined

const textReader: ValueReader = [readText, 'expects text of 1 to 1,000 characters']

const readers: Partial<Record<FieldType, ValueReader>> = {
  number: [readNumber, 'expects a number'],
  boolean: [(value) => (typeof value === 'boolean' ? value : undefined), 'expects true or false'],
  date: [
    (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && isRealDay(value) ? value : undefined),
    'expects a day such as 2026-11-23',
  ],
  instant: [readInstant, 'expects an instant such as 2026-11-23T10:00:00Z'],
}

export const readerOf = (type: FieldType): ValueReader => readers[type] ?? textReader

export const choiceReader = (choices: readonly string[]): ValueReader => [
  (value) => choices.find((each) => each === value),
  `expects one of ${choices.join(', ')}`,
]

const daysReader = (most: number): ValueReader => [
  (value) => (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most ? String(value) : undefined),
  `expects a whole number of days, 1 to ${most}`,
]

const days = daysReader(36_500)
/** For operators that take a number of days, whatever the type. */
export const dayReaders: Partial<Record<FilterOperator, ValueReader>> = {
  withinLastDays: days,
  withinNextDays: days,
  moreThanDaysAgo: days,
  moreThanDaysAhead: days,
  anniversaryWithinNextDays: daysReader(366),
}
