import { and, eq, inArray, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { isOver, type Balance, type PhaseCounts, type RunError, type RunState } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { lists, runs, sweptKeys } from '../schema.ts'

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
  listTotal: number
  /** moves the list's mark, when everything was read (R14) */
  mark: Date | null
  sweptByUser: string | null
}

/** The last word on a run, once: a second call changes nothing. */
export const finish = (db: Database, run: Run, ending: Ending): Promise<void> =>
  db.transaction(async (tx) => {
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
    if (run.listId === null) return
    await tx
      .update(lists)
      .set({
        recordCount: ending.listTotal,
        ...(ending.mark === null ? {} : { mark: ending.mark }),
        ...(ending.sweptByUser === null ? {} : { sweptByUser: ending.sweptByUser }),
      })
      .where(eq(lists.id, run.listId))
  })

/** Asks a run to stop at its next checkpoint. Errors: notFound, runFinished. */
export const requestCancel = (db: Database, accountId: string, runId: string): Promise<void> =>
  db.transaction(async (tx) => {
    const found = await get(tx, accountId, runId)
    if (isOver(found.state)) throw new FairleadError('runFinished')
    await tx.update(runs).set({ cancelRequestedAt: new Date() }).where(eq(runs.id, runId))
    await outbox.insert(tx, { accountId, kind: 'cancel', name: 'cancel', workflowId: found.workflowId })
  })

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
    .where(inArray(runs.state, ['queued', 'running', 'held']))
