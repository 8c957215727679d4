import type { PendingQuery, Row } from 'postgres'
import type { Sql } from '../database.ts'

const isTrue = String.raw`^\s*(true|t|1|y)\s*$`

/** DoNotEmail or DoNotSolicit of a row of `records`, as records keep them (domain/truthy.ts, R34). */
export const refuses = (sql: Sql, record: string): PendingQuery<Row[]> => sql`
  (${sql(record)}.fields ->> 'c6' ~* ${isTrue}::text or ${sql(record)}.fields ->> 'c7' ~* ${isTrue}::text)`
