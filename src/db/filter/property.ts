import { sql, type SQL } from 'drizzle-orm'
import type { Clock, PropertyCondition, PropertyName } from '../../domain/filter.ts'
import { any, orderedTest, textTest, type Compare } from './value.ts'

/** Whose record it is: names of tables are spelled out, since drizzle drops them in a select from one table. */
export type RecordsOf = { accountId: string; connectionId: string | null }

/** An active suppression of the account for the record's address. */
export const suppressedSql = sql<boolean>`exists (select from suppressions s
  where s.account_id = records.account_id and s.email_key = records.email_key and s.lifted_at is null)`

const personSql = ({ connectionId }: RecordsOf, states: SQL): SQL => sql`exists (select from crm_people p
  where p.connection_id = ${connectionId}::uuid and p.entity = records.crm_entity and p.crm_id = records.crm_id and ${states})`

const stateIn = (of: RecordsOf, values: readonly string[]): SQL => {
  const others = values.filter((each) => each !== 'unlinked' && each !== 'linked')
  const states = sql.join(
    others.map((each) => sql`${each}`),
    sql`, `,
  )
  return any([
    ...(values.includes('unlinked') ? [sql`(records.crm_id is null)`] : []),
    ...(values.includes('linked') ? [sql`(records.crm_id is not null and not ${personSql(of, sql`true`)})`] : []),
    ...(others.length === 0 ? [] : [personSql(of, sql`p.state in (${states})`)]),
  ])
}

/** The first id that a record made at this moment can have: ids of version 7 begin with the milliseconds since 1970. */
const firstIdAt = (ms: number): string => {
  const hex = Math.max(0, ms).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`
}

const compareCreated: Compare = (comparison, given) => {
  const at = Date.parse(given)
  const [begin, end] = [sql`${firstIdAt(at)}::uuid`, sql`${firstIdAt(at + 1)}::uuid`]
  if (comparison === '=') return sql`(records.id >= ${begin} and records.id < ${end})`
  if (comparison === '<') return sql`(records.id < ${begin})`
  if (comparison === '<=') return sql`(records.id < ${end})`
  return comparison === '>' ? sql`(records.id >= ${end})` : sql`(records.id >= ${begin})`
}

/** Nothing was changed before 1970, and Postgres knows no year 0. */
const compareUpdated: Compare = (comparison, given) => {
  const at = new Date(Math.max(0, Date.parse(given))).toISOString()
  return sql`(coalesce(records.updated_at, uuid_extract_timestamp(records.id)) ${sql.raw(comparison)} ${at}::timestamptz)`
}

/** Values that an undo holds are not pending (domain/sync.ts). */
const pendingSql = sql`(records.agreed <> '{}' and jsonb_path_exists(records.agreed, '$.* ? (!exists(@.h))'))`

const truth = (test: SQL, wanted: string | boolean | undefined): SQL => (wanted === true ? test : sql`(not ${test})`)

const tests: Record<PropertyName, (condition: PropertyCondition, of: RecordsOf, clock: Clock) => SQL> = {
  crmState: ({ values }, of) => stateIn(of, values.map(String)),
  crmEntity: ({ values }) => any(values.map((each) => sql`(records.crm_entity = ${each})`)),
  suppressed: ({ values }) => truth(suppressedSql, values[0]),
  pending: ({ values }) => truth(pendingSql, values[0]),
  createdAt: (condition, _of, clock) => orderedTest(compareCreated, stringly(condition), clock),
  updatedAt: (condition, _of, clock) => orderedTest(compareUpdated, stringly(condition), clock),
  externalId: ({ operator, values }) => textTest(sql`records.external_id`, operator, values.map(String)),
}

const stringly = ({ values, ...rest }: PropertyCondition) => ({ ...rest, values: values.map(String) })

const blanks: Partial<Record<PropertyName, SQL>> = {
  crmEntity: sql`(records.crm_entity is null)`,
  externalId: sql`(records.external_id is null)`,
}

/** One test of what a record has besides its columns, but for the contraries. */
export const propertyTest = (condition: PropertyCondition, of: RecordsOf, clock: Clock): SQL =>
  condition.operator === 'isBlank'
    ? (blanks[condition.property] ?? sql`false`)
    : tests[condition.property](condition, of, clock)
