import { sql } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import type { Transaction } from './outbox.ts'

/** Numbers rows anew, from 0, with one of them at `position`. `ids`: all that are in one order, as they stand now. */
export const moveTo = async (
  tx: Transaction,
  table: PgTable,
  ids: readonly string[],
  id: string,
  position: number,
): Promise<void> => {
  const order = ids.filter((each) => each !== id).toSpliced(position, 0, id)
  await tx.execute(sql`update ${table} t set position = o.place - 1
    from unnest(string_to_array(${order.join(',')}, ',')::uuid[]) with ordinality o (id, place) where t.id = o.id`)
}
