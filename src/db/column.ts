import { and, asc, eq } from 'drizzle-orm'
import type { Database } from './database.ts'
import { columns } from './schema.ts'

export type Column = typeof columns.$inferSelect

/** All columns of a list in their order; a list has a few hundred at most. */
export const all = (db: Database, accountId: string, listId: string): Promise<Column[]> =>
  db
    .select()
    .from(columns)
    .where(and(eq(columns.accountId, accountId), eq(columns.listId, listId)))
    .orderBy(asc(columns.position), asc(columns.id))
