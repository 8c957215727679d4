import type { FieldType } from '../crm.ts'
import { misplaced } from '../errors.ts'
import { columnNoun } from '../typed.ts'
import { columnIndex, type Condition, type Filter, type FilterColumn, type PropertyCondition } from './filter.ts'
import { operatorsOf, properties, propertyNames, type FilterOperator, type Property } from './operators.ts'
import { choiceReader, dayReaders, readerOf, type ValueReader } from './values.ts'

const mostConditions = 100
const mostValues = 200
const deepest = 10

const fail = (path: string, message: string): never => {
  throw misplaced(path, message)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const onlyKeys = (value: Record<string, unknown>, allowed: readonly string[], path: string): void => {
  const strange = Object.keys(value).find((key) => !allowed.includes(key))
  if (strange !== undefined) fail(`${path}.${strange}`, 'There is no such property here.')
}

/** What is asked: how errors call it, and how its values are read. */
type Asked = { named: 'column' | 'property'; noun: string; operators: readonly FilterOperator[]; reader: ValueReader }

const readOperator = (said: unknown, { noun, operators }: Asked, path: string): FilterOperator =>
  operators.find((each) => each === said) ?? fail(`${path}.operator`, `${noun} takes ${operators.join(', ')}.`)

const readValues = (input: Record<string, unknown>, asked: Asked, operator: FilterOperator, path: string) => {
  const days = dayReaders[operator]
  const [read, expects] = days ?? asked.reader
  const noun = days === undefined ? asked.noun : operator
  const readOne = (value: unknown, at: string) => read(value) ?? fail(at, `${noun} ${expects}.`)
  const takesMany = operator === 'between' || operator === 'in' || operator === 'notIn'
  const takesNone = operator === 'isBlank' || operator === 'isNotBlank'
  onlyKeys(input, [asked.named, 'operator', ...(takesNone ? [] : [takesMany ? 'values' : 'value'])], path)
  if (takesNone) return []
  if (!takesMany) return [readOne(input['value'], `${path}.value`)]
  const values = input['values']
  if (!Array.isArray(values)) return fail(`${path}.values`, `${operator} expects a list of values.`)
  if (operator === 'between' && values.length !== 2) fail(`${path}.values`, 'between expects two values.')
  if (values.length === 0 || values.length > mostValues) fail(`${path}.values`, `expects 1 to ${mostValues} values.`)
  return values.map((value, index) => readOne(value, `${path}.values[${index}]`))
}

const readTest = (input: Record<string, unknown>, type: FieldType, asked: Asked, path: string) => {
  const operator = readOperator(input['operator'], asked, path)
  return { type, operator, values: readValues(input, asked, operator, path) }
}

const readCondition = (
  input: Record<string, unknown>,
  find: ReturnType<typeof columnIndex>,
  path: string,
): Condition => {
  const said = input['column']
  if (typeof said !== 'string') return fail(`${path}.column`, 'expects the name of a column.')
  const column = find(said)
  if (column === undefined) return fail(`${path}.column`, 'The list has no such column.')
  const { key, type } = column
  const operators = operatorsOf[type]
  const asked: Asked = { named: 'column', noun: columnNoun(type), operators, reader: readerOf(type) }
  return { key, ...readTest(input, type, asked, path) }
}

const readProperty = (input: Record<string, unknown>, path: string): PropertyCondition => {
  const property = propertyNames.find((name) => name === input['property'])
  if (property === undefined) return fail(`${path}.property`, `expects one of ${propertyNames.join(', ')}.`)
  const { type, operators, choices }: Property = properties[property]
  const reader = choices === undefined ? readerOf(type) : choiceReader(choices)
  const asked: Asked = { named: 'property', noun: `The property ${property}`, operators, reader }
  return { property, ...readTest(input, type, asked, path) }
}

/** Reads a filter against a list's columns. Errors: invalidInput, naming the place as `filter.and[2].value`. */
export const readFilter = (input: unknown, columns: readonly FilterColumn[], root = 'filter'): Filter => {
  const find = columnIndex(columns)
  let conditions = 0
  const read = (value: unknown, path: string, depth: number): Filter => {
    if (!isObject(value)) return fail(path, 'expects and, or, not, or a column or property with an operator.')
    if (depth > deepest) fail(path, `is nested deeper than ${deepest} levels.`)
    for (const join of ['and', 'or'] as const) {
      if (!Object.hasOwn(value, join)) continue
      onlyKeys(value, [join], path)
      const parts = value[join]
      if (!Array.isArray(parts) || parts.length === 0) return fail(`${path}.${join}`, 'expects a list of filters.')
      const filters = parts.map((part, index) => read(part, `${path}.${join}[${index}]`, depth + 1))
      return join === 'and' ? { and: filters } : { or: filters }
    }
    if (Object.hasOwn(value, 'not')) {
      onlyKeys(value, ['not'], path)
      return { not: read(value['not'], `${path}.not`, depth + 1) }
    }
    conditions += 1
    if (conditions > mostConditions) fail(path, `A filter has at most ${mostConditions} conditions.`)
    if (Object.hasOwn(value, 'property')) return readProperty(value, path)
    return readCondition(value, find, path)
  }
  return read(input, root, 1)
}
