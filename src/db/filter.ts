import { and, sql, type SQL } from 'drizzle-orm'
import { contraries, type Clock, type Condition, type Filter, type PropertyCondition } from '../domain/filter.ts'
import { emailKeyColumn } from '../domain/list.ts'
import { columnTest, type HashEmail } from './filter/column.ts'
import { propertyTest, type RecordsOf } from './filter/property.ts'
import { any } from './filter/value.ts'

export { suppressedSql } from './filter/property.ts'

/** What a filter means depends on these. */
export type Meaning = RecordsOf & { hashEmail: HashEmail; clock: Clock }

const test = (condition: Condition | PropertyCondition, meaning: Meaning): SQL => {
  const { hashEmail, clock } = meaning
  const contrary = contraries[condition.operator]
  if (contrary !== undefined) return sql`(${test({ ...condition, operator: contrary }, meaning)}) is not true`
  if ('property' in condition) return propertyTest(condition, meaning, clock)
  return columnTest(condition, hashEmail, clock)
}

/** A filter as SQL over `records` that cannot fail on what is stored. Unknown is false, so `not` and the contraries include blanks. */
export const filterSql = (filter: Filter, meaning: Meaning): SQL => {
  if ('and' in filter) return and(...filter.and.map((each) => filterSql(each, meaning))) ?? sql`true`
  if ('or' in filter) return any(filter.or.map((each) => filterSql(each, meaning)))
  if ('not' in filter) return sql`(${filterSql(filter.not, meaning)}) is not true`
  return test(filter, meaning)
}

/** Whether an index leads to the few records that can match: those of an address, and those with edits that wait. */
export const isIndexed = (filter: Filter): boolean => {
  if ('and' in filter) return filter.and.some(isIndexed)
  if ('or' in filter || 'not' in filter) return false
  if ('property' in filter)
    return filter.property === 'pending' && filter.operator === 'is' && filter.values[0] === true
  return filter.key === emailKeyColumn && (filter.operator === 'is' || filter.operator === 'in')
}
