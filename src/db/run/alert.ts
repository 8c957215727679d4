import { standsAside, type RunError, type RunState } from '../../domain/run.ts'
import * as alerts from '../alert.ts'
import type { Transaction } from '../outbox.ts'
import { noteParked } from '../quarantine/alert.ts'
import type { runs } from '../schema.ts'

type Run = Pick<typeof runs.$inferSelect, 'id' | 'accountId' | 'kind' | 'listId' | 'segmentId'>

/**
 * What the end of a run tells people: that it is not as it should be, or that all is well again. Whoever uploads or previews sees its end, and
 * whoever cancels has asked for it.
 */
export const noteEnding = async (
  tx: Transaction,
  { id: runId, accountId, kind: run, listId, segmentId }: Run,
  { state, error }: { state: RunState; error: RunError | null },
): Promise<void> => {
  if (listId === null || standsAside(run)) return
  if (run === 'sync') await noteParked(tx, accountId, listId)
  const subject = segmentId ?? listId
  const details = { runId, run, code: error?.code ?? null }
  if (state === 'failed') await alerts.raise(tx, accountId, { kind: 'runFailed', subject, details })
  if (state === 'incomplete') await alerts.raise(tx, accountId, { kind: 'runIncomplete', subject, details })
  if (state === 'succeeded') await alerts.resolve(tx, accountId, { kind: 'runIncomplete', subject })
  if (state === 'succeeded' || state === 'incomplete')
    await alerts.resolve(tx, accountId, { kind: 'runFailed', subject })
}
