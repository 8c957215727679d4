import { sql } from 'drizzle-orm'
import { readFileSync } from 'node:fs'
import type { Database } from './database.ts'
import { failureCode } from './failure.ts'

const journal = JSON.parse(readFileSync(new URL('migrations/meta/_journal.json', import.meta.url), 'utf8')) as {
  entries: { when: number }[]
}
const newest = Math.max(...journal.entries.map(({ when }) => when))

/** undefined_table and invalid_schema_name: a database that nobody has migrated */
const missing = new Set(['42P01', '3F000'])

export type DatabaseHealth = { database: boolean; migrations: boolean }

/** Whether the database answers, and whether its schema is as new as this code. It belongs to no account. */
export const check = async (db: Database, timeoutMs = 2000): Promise<DatabaseHealth> => {
  const nothing = { database: false, migrations: false }
  const ask = async () => {
    const [applied] = await db.execute<{ newest: string | null }>(
      sql`select max(created_at)::text as newest from drizzle.__drizzle_migrations`,
    )
    return { database: true, migrations: Number(applied?.newest ?? 0) >= newest }
  }
  const answer = ask().catch((error: unknown) => ({ ...nothing, database: missing.has(failureCode(error) ?? '') }))
  const timeout = new Promise<DatabaseHealth>((resolve) => setTimeout(resolve, timeoutMs, nothing).unref())
  return Promise.race([answer, timeout])
}
