import { and, desc, eq, lt } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import { erasures } from '../schema.ts'

export type Erasure = typeof erasures.$inferSelect

/** Newest first; `before` is the id of the last one seen. */
export const page = (
  db: Database,
  accountId: string,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<Erasure[]> =>
  db
    .select()
    .from(erasures)
    .where(and(eq(erasures.accountId, accountId), before === undefined ? undefined : lt(erasures.id, before)))
    .orderBy(desc(erasures.id))
    .limit(limit)

/** Errors: notFound. */
export const get = async (db: Database, accountId: string, erasureId: string): Promise<Erasure> => {
  const [found] = await db
    .select()
    .from(erasures)
    .where(and(eq(erasures.accountId, accountId), eq(erasures.id, erasureId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}
