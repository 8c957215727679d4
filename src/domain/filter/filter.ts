import type { FieldType } from '../crm.ts'
import type { FilterOperator, PropertyName } from './operators.ts'

/** Numbers are decimal text, instants are UTC as Fairlead keeps them, days of `withinLastDays` and its like are decimal text too. */
type Test = { type: FieldType; operator: FilterOperator; values: (string | boolean)[] }
/** One test of one column, by its key. `between` includes both ends. */
export type Condition = { key: string } & Test
/** One test of what a record has besides its columns. */
export type PropertyCondition = { property: PropertyName } & Test
export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | Condition | PropertyCondition

export type FilterColumn = { id: string; key: string; name: string; type: FieldType; crmField: string | null }

const aliases: Record<string, string> = { email: 'c1', firstName: 'c2', lastName: 'c3' }

/** A column by `email`, `firstName`, `lastName`, by id, key, CRM field or name; the last two in any case. */
export const findColumn = <Column extends FilterColumn>(
  columns: readonly Column[],
  said: string,
): Column | undefined => {
  const lower = said.toLowerCase()
  return (
    columns.find(({ key }) => key === (Object.hasOwn(aliases, said) ? aliases[said] : said)) ??
    columns.find(({ id }) => id === said) ??
    columns.find(({ crmField }) => crmField?.toLowerCase() === lower) ??
    columns.find(({ name }) => name.toLowerCase() === lower)
  )
}

/** Keys of all columns that a filter tests. */
export const columnsIn = (filter: Filter): Set<string> => {
  if ('and' in filter) return new Set(filter.and.flatMap((each) => [...columnsIn(each)]))
  if ('or' in filter) return new Set(filter.or.flatMap((each) => [...columnsIn(each)]))
  if ('not' in filter) return columnsIn(filter.not)
  return new Set('key' in filter ? [filter.key] : [])
}
