import { and, asc, eq, inArray, isNull, notInArray } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { entityOf } from '../../domain/list.ts'
import { activeStates, type RunKind, type RunSettings, type RunTrigger } from '../../domain/run.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { lists, runs } from '../schema.ts'

type Transaction = outbox.Transaction
export type Asked = {
  kind: Exclude<RunKind, 'import' | 'upload'>
  trigger: RunTrigger
  settings?: RunSettings
  /** while a run of the list is under way: wait for it to end instead of answering with it (R19) */
  queue?: boolean
}

/** An imported list and the connection that its runs need. Errors: notFound, notConnected, conflict for a plain list. */
const readyList = async (tx: Transaction, accountId: string, listId: string) => {
  const [list] = await tx
    .select()
    .from(lists)
    .where(and(eq(lists.accountId, accountId), eq(lists.id, listId), isNull(lists.removedAt)))
  if (list === undefined) throw new FairleadError('notFound')
  const entity = entityOf(list.kind)
  if (entity === null) {
    throw new FairleadError('conflict', {
      detail: 'A plain list has no counterpart in the CRM.',
      remedy: 'Choose an imported list.',
    })
  }
  const connection = await connections.findActive(tx, accountId)
  if (connection === undefined || connection.id !== list.connectionId || connection.state === 'reset')
    throw new FairleadError('notConnected')
  return { entity, connectionId: connection.id }
}

const workflowPrefix: Partial<Record<RunKind, string>> = { upload: 'upload', preview: 'preview', undo: 'undo' }

export const startMessage = (run: {
  id: string
  accountId: string
  listId: string | null
  connectionId: string | null
  kind: RunKind
}) => ({
  accountId: run.accountId,
  kind: 'start' as const,
  name: run.kind === 'upload' ? 'uploadList' : 'syncList',
  workflowId: `${workflowPrefix[run.kind] ?? 'sync'}:${run.id}`,
  input: {
    accountId: run.accountId,
    runId: run.id,
    listId: run.listId,
    ...(run.connectionId === null ? {} : { connectionId: run.connectionId }),
    kind: run.kind,
  },
})

/**
 * Starts a sync, a key sweep, a verification, an undo or a preview of an imported list. `created` is false when a run of the list is under way: that run
 * is the answer (R19), for a preview another preview; with `queue` the new one begins when that one ends, and a second asker gets the one that waits. Errors: notFound, notConnected,
 * connectorDisabled, conflict for a plain list.
 */
export const request = (
  db: Database | Transaction,
  accountId: string,
  listId: string,
  { kind, trigger, settings = {}, queue = false }: Asked,
): Promise<{ runId: string; created: boolean }> =>
  db.transaction(async (tx) => {
    await connections.lockAccount(tx, accountId)
    const { entity, connectionId } = await readyList(tx, accountId, listId)
    const active = await tx
      .select({ id: runs.id, state: runs.state })
      .from(runs)
      .where(
        and(
          eq(runs.listId, listId),
          inArray(runs.state, [...activeStates]),
          kind === 'preview' ? eq(runs.kind, kind) : notInArray(runs.kind, ['upload', 'preview']),
        ),
      )
      .orderBy(asc(runs.id))
      // one that ends at this moment either starts the new one or has ended
      .for('update')
    const waiting = active.find(({ state }) => state === 'queued')
    const working = active.find(({ state }) => state !== 'queued')
    const answer = queue && kind !== 'preview' ? waiting : (working ?? waiting)
    if (answer !== undefined) return { runId: answer.id, created: false }
    const [run] = await tx
      .insert(runs)
      .values({ accountId, kind, trigger, listId, connectionId, entity, settings, workflowId: '' })
      .returning()
    const message = startMessage(run!)
    await tx.update(runs).set({ workflowId: message.workflowId }).where(eq(runs.id, run!.id))
    if (working === undefined) await outbox.insert(tx, message)
    return { runId: run!.id, created: true }
  })
