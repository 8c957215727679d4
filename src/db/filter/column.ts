import { inArray, sql, type SQL } from 'drizzle-orm'
import { anniversariesOf, type Clock, type Condition } from '../../domain/filter.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { records } from '../schema.ts'
import { orderedTest, text, textTest, value, type Compare } from './value.ts'

/** Hash of an address (R2), null for one that is blank. */
export type HashEmail = (email: string) => Buffer | null

/** jsonb orders numbers among themselves, above text and below booleans: no cast can fail, and between two numbers are only numbers. */
const boundNumber =
  (key: string): Compare =>
  (comparison, given) =>
    sql`(${value(key)} ${sql.raw(comparison)} ${given}::text::jsonb)`

const compareNumber =
  (key: string): Compare =>
  (comparison, given) => {
    const compared = boundNumber(key)(comparison, given)
    return comparison === '=' ? compared : sql`(${compared} and jsonb_typeof(${value(key)}) = 'number')`
  }

/** Days and instants are kept in forms that sort as text. */
const compareText =
  (key: string): Compare =>
  (comparison, given) =>
    sql`((nullif(${text(key)}, '') collate "C") ${sql.raw(comparison)} ${given}::text)`

/** Nothing but days has anniversaries: `2026-11-23` from its sixth character on. */
const anniversary = (key: string, days: number, clock: Clock): SQL => {
  const found = anniversariesOf(days, clock).map((day) => sql`${day}::text`)
  return sql`(${text(key)} like '____-__-__' and ${inArray(sql`substr(${text(key)}, 6)`, found)})`
}

/** One test of one column, but for the contraries. */
export const columnTest = (condition: Condition, hashEmail: HashEmail, clock: Clock): SQL => {
  const { key, type, operator, values } = condition
  if (operator === 'isBlank') return sql`(coalesce(${text(key)}, '') = '')`
  const given = values.map(String)
  if (operator === 'anniversaryWithinNextDays') return anniversary(key, Number(given[0]), clock)
  if (type === 'boolean') return sql`(${value(key)} = ${given[0]}::text::jsonb)`
  if (type === 'number') {
    return orderedTest(compareNumber(key), { type, operator, values: given }, clock, boundNumber(key))
  }
  if (type === 'date' || type === 'instant') {
    return orderedTest(compareText(key), { type, operator, values: given }, clock)
  }
  if (key !== emailKeyColumn || !(operator === 'is' || operator === 'in')) return textTest(text(key), operator, given)
  const hashes = given.map(hashEmail).filter((hash) => hash !== null)
  return hashes.length === 0 ? sql`false` : inArray(records.emailKey, hashes)
}
