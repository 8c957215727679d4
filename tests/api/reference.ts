import { normaliseEmail } from '../../src/domain/email.ts'
import type { FieldType } from '../../src/domain/crm.ts'

/** A record as a filter sees it. */
export type Person = {
  fields: Record<string, unknown>
  crmEntity?: string | null
  crmState?: string
  suppressed?: boolean
  pending?: boolean
  createdAt?: string
  updatedAt?: string | null
  externalId?: string | null
}
export type World = { types: Record<string, FieldType>; now: Date; timeZone: string }

type Test = { column?: string; property?: string; operator: string; value?: unknown; values?: unknown[] }
type Given = { and: Given[] } | { or: Given[] } | { not: Given } | Test

/** What a filter, as JSON with column keys, means: plain JavaScript over a person that shares nothing with parser and SQL. */
export const matches = (filter: unknown, person: Person, world: World): boolean => {
  const given = filter as Given
  if ('and' in given) return given.and.every((each) => matches(each, person, world))
  if ('or' in given) return given.or.some((each) => matches(each, person, world))
  if ('not' in given) return !matches(given.not, person, world)
  const asked = given.values ?? [given.value]
  const { column, property, operator } = given
  if (column !== undefined) return meets(world.types[column]!, operator, asked, person.fields[column], world, column)
  return meets(...propertyOf(property!, person, operator, asked), world)
}

const propertyOf = (property: string, person: Person, operator: string, asked: unknown[]) => {
  const value: Record<string, [FieldType, unknown]> = {
    crmState: ['picklist', person.crmState ?? 'unlinked'],
    crmEntity: ['picklist', person.crmEntity],
    suppressed: ['boolean', person.suppressed ?? false],
    pending: ['boolean', person.pending ?? false],
    createdAt: ['instant', person.createdAt],
    updatedAt: ['instant', person.updatedAt ?? person.createdAt],
    externalId: ['text', person.externalId],
  }
  const [type, found] = value[property]!
  return [type, operator, asked, found] as const
}

/** Case folding, character by character: ß is ss, both small sigmas are one; the dotless i stays itself. */
const fold = (text: string): string =>
  Array.from(text, (each) => (each === 'ı' ? each : each.toLowerCase().toUpperCase().toLowerCase())).join('')

const opposites: Record<string, string> = {
  isNot: 'is',
  notContains: 'contains',
  notIn: 'in',
  isNotBlank: 'isBlank',
}

const meets = (
  type: FieldType,
  operator: string,
  asked: readonly unknown[],
  value: unknown,
  world: World,
  column?: string,
): boolean => {
  const isBlank = value === undefined || value === null || value === ''
  if (operator === 'isBlank') return isBlank
  const opposite = opposites[operator]
  if (opposite !== undefined) return !meets(type, opposite, asked, value, world, column)
  if (value === undefined || value === null) return false
  if (type === 'boolean') return value === asked[0]
  if (type === 'number') return typeof value === 'number' && ordered(operator, value, asked.map(Number))
  if (type === 'date') return !isBlank && dated(operator, String(value), asked, world)
  if (type === 'instant') return !isBlank && timed(operator, String(value), asked, world)
  const text = fold(String(value))
  const folded = asked.map((each) => fold(String(each)))
  if (operator === 'contains') return text.includes(folded[0]!)
  if (operator === 'beginsWith') return text.startsWith(folded[0]!)
  if (operator === 'endsWith') return text.endsWith(folded[0]!)
  if (column !== 'c1') return folded.includes(text)
  const email = normaliseEmail(value)
  return email !== null && asked.some((each) => normaliseEmail(each) === email)
}

const ordered = <T extends number | string>(operator: string, value: T, asked: readonly T[]): boolean => {
  const [first, second] = asked as readonly [T, T]
  if (operator === 'greater' || operator === 'after') return value > first
  if (operator === 'less' || operator === 'before') return value < first
  if (operator === 'greaterOrEqual') return value >= first
  if (operator === 'lessOrEqual') return value <= first
  if (operator === 'between') return value >= first && value <= second
  return asked.includes(value)
}

const dayMs = 86_400_000

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

/** Asked for each row, and slow to find. */
const todays = new Map<string, number>()
const todayOf = ({ now, timeZone }: World): number => {
  const key = `${now.getTime()} ${timeZone}`
  const today = todays.get(key) ?? Date.parse(now.toLocaleDateString('sv-SE', { timeZone }))
  todays.set(key, today)
  return today
}

/** Days by counting: how many days lie between the local today and the value. */
const dated = (operator: string, value: string, asked: readonly unknown[], world: World): boolean => {
  const today = todayOf(world)
  const ahead = Math.round((Date.parse(value) - today) / dayMs)
  const days = Number(asked[0])
  if (operator === 'withinLastDays') return ahead <= 0 && ahead > -days
  if (operator === 'withinNextDays') return ahead >= 0 && ahead < days
  if (operator === 'moreThanDaysAgo') return ahead <= -days
  if (operator === 'moreThanDaysAhead') return ahead >= days
  if (operator !== 'anniversaryWithinNextDays') return ordered(operator, value, asked.map(String))
  for (let by = 0; by < days; by += 1) {
    const day = new Date(today + by * dayMs)
    const year = day.getUTCFullYear()
    const wanted = value.endsWith('-02-29') && !isLeap(year) ? '02-28' : value.slice(5)
    if (day.toISOString().slice(5, 10) === wanted) return true
  }
  return false
}

const timed = (operator: string, value: string, asked: readonly unknown[], { now }: World): boolean => {
  const ago = now.getTime() - Date.parse(value)
  const span = Number(asked[0]) * dayMs
  if (operator === 'withinLastDays') return ago >= 0 && ago <= span
  if (operator === 'withinNextDays') return ago <= 0 && ago >= -span
  if (operator === 'moreThanDaysAgo') return ago > span
  if (operator === 'moreThanDaysAhead') return -ago > span
  return ordered(
    operator,
    value,
    asked.map((each) => new Date(String(each)).toISOString()),
  )
}
