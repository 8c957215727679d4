import { eq, sql, type SQL } from 'drizzle-orm'
import * as outbox from '../outbox.ts'
import { schedules } from '../schema.ts'

type Schedule = typeof schedules.$inferSelect
type Changes = Partial<Pick<Schedule, 'slot' | 'state' | 'pausedBy' | 'spec'>>

/** The engine is told at once; what it misses, the reconciler finds by the generation. */
export const tell = (tx: outbox.Transaction, { id, accountId }: Pick<Schedule, 'id' | 'accountId'>): Promise<void> =>
  outbox.insert(tx, { accountId, kind: 'schedule', name: 'apply', workflowId: `schedule:${id}` })

/** What was due until a change is over and done with: nothing is caught up across it. */
export const changeWhere = async (
  tx: outbox.Transaction,
  where: SQL | undefined,
  changes: Changes,
): Promise<Schedule[]> => {
  const changed = await tx
    .update(schedules)
    .set({
      ...changes,
      generation: sql`${schedules.generation} + 1`,
      accountedUntil: sql`clock_timestamp()`,
      updatedAt: sql`now()`,
    })
    .where(where)
    .returning()
  for (const schedule of changed) await tell(tx, schedule)
  return changed
}

export const change = async (tx: outbox.Transaction, { id }: Schedule, changes: Changes): Promise<Schedule> => {
  const [changed] = await changeWhere(tx, eq(schedules.id, id), changes)
  return changed!
}
