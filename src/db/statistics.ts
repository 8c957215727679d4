import type { PhaseCounts } from '../domain/run.ts'
import type { Database } from './database.ts'

/** From so many new records on a list is worth a look; the look itself reads a sample and takes less than a tenth of a second. */
const worthALook = 10_000

/**
 * Tells the planner of a list, or an account, that has just grown. Postgres looks by itself when a tenth of a table has changed; until then it takes
 * a list that it has never seen for one row, and reads the whole of it for every page that is looked up.
 */
export const refresh = async (db: Database, counts: Record<string, Pick<PhaseCounts, 'created'>>): Promise<void> => {
  const created = Object.values(counts).reduce((sum, phase) => sum + phase.created, 0)
  if (created < worthALook) return
  await db.$client`analyze (skip_locked) records (account_id, list_id), suppressions (account_id), entries (account_id, list_id)`
}
