import { sql } from 'drizzle-orm'
import * as alerts from '../alert.ts'
import type { Transaction } from '../outbox.ts'

/** R23: tells that a list has more parked records than was told last, or none any more. */
export const noteParked = async (tx: Transaction, accountId: string, listId: string): Promise<void> => {
  const [found] = await tx.execute<{ parked: number }>(sql`
    select count(*)::int as parked from parked_records k join records r on r.id = k.record_id
    where k.list_id = ${listId}::uuid and r.removed_at is null and r.version = k.version and k.mapping <> ''`)
  const { parked } = found!
  const problem = { kind: 'quarantineGrown' as const, subject: listId }
  if (parked > 0) await alerts.raise(tx, accountId, { ...problem, details: { parked } })
  else await alerts.resolve(tx, accountId, problem)
}
