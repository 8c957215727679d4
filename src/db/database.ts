import { drizzle, type PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import * as schema from './schema.ts'

export type Sql = postgres.Sql
/** `$client` is the driver itself, for statements over whole pages. */
export type Database = PostgresJsDatabase<typeof schema> & { $client: Sql }

/** Any two numbers that no other user of the database locks. */
const migrationLock = [0x4661_6972, 0x6c65_6164] as const

export const openDatabase = (url: string, options: { max?: number; name?: string } = {}): Database => {
  const client = postgres(url, {
    max: options.max ?? 12,
    onnotice: () => {},
    // Nothing reads arrays, and a connection that is lost while it asks for their types would end the process.
    fetch_types: false,
    // Servers that can compile plans take longer to do so than a search over a large list takes.
    connection: { application_name: options.name ?? 'fairlead', jit: 'off' },
  })
  return drizzle(client, { schema, casing: 'snake_case' })
}

/**
 * A transaction for statements that compare whole sets. Never by nested loops: a table that was just filled has no statistics yet, the planner
 * takes a hundred thousand rows for a handful, and such a loop then takes hours.
 */
export const compareSets = <T>(db: Database, work: (sql: Sql) => Promise<T>): Promise<T> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    await sql`set local enable_nestloop = off`
    await sql`set local work_mem = '64MB'`
    return work(sql)
  }) as Promise<T>

/** Brings the schema up to date. Safe to call from several processes at once: they take turns under an advisory lock. */
export const migrate = async (url: string): Promise<void> => {
  const client = postgres(url, { max: 1, onnotice: () => {} })
  try {
    await client`select pg_advisory_lock(${migrationLock[0]}, ${migrationLock[1]})`
    await applyMigrations(drizzle(client), { migrationsFolder: fileURLToPath(new URL('migrations', import.meta.url)) })
  } finally {
    await client.end()
  }
}
