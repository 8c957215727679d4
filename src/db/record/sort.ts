import { and, asc, desc, eq, gt, isNull, lt, or, sql, type SQL } from 'drizzle-orm'
import type { FieldType } from '../../domain/crm.ts'
import { records } from '../schema.ts'
import { literal } from '../filter/value.ts'

/** Without a column, by id: the order in which records were made. */
export type Sort = { column?: { key: string; type: FieldType }; order: 'asc' | 'desc' }
/** The last row seen: its id and, as text, what it was sorted by. */
export type RecordKey = { id: string; value: string | null }

/** Longer texts are told apart by their ids. */
const sortedLength = 200

/** What a column is sorted by: text as people expect it, numbers by size; what does not fit the type counts as blank. */
const sortValue = ({ key, type }: NonNullable<Sort['column']>): SQL => {
  const value = sql`${records.fields} -> ${literal(key)}`
  const text = sql`${records.fields} ->> ${literal(key)}`
  if (type === 'number') return sql`(case when jsonb_typeof(${value}) = 'number' then (${text})::numeric end)`
  if (type === 'boolean') return sql`(case when jsonb_typeof(${value}) = 'boolean' then (${text})::boolean end)`
  if (type === 'date' || type === 'instant') return sql`(nullif(left(${text}, 40), '') collate "C")`
  return sql`(nullif(left(${text}, ${sql.raw(String(sortedLength))}), '') collate "unicode")`
}

const casts: Partial<Record<FieldType, string>> = { number: 'numeric', boolean: 'boolean' }

const beyond = { asc: gt, desc: lt }
const directed = { asc, desc }

type Sorting = { orderBy: SQL[]; value: SQL<string | null>; after: SQL | undefined }

/** Order, what to show of it for the next cursor, and the condition that goes on after a key. Blanks come last either way. */
export const sortSql = ({ column, order }: Sort, after: RecordKey | undefined): Sorting => {
  const beyondId = after && beyond[order](records.id, after.id)
  const byId = directed[order](records.id)
  if (column === undefined) return { orderBy: [byId], value: sql<string | null>`null`, after: beyondId }
  const sorted = sortValue(column)
  const given = sql`${after?.value ?? null}::text::${sql.raw(casts[column.type] ?? 'text')}`
  const beyondValue = or(beyond[order](sorted, given), and(eq(sorted, given), beyondId), isNull(sorted))
  return {
    orderBy: [sql`${directed[order](sorted)} nulls last`, byId],
    value: sql<string | null>`(${sorted})::text`,
    after: after && (after.value === null ? and(isNull(sorted), beyondId) : beyondValue),
  }
}
