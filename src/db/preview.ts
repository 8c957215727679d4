import { and, eq, notInArray, sql } from 'drizzle-orm'
import { FairleadError } from '../domain/errors.ts'
import { previewDays } from '../domain/preview.ts'
import { isOver } from '../domain/run.ts'
import type { Transaction } from './outbox.ts'
import * as runs from './run/state.ts'
import { runs as runRows } from './schema.ts'
import { request } from './sync/request.ts'

type Answer = { runId: string; created: boolean }

/** The run that does what a preview has shown, unless it was cancelled or failed. */
const applicationOf = async (tx: Transaction, listId: string, previewId: string) => {
  const [found] = await tx
    .select({ id: runRows.id, state: runRows.state })
    .from(runRows)
    .where(
      and(
        eq(runRows.listId, listId),
        notInArray(runRows.state, ['cancelled', 'failed']),
        sql`${runRows.settings} -> 'source' ->> 'runId' = ${previewId} and ${runRows.settings} -> 'source' ->> 'as' = 'preview'`,
      ),
    )
    .limit(1)
  return found
}

const ageDays = (at: Date): number => (Date.now() - at.getTime()) / 86_400_000

/**
 * S8: starts the run that does exactly what a preview of the list, or of the segment, has shown. `created` is false when that run, or another one of the list, is under way (R19).
 * Errors: notFound, notAPreview, previewNotReady, previewExpired, previewApplied, and those of a sync.
 */
export const apply = async (
  tx: Transaction,
  accountId: string,
  listId: string,
  previewId: string,
  queue: boolean,
  segmentId: string | null = null,
): Promise<Answer> => {
  const preview = await runs.get(tx, accountId, previewId)
  if (preview.kind !== 'preview' || preview.listId !== listId || preview.segmentId !== segmentId)
    throw new FairleadError('notAPreview')
  const { state, finishedAt } = preview
  if (finishedAt === null || (state !== 'succeeded' && state !== 'incomplete'))
    throw new FairleadError('previewNotReady')
  if (ageDays(finishedAt) > previewDays) throw new FairleadError('previewExpired')
  // two who ask at the same moment start one run
  await tx.select({ id: runRows.id }).from(runRows).where(eq(runRows.id, previewId)).for('update')
  const known = await applicationOf(tx, listId, previewId)
  if (known !== undefined && isOver(known.state)) throw new FairleadError('previewApplied')
  if (known !== undefined) return { runId: known.id, created: false }
  const settings = { source: { runId: previewId, as: 'preview' as const } }
  return request(tx, accountId, listId, { kind: 'sync', trigger: 'api', queue, settings, segmentId })
}
