import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { activeStates, entryDays, isOver } from '../../domain/run.ts'
import { notUndoable } from '../../domain/undo.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import * as runs from './state.ts'
import { lists, runs as table } from '../schema.ts'
import { request } from '../sync/request.ts'

const isExpired = ({ startedAt, queuedAt }: runs.Run): boolean =>
  (startedAt ?? queuedAt).getTime() < Date.now() - entryDays * 86_400_000

/** A run whose values can be set back. Errors: notFound, notUndoable, runActive while it works, undoExpired. */
const undoable = async (
  tx: Transaction,
  accountId: string,
  runId: string,
): Promise<{ listId: string; segmentId: string | null }> => {
  const run = await runs.get(tx, accountId, runId)
  if (run.kind !== 'sync') throw new FairleadError('notUndoable', notUndoable[run.kind])
  if (!isOver(run.state))
    throw new FairleadError('runActive', {
      detail: 'The run that is to be undone is still under way.',
      remedy: 'Wait for its end, or cancel it; then undo it.',
      extra: { runId },
    })
  const [list] = await tx
    .select({ id: lists.id })
    .from(lists)
    .where(and(eq(lists.id, run.listId!), isNull(lists.removedAt)))
  if (list === undefined)
    throw new FairleadError('notUndoable', {
      detail: 'The list of this run was removed.',
      remedy: 'Change by hand, in the CRM, what shall be otherwise.',
    })
  if (isExpired(run)) throw new FairleadError('undoExpired')
  return { listId: list.id, segmentId: run.segmentId }
}

/**
 * Starts the undo of a sync; while a run of the list is under way it waits for the end of that one (R19). `created` is false when the run is being
 * undone already, or is about to be. Errors: notFound, notUndoable, undoExpired, runActive, notConnected, connectorDisabled.
 */
export const requestUndo = (
  db: Database | Transaction,
  accountId: string,
  runId: string,
): Promise<{ runId: string; created: boolean }> =>
  db.transaction(async (tx) => {
    const { listId, segmentId } = await undoable(tx, accountId, runId)
    await connections.lockAccount(tx, accountId)
    const source = { runId, as: 'undo' as const }
    const [same] = await tx
      .select({ id: table.id })
      .from(table)
      .where(
        and(
          eq(table.listId, listId),
          eq(table.kind, 'undo'),
          inArray(table.state, [...activeStates]),
          sql`${table.settings} -> 'source' ->> 'runId' = ${runId}`,
        ),
      )
      .orderBy(asc(table.id))
      .limit(1)
    if (same !== undefined) return { runId: same.id, created: false }
    const started = await request(tx, accountId, listId, {
      kind: 'undo',
      trigger: 'api',
      settings: { source },
      segmentId,
      queue: true,
    })
    if (started.created) return started
    throw new FairleadError('runActive', {
      detail: 'Another run of this list waits already for the one that is under way.',
      extra: { runId: started.runId },
    })
  })
