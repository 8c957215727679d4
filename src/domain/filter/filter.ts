import type { FieldType } from '../crm.ts'
import { fixedColumnKeys, lockedFields } from '../list.ts'
import type { FilterOperator, PropertyName } from './operators.ts'

/** Numbers are decimal text, instants are UTC as Fairlead keeps them, days of `withinLastDays` and its like are decimal text too. */
type Test = { type: FieldType; operator: FilterOperator; values: (string | boolean)[] }
/** One test of one column, by its key. `between` includes both ends. */
export type Condition = { key: string } & Test
/** One test of what a record has besides its columns. */
export type PropertyCondition = { property: PropertyName } & Test
export type Filter = { and: Filter[] } | { or: Filter[] } | { not: Filter } | Condition | PropertyCondition

export type FilterColumn = { id: string; key: string; name: string; type: FieldType; crmField: string | null }

const aliases = new Map([
  ['email', 'c1'],
  ['firstName', 'c2'],
  ['lastName', 'c3'],
])

const firstOf = <Column>(columns: readonly Column[], nameOf: (column: Column) => string | undefined) => {
  const found = new Map<string, Column>()
  for (const column of columns) {
    const name = nameOf(column)
    if (name !== undefined && !found.has(name)) found.set(name, column)
  }
  return found
}

/**
 * Finds columns by `email`, `firstName`, `lastName`, by id, key, CRM field or name; the last two in any case. E-mail and names also go by their
 * CRM fields on a list that was not imported.
 */
export const columnIndex = <Column extends FilterColumn>(
  columns: readonly Column[],
): ((said: string) => Column | undefined) => {
  const byKey = firstOf(columns, ({ key }) => key)
  const byId = firstOf(columns, ({ id }) => id)
  const byField = firstOf(columns, ({ crmField }) => crmField?.toLowerCase())
  const byName = firstOf(columns, ({ name }) => name.toLowerCase())
  const fixed = new Map(lockedFields.map((name) => [name.toLowerCase(), fixedColumnKeys[name]!]))
  return (said) => {
    const lower = said.toLowerCase()
    return (
      byKey.get(aliases.get(said) ?? said) ??
      byId.get(said) ??
      byField.get(lower) ??
      byName.get(lower) ??
      byKey.get(fixed.get(lower) ?? '')
    )
  }
}

/** Keys of all columns that a filter tests. */
export const columnsIn = (filter: Filter): Set<string> => {
  if ('and' in filter) return new Set(filter.and.flatMap((each) => [...columnsIn(each)]))
  if ('or' in filter) return new Set(filter.or.flatMap((each) => [...columnsIn(each)]))
  if ('not' in filter) return columnsIn(filter.not)
  return new Set('key' in filter ? [filter.key] : [])
}
