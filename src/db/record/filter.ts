import { and, eq, inArray, not, or, sql, type SQL } from 'drizzle-orm'
import type { Condition, Filter } from '../../domain/filter.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { records } from '../schema.ts'

/** Hash of an address (R2), null for one that is blank. */
export type HashEmail = (email: string) => Buffer | null

/** The key goes in as a literal, so that an index on the expression can serve it. */
export const literal = (key: string): SQL => {
  if (!/^c\d+$/.test(key)) throw new TypeError('not a column key')
  return sql.raw(`'${key}'`)
}

const value = (key: string): SQL => sql`${records.fields} -> ${literal(key)}`
const text = (key: string): SQL => sql`${records.fields} ->> ${literal(key)}`

/** Without regard to case as Unicode has it (`STRASSE` is `straße`), whatever the database's own collation is. */
export const folded = (expression: SQL): SQL => sql`casefold((${expression}) collate pg_unicode_fast)`
const escaped = (pattern: string): string => pattern.replaceAll(/[\\%_]/g, String.raw`\$&`)

const isBlank = (key: string): SQL => sql`(coalesce(${text(key)}, '') = '')`

const textIs = (key: string, given: string): SQL => sql`${folded(text(key))} = ${folded(sql`${given}::text`)}`
const textLike = (key: string, pattern: string): SQL => sql`${folded(text(key))} like ${folded(sql`${pattern}::text`)}`

/** jsonb orders numbers among themselves and apart from text, so no cast can fail on what is stored. */
const compare = (key: string, operator: '=' | '<' | '<=' | '>' | '>=', given: string): SQL =>
  sql`(jsonb_typeof(${value(key)}) = 'number' and ${value(key)} ${sql.raw(operator)} ${given}::text::jsonb)`

/** Days and instants are kept in forms that sort as text. */
const compareText = (key: string, operator: '=' | '<' | '<=' | '>' | '>=', given: string): SQL =>
  sql`(nullif(${text(key)}, '') collate "C") ${sql.raw(operator)} ${given}::text`

const any = (parts: SQL[]): SQL => or(...parts) ?? sql`false`

const textCondition = ({ key, operator, values }: Condition, hashEmail: HashEmail): SQL => {
  const given = values.map(String)
  const [first = ''] = given
  if (operator === 'contains') return textLike(key, `%${escaped(first)}%`)
  if (operator === 'beginsWith') return textLike(key, `${escaped(first)}%`)
  if (key !== emailKeyColumn) return any(given.map((each) => textIs(key, each)))
  const hashes = given.map(hashEmail).filter((hash) => hash !== null)
  return hashes.length === 0 ? sql`false` : inArray(records.emailKey, hashes)
}

const orderedCondition = ({ key, type, operator, values }: Condition): SQL => {
  const test = type === 'number' ? compare : compareText
  const [first = '', second = ''] = values.map(String)
  if (operator === 'greater') return test(key, '>', first)
  if (operator === 'less') return test(key, '<', first)
  if (operator === 'between') return sql`(${test(key, '>=', first)} and ${test(key, '<=', second)})`
  return any(values.map((each) => test(key, '=', String(each))))
}

const condition = (given: Condition, hashEmail: HashEmail): SQL => {
  const { key, type, operator, values } = given
  if (operator === 'isBlank') return isBlank(key)
  if (operator === 'isNotBlank') return not(isBlank(key))
  if (operator === 'isNot') return sql`(${condition({ ...given, operator: 'is' }, hashEmail)}) is not true`
  if (type === 'boolean') return eq(value(key), sql`${String(values[0])}::text::jsonb`)
  if (type === 'number' || type === 'date' || type === 'instant') return orderedCondition(given)
  return textCondition(given, hashEmail)
}

/** A filter as SQL that cannot fail on what is stored. Unknown is false, so `not` and `isNot` include blanks. */
export const filterSql = (filter: Filter, hashEmail: HashEmail): SQL => {
  if ('and' in filter) return and(...filter.and.map((each) => filterSql(each, hashEmail))) ?? sql`true`
  if ('or' in filter) return any(filter.or.map((each) => filterSql(each, hashEmail)))
  if ('not' in filter) return sql`(${filterSql(filter.not, hashEmail)}) is not true`
  return condition(filter, hashEmail)
}
