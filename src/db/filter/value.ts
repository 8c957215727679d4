import { inArray, or, sql, type SQL } from 'drizzle-orm'
import type { FieldType } from '../../domain/crm.ts'
import { windowOf, type Clock, type FilterOperator } from '../../domain/filter.ts'
import { records } from '../schema.ts'

/** The key goes in as a literal, so that an index on the expression can serve it. */
export const literal = (key: string): SQL => {
  if (!/^c\d+$/.test(key)) throw new TypeError('not a column key')
  return sql.raw(`'${key}'`)
}

export const value = (key: string): SQL => sql`${records.fields} -> ${literal(key)}`
export const text = (key: string): SQL => sql`${records.fields} ->> ${literal(key)}`

export const any = (parts: SQL[]): SQL => or(...parts) ?? sql`false`

/** Without regard to case as Unicode has it (`STRASSE` is `straße`), whatever the database's own collation is. */
export const folded = (expression: SQL): SQL => sql`casefold((${expression}) collate pg_unicode_fast)`
const given = (text: string): SQL => folded(sql`${text}::text`)
const escaped = (pattern: string): string => pattern.replaceAll(/[\\%_]/g, String.raw`\$&`)

/** `is`, `in`, `contains`, `beginsWith`, `endsWith` of text without regard to case. */
export const textTest = (tested: SQL, operator: FilterOperator, values: readonly string[]): SQL => {
  const [first = ''] = values
  if (operator === 'contains') return sql`${folded(tested)} like ${given(`%${escaped(first)}%`)}`
  if (operator === 'beginsWith') return sql`${folded(tested)} like ${given(`${escaped(first)}%`)}`
  if (operator === 'endsWith') return sql`${folded(tested)} like ${given(`%${escaped(first)}`)}`
  return inArray(folded(tested), values.map(given))
}

export type Comparison = '=' | '<' | '<=' | '>' | '>='
/** Compares what is stored with a value as the filter has it; unknown where there is nothing. */
export type Compare = (comparison: Comparison, given: string) => SQL

const comparisons: Partial<Record<FilterOperator, Comparison>> = {
  greater: '>',
  after: '>',
  greaterOrEqual: '>=',
  less: '<',
  before: '<',
  lessOrEqual: '<=',
}

/** Every operator of what has an order, but for the contraries. `bounded` is enough where there is a bound on either side. */
export const orderedTest = (
  compare: Compare,
  { type, operator, values }: { type: FieldType; operator: FilterOperator; values: readonly string[] },
  clock: Clock,
  bounded = compare,
): SQL => {
  const [first = '', second = ''] = values
  const within = (from: string, upTo: string): SQL => sql`(${bounded('>=', from)} and ${bounded('<=', upTo)})`
  const comparison = comparisons[operator]
  if (comparison !== undefined) return compare(comparison, first)
  if (operator === 'between') return within(first, second)
  if (operator === 'is' || operator === 'in') return any(values.map((each) => compare('=', each)))
  const { from, upTo } = windowOf(operator, type, Number(first), clock)
  if (from !== undefined && upTo !== undefined) return within(from, upTo)
  return from === undefined ? compare('<=', upTo ?? '') : compare('>=', from)
}
