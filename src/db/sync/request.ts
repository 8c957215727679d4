import { and, asc, eq, inArray, isNotNull, isNull, notInArray } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { entityOf } from '../../domain/list.ts'
import { activeStates, type RunKind, type RunSettings, type RunSource, type RunTrigger } from '../../domain/run.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { lists, records, runs, segments } from '../schema.ts'

type Transaction = outbox.Transaction
export type Asked = {
  kind: Exclude<RunKind, 'import' | 'upload'>
  trigger: RunTrigger
  settings?: RunSettings
  /** a segment of the list that is pushed instead (P2) */
  segmentId?: string | null
  /** while a run of the list is under way: wait for it to end instead of answering with it (R19) */
  queue?: boolean
}

const isLinked = async (tx: Database | Transaction, listId: string): Promise<boolean> => {
  const [one] = await tx
    .select({ id: records.id })
    .from(records)
    .where(and(eq(records.listId, listId), inArray(records.crmEntity, ['lead', 'contact']), isNotNull(records.crmId)))
    .limit(1)
  return one !== undefined
}

type Bound = Pick<typeof lists.$inferSelect, 'id' | 'kind' | 'connectionId'>

/**
 * P1: a plain list belongs to the CRM that it was pushed to first, as soon as somebody on it is linked; an imported one to the CRM that it came from.
 * Errors: conflict, notConnected.
 */
export const refuseOtherCrm = async (tx: Database | Transaction, list: Bound, connectionId: string): Promise<void> => {
  if (list.connectionId === connectionId) return
  if (entityOf(list.kind) !== null) {
    throw new FairleadError('notConnected', {
      detail: 'The list came from another CRM than the one that is connected.',
      remedy: 'Connect that CRM again, or import the people of this one: POST /v1/imports.',
    })
  }
  if (list.connectionId !== null && (await isLinked(tx, list.id))) {
    throw new FairleadError('conflict', {
      detail: 'People of this list are linked to the CRM that it was pushed to before; another CRM is connected now.',
      remedy: 'Connect that CRM again, or upload the people to a new list and push that one.',
    })
  }
}

const refuseReading = (kind: RunKind, what: string): void => {
  if (kind !== 'sweep' && kind !== 'verify') return
  throw new FairleadError('pullNotPossible', {
    detail: `${what} can only push: there is nobody in the CRM to compare it with.`,
    remedy: 'Start a run without `sweep` and `verify`.',
  })
}

/**
 * Whoever removes the segment waits for the account, and then cancels this run, too (R18). It is not locked: whoever changes it may add rows of the
 * account, which wait for this. Errors: notFound.
 */
const findSegment = async (tx: Transaction, listId: string, segmentId: string): Promise<void> => {
  const [found] = await tx
    .select({ id: segments.id })
    .from(segments)
    .where(and(eq(segments.id, segmentId), eq(segments.listId, listId), isNull(segments.removedAt)))
  if (found === undefined) throw new FairleadError('notFound')
}

type Ready = { entity: CrmEntity | null; connectionId: string }

/** A list and the connection that its runs need. Errors: notFound, notConnected, pullNotPossible, conflict for a plain list of another CRM. */
const readyList = async (
  tx: Transaction,
  accountId: string,
  listId: string,
  { kind, segmentId, source }: Pick<Asked, 'kind' | 'segmentId'> & { source?: RunSource | undefined },
): Promise<Ready> => {
  const [list] = await tx
    .select()
    .from(lists)
    .where(and(eq(lists.accountId, accountId), eq(lists.id, listId), isNull(lists.removedAt)))
  if (list === undefined) throw new FairleadError('notFound')
  const entity = entityOf(list.kind)
  if (segmentId != null) refuseReading(kind, 'A segment')
  if (entity === null) refuseReading(kind, 'A plain list')
  const connection = await connections.findActive(tx, accountId)
  if (connection === undefined || connection.state === 'reset') throw new FairleadError('notConnected')
  await refuseOtherCrm(tx, list, connection.id)
  // what a run has done can be undone and tried again also when its segment is gone
  if (segmentId != null && source?.as !== 'undo' && source?.as !== 'retry') await findSegment(tx, listId, segmentId)
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
 * Starts a sync, a key sweep, a verification, an undo or a preview of a list, or the push of one of its segments. `created` is false when a run of the
 * list is under way: that run is the answer (R19), for a preview another one of the same list or segment; with `queue` the new one begins when that one
 * ends, and a second asker gets the one that waits. Errors: notFound, notConnected, connectorDisabled, pullNotPossible, conflict.
 */
export const request = (
  db: Database | Transaction,
  accountId: string,
  listId: string,
  { kind, trigger, settings = {}, segmentId = null, queue = false }: Asked,
): Promise<{ runId: string; created: boolean }> =>
  db.transaction(async (tx) => {
    await connections.lockAccount(tx, accountId)
    const { entity, connectionId } = await readyList(tx, accountId, listId, {
      kind,
      segmentId,
      source: settings.source,
    })
    const active = await tx
      .select({ id: runs.id, state: runs.state })
      .from(runs)
      .where(
        and(
          eq(runs.listId, listId),
          inArray(runs.state, [...activeStates]),
          kind === 'preview'
            ? and(eq(runs.kind, kind), segmentId === null ? isNull(runs.segmentId) : eq(runs.segmentId, segmentId))
            : notInArray(runs.kind, ['upload', 'preview']),
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
      .values({ accountId, kind, trigger, listId, segmentId, connectionId, entity, settings, workflowId: '' })
      .returning()
    const message = startMessage(run!)
    await tx.update(runs).set({ workflowId: message.workflowId }).where(eq(runs.id, run!.id))
    if (working === undefined) await outbox.insert(tx, message)
    return { runId: run!.id, created: true }
  })
