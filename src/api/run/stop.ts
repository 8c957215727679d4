import type { Database } from '../../db/database.ts'
import * as lists from '../../db/list.ts'
import { requestCancel } from '../../db/run/state.ts'
import { isFairleadError } from '../../domain/errors.ts'

/** R18: the runs of a list or segment that is removed stop at their next checkpoint. One that has just ended needs no stopping. */
export const cancelRuns = async (
  db: Database,
  accountId: string,
  listId: string,
  segmentId?: string,
): Promise<void> => {
  for (const runId of await lists.activeRuns(db, accountId, listId, segmentId))
    await requestCancel(db, accountId, runId).catch((error: unknown) => {
      if (!isFairleadError(error) || error.code !== 'runFinished') throw error
    })
}
