import { and, asc, desc, eq, inArray, isNull, lt, ne, notInArray, sql } from 'drizzle-orm'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import {
  activeStates,
  isOver,
  standsAside,
  type Balance,
  type PhaseCounts,
  type RunError,
  type RunState,
} from '../../domain/run.ts'
import * as accountRows from '../account.ts'
import type { Database } from '../database.ts'
import { endMessage } from '../delivery/finish.ts'
import { queueLate } from '../optOut/late.ts'
import * as outbox from '../outbox.ts'
import { lists, previewedRecords, putOff, runMembers, runs, sweptKeys, uploads } from '../schema.ts'
import { startMessage } from '../sync/request.ts'
import { noteEnding } from './alert.ts'

export type Run = typeof runs.$inferSelect

export const get = async (db: Database | outbox.Transaction, accountId: string, runId: string): Promise<Run> => {
  const [run] = await db
    .select()
    .from(runs)
    .where(and(eq(runs.accountId, accountId), eq(runs.id, runId)))
  if (run === undefined) throw new FairleadError('notFound')
  return run
}

const update = async (
  db: Database,
  runId: string,
  from: RunState[],
  values: Partial<typeof runs.$inferInsert>,
): Promise<boolean> => {
  const moved = await db
    .update(runs)
    .set(values)
    .where(and(eq(runs.id, runId), inArray(runs.state, from)))
    .returning({ id: runs.id })
  return moved.length > 0
}

/** queued → running, or held → running after the login was reconfirmed; answers false when the run is over. */
export const run = (db: Database, runId: string): Promise<boolean> =>
  update(db, runId, ['queued', 'running', 'held'], {
    state: 'running',
    error: sql`case when ${runs.state} = 'held' then null else ${runs.error} end` as unknown as RunError,
    startedAt: sql`coalesce(${runs.startedAt}, now())` as unknown as Date,
  })

export const hold = (db: Database, runId: string, error: RunError): Promise<boolean> =>
  update(db, runId, ['queued', 'running', 'held'], { state: 'held', error })

export const enter = (db: Database, runId: string, phase: Run['phase']): Promise<boolean> =>
  update(db, runId, ['running', 'held'], { phase })

/** What the run is waiting for while a transient failure is repeated (R21); null when work goes on. */
export const noteWaiting = async (db: Database, runId: string, error: RunError | null): Promise<void> => {
  await db
    .update(runs)
    .set({ error })
    .where(and(eq(runs.id, runId), eq(runs.state, 'running'), error === null ? sql`error is not null` : undefined))
}

type Ending = {
  state: RunState
  counts: Record<string, PhaseCounts>
  balance: Balance
  error: RunError | null
  /** how many records the run added to the list or took from it; null: they are counted */
  recordsAdded: number | null
  /** moves the list's mark, when everything was read (R14) */
  mark: Date | null
  /** everybody on the list was seen: by a complete import or sweep; `mark` null: but for some, and the one before stays */
  swept: { byUser: string | null; mark: Date | null } | null
  /** the widening that this run has settled */
  widenedAt: string | null
}

/** Uploads take turns among themselves, previews wait for nobody, all other runs of a list take turns among themselves. */
const sameTurn = (kind: Run['kind']) =>
  standsAside(kind) ? eq(runs.kind, kind) : notInArray(runs.kind, ['upload', 'preview'])

/** The run that waits for this one's end begins (R19): the oldest upload, or the one other run. */
const startWaiting = async (tx: outbox.Transaction, listId: string, kind: Run['kind']): Promise<void> => {
  const [waiting] = await tx
    .select()
    .from(runs)
    .where(and(eq(runs.listId, listId), eq(runs.state, 'queued'), sameTurn(kind)))
    .orderBy(asc(runs.id))
    .limit(1)
  if (waiting !== undefined && waiting.kind !== 'import') await outbox.insert(tx, startMessage(waiting))
}

/** The last word on a run, once: a second call changes nothing. */
export const finish = (db: Database, run: Run, ending: Ending): Promise<void> =>
  db.transaction(async (tx) => {
    await accountRows.lock(tx, run.accountId, 'key share')
    const [moved] = await tx
      .update(runs)
      .set({
        state: ending.state,
        counts: ending.counts,
        balance: ending.balance,
        error: ending.error,
        finishedAt: new Date(),
        startedAt: sql`coalesce(${runs.startedAt}, now())`,
      })
      .where(and(eq(runs.id, run.id), inArray(runs.state, ['queued', 'running', 'held'])))
      .returning({ id: runs.id })
    if (moved === undefined) return
    await tx.delete(sweptKeys).where(eq(sweptKeys.runId, run.id))
    await tx.delete(putOff).where(eq(putOff.runId, run.id))
    await tx.delete(runMembers).where(eq(runMembers.runId, run.id))
    if (run.kind === 'preview') await tx.delete(previewedRecords).where(eq(previewedRecords.runId, run.id))
    await endMessage(tx, run, ending.state)
    if (run.listId === null) {
      await noteEnding(tx, run, ending)
      return
    }
    if (run.connectionId !== null && run.kind !== 'preview')
      await queueLate(tx, { accountId: run.accountId, connectionId: run.connectionId, listId: run.listId })
    // whoever makes, removes or restores a record waits for this, so the count below is right
    await tx.select({ id: lists.id }).from(lists).where(eq(lists.id, run.listId)).for('no key update')
    await tx
      .update(lists)
      .set({
        recordCount:
          ending.recordsAdded === null
            ? sql`(select count(*)::int from records r where r.list_id = ${run.listId} and r.removed_at is null)`
            : sql`${lists.recordCount} + ${ending.recordsAdded}`,
        ...(ending.mark === null ? {} : { mark: ending.mark }),
        ...(ending.swept && { sweptByUser: ending.swept.byUser }),
        ...(ending.swept?.mark && { sweptMark: ending.swept.mark }),
        ...(ending.widenedAt === null
          ? {}
          : {
              widenedAt: sql`case when ${lists.widenedAt} > ${ending.widenedAt}::timestamptz then ${lists.widenedAt} end`,
            }),
      })
      .where(eq(lists.id, run.listId))
    await startWaiting(tx, run.listId, run.kind)
    await noteEnding(tx, run, ending)
  })

/** Whether a run that is queued waits for another one to end: an upload for those that came before it. */
const hasActive = async (tx: outbox.Transaction, { listId, id, kind }: Run): Promise<boolean> => {
  if (listId === null) return false
  const before =
    kind === 'upload'
      ? and(lt(runs.id, id), inArray(runs.state, [...activeStates]))
      : inArray(runs.state, ['running', 'held'])
  const [working] = await tx
    .select({ id: runs.id })
    .from(runs)
    .where(and(eq(runs.listId, listId), ne(runs.id, id), sameTurn(kind), before))
    .limit(1)
    .for('update')
  return working !== undefined
}

/** Asks a run to stop at its next checkpoint; one that only waits for another ends at once. Errors: notFound, runFinished. */
export const requestCancel = (db: Database, accountId: string, runId: string): Promise<void> =>
  db.transaction(async (tx) => {
    // before the run, as whoever starts one
    await accountRows.lock(tx, accountId, 'key share')
    const found = await get(tx, accountId, runId)
    if (isOver(found.state)) throw new FairleadError('runFinished')
    const waits = found.state === 'queued' && (await hasActive(tx, found))
    await tx
      .update(runs)
      .set({
        cancelRequestedAt: new Date(),
        ...(waits ? { state: 'cancelled' as const, finishedAt: new Date(), counts: {} } : {}),
      })
      .where(eq(runs.id, runId))
    if (waits) {
      await tx.delete(uploads).where(eq(uploads.runId, runId))
      return
    }
    await outbox.insert(tx, { accountId, kind: 'cancel', name: 'cancel', workflowId: found.workflowId })
  })

/** Runs of a list, or of one of its segments, that have not ended and were not asked to stop, newest first. */
const activeOf = async (
  db: Database,
  accountId: string,
  of: { listId: string } | { segmentId: string },
): Promise<string[]> => {
  const rows = await db
    .select({ id: runs.id })
    .from(runs)
    .where(
      and(
        eq(runs.accountId, accountId),
        'listId' in of ? eq(runs.listId, of.listId) : eq(runs.segmentId, of.segmentId),
        inArray(runs.state, [...activeStates]),
        isNull(runs.cancelRequestedAt),
      ),
    )
    .orderBy(desc(runs.id))
  return rows.map(({ id }) => id)
}

/** Asks every run of a list, or of one of its segments, to stop, where that is removed (R18). */
export const cancelAll = async (
  db: Database,
  accountId: string,
  of: { listId: string } | { segmentId: string },
): Promise<void> => {
  for (const runId of await activeOf(db, accountId, of))
    await requestCancel(db, accountId, runId).catch((error: unknown) => {
      if (!isFairleadError(error) || error.code !== 'runFinished') throw error
    })
}

/** Runs that should be at work: what a worker looks after when it starts (their workflows may be lost). */
export const active = (db: Database) =>
  db
    .select({
      accountId: runs.accountId,
      runId: runs.id,
      workflowId: runs.workflowId,
      kind: runs.kind,
      entity: runs.entity,
      listId: runs.listId,
      connectionId: runs.connectionId,
    })
    .from(runs)
    .where(
      and(
        inArray(runs.state, ['queued', 'running', 'held']),
        sql`(${runs.state} <> 'queued' or not exists (select from runs w where w.list_id = ${runs.listId}
          and case when ${runs.kind} = 'upload' then w.kind = 'upload' and w.id < ${runs.id} and w.state in ('queued', 'running', 'held')
            else ${runs.kind} <> 'preview' and w.kind not in ('upload', 'preview') and w.state in ('running', 'held') end))`,
      ),
    )
