import type { FieldType } from './crm.ts'
import { FairleadError } from './errors.ts'

export type FilterColumn = { id: string; key: string; name: string; type: FieldType; crmField: string | null }

const anywhere = ['is', 'isNot', 'isBlank', 'isNotBlank'] as const
const ordered = [...anywhere, 'greater', 'less', 'between', 'in'] as const
const textual = [...anywhere, 'contains', 'beginsWith', 'in'] as const

export const filterOperators = [...new Set([...textual, ...ordered])]
export type FilterOperator = (typeof filterOperators)[number]

export const operatorsOf: Record<FieldType, readonly FilterOperator[]> = {
  text: textual,
  email: textual,
  phone: textual,
  picklist: textual,
  number: ordered,
  date: ordered,
  instant: ordered,
  boolean: anywhere,
}

/** One test of one column. Numbers are decimal text, instants are UTC as Fairlead keeps them; `between` includes both ends. */
export type Condition = { key: string; type: FieldType; operator: FilterOperator; values: (string | boolean)[] }
export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | Condition

const mostConditions = 100
const mostValues = 200
const deepest = 10
const aliases: Record<string, string> = { email: 'c1', firstName: 'c2', lastName: 'c3' }

/** A column by `email`, `firstName`, `lastName`, by id, key, CRM field or name; the last two in any case. */
export const findColumn = <Column extends FilterColumn>(
  columns: readonly Column[],
  said: string,
): Column | undefined => {
  const lower = said.toLowerCase()
  return (
    columns.find(({ key }) => key === (aliases[said] ?? said)) ??
    columns.find(({ id }) => id === said) ??
    columns.find(({ crmField }) => crmField?.toLowerCase() === lower) ??
    columns.find(({ name }) => name.toLowerCase() === lower)
  )
}

const fail = (path: string, message: string): never => {
  throw new FairleadError('invalidInput', { detail: `${path}: ${message}`, errors: [{ path, message }] })
}

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
  return typeof value === 'string' && /^-?\d{1,40}(\.\d{1,40})?$/.test(value) ? value : undefined
}

const readText = (value: unknown): string | undefined =>
  typeof value === 'string' && value.length > 0 && value.length <= 1000 && !/\0|\p{Surrogate}/u.test(value)
    ? value
    : undefined

const readers: Partial<Record<FieldType, readonly [(value: unknown) => string | boolean | undefined, string]>> = {
  number: [readNumber, 'expects a number'],
  boolean: [(value) => (typeof value === 'boolean' ? value : undefined), 'expects true or false'],
  date: [
    (value) => (typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && isRealDay(value) ? value : undefined),
    'expects a day such as 2026-11-23',
  ],
  instant: [readInstant, 'expects an instant such as 2026-11-23T10:00:00Z'],
}
const textReader = [readText, 'expects text of 1 to 1,000 characters'] as const

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const onlyKeys = (value: Record<string, unknown>, allowed: readonly string[], path: string): void => {
  const strange = Object.keys(value).find((key) => !allowed.includes(key))
  if (strange !== undefined) fail(`${path}.${strange}`, 'There is no such property here.')
}

const readValues = (input: Record<string, unknown>, type: FieldType, operator: FilterOperator, path: string) => {
  const [read, expectation] = readers[type] ?? textReader
  const readOne = (value: unknown, at: string) => read(value) ?? fail(at, `A ${type} column ${expectation}.`)
  const takesMany = operator === 'between' || operator === 'in'
  const takesNone = operator === 'isBlank' || operator === 'isNotBlank'
  onlyKeys(input, ['column', 'operator', ...(takesNone ? [] : [takesMany ? 'values' : 'value'])], path)
  if (takesNone) return []
  if (!takesMany) return [readOne(input['value'], `${path}.value`)]
  const values = input['values']
  if (!Array.isArray(values)) return fail(`${path}.values`, `${operator} expects a list of values.`)
  if (operator === 'between' && values.length !== 2) fail(`${path}.values`, 'between expects two values.')
  if (values.length === 0 || values.length > mostValues) fail(`${path}.values`, `expects 1 to ${mostValues} values.`)
  return values.map((value, index) => readOne(value, `${path}.values[${index}]`))
}

const readCondition = (input: Record<string, unknown>, columns: readonly FilterColumn[], path: string): Condition => {
  const { column: said, operator } = input
  if (typeof said !== 'string') return fail(`${path}.column`, 'expects the name of a column.')
  const column = findColumn(columns, said)
  if (column === undefined) return fail(`${path}.column`, 'The list has no such column.')
  const { key, type } = column
  const known = operatorsOf[type].find((each) => each === operator)
  if (known === undefined) {
    return fail(`${path}.operator`, `A ${type} column takes ${operatorsOf[type].join(', ')}.`)
  }
  return { key, type, operator: known, values: readValues(input, type, known, path) }
}

/** Reads a filter against a list's columns. Errors: invalidInput, naming the place as `filter.and[2].value`. */
export const readFilter = (input: unknown, columns: readonly FilterColumn[], root = 'filter'): Filter => {
  let conditions = 0
  const read = (value: unknown, path: string, depth: number): Filter => {
    if (!isObject(value)) return fail(path, 'expects and, or, not, or a column with an operator.')
    if (depth > deepest) fail(path, `is nested deeper than ${deepest} levels.`)
    for (const join of ['and', 'or'] as const) {
      if (!(join in value)) continue
      onlyKeys(value, [join], path)
      const parts = value[join]
      if (!Array.isArray(parts) || parts.length === 0) return fail(`${path}.${join}`, 'expects a list of filters.')
      const filters = parts.map((part, index) => read(part, `${path}.${join}[${index}]`, depth + 1))
      return join === 'and' ? { and: filters } : { or: filters }
    }
    if ('not' in value) {
      onlyKeys(value, ['not'], path)
      return { not: read(value['not'], `${path}.not`, depth + 1) }
    }
    conditions += 1
    if (conditions > mostConditions) fail(path, `A filter has at most ${mostConditions} conditions.`)
    return readCondition(value, columns, path)
  }
  return read(input, root, 1)
}
