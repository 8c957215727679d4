import { normaliseEmail } from '../../src/domain/email.ts'
import type { Condition, Filter } from '../../src/domain/filter.ts'

/** What a filter means, in plain JavaScript over a record's values: it shares nothing with the SQL. */
export const matches = (filter: Filter, fields: Record<string, unknown>): boolean => {
  if ('and' in filter) return filter.and.every((each) => matches(each, fields))
  if ('or' in filter) return filter.or.some((each) => matches(each, fields))
  if ('not' in filter) return !matches(filter.not, fields)
  return meets(filter, fields[filter.key])
}

/** Case folding, character by character: ß is ss, both small sigmas are one; the dotless i stays itself. */
const fold = (text: string): string =>
  Array.from(text, (each) => (each === 'ı' ? each : each.toLowerCase().toUpperCase().toLowerCase())).join('')

const meets = (condition: Condition, value: unknown): boolean => {
  const { key, type, operator, values } = condition
  const isBlank = value === undefined || value === null || value === ''
  if (operator === 'isBlank') return isBlank
  if (operator === 'isNotBlank') return !isBlank
  if (operator === 'isNot') return !meets({ ...condition, operator: 'is' }, value)
  if (value === undefined || value === null) return false
  if (type === 'boolean') return value === values[0]
  if (type === 'number') return typeof value === 'number' && ordered(operator, value, values.map(Number))
  if (type === 'date' || type === 'instant') return !isBlank && ordered(operator, String(value), values.map(String))
  const text = fold(String(value))
  const asked = values.map((each) => fold(String(each)))
  if (operator === 'contains') return text.includes(asked[0]!)
  if (operator === 'beginsWith') return text.startsWith(asked[0]!)
  if (key !== 'c1') return asked.includes(text)
  const email = normaliseEmail(value)
  return email !== null && values.some((each) => normaliseEmail(each) === email)
}

const ordered = <T extends number | string>(operator: Condition['operator'], value: T, values: T[]): boolean => {
  const [first, second] = values as [T, T]
  if (operator === 'greater') return value > first
  if (operator === 'less') return value < first
  if (operator === 'between') return value >= first && value <= second
  return values.includes(value)
}
