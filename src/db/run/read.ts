import { and, desc, eq, inArray, lt, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { LanePhase } from '../../domain/lane.ts'
import { firstPhaseOf, isOver, noCounts, type PhaseCounts, type RunKind, type RunState } from '../../domain/run.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { lanes, lists, messages, runs, segments } from '../schema.ts'

export type LaneSums = PhaseCounts & { phase: LanePhase; keys: number }
type Named = { id: string; name: string }
export type RunRow = typeof runs.$inferSelect & {
  list: Named | null
  segment: Named | null
  message: Named | null
  lanes: LaneSums[]
}
export type RunFilter = { listId?: string; segmentId?: string; kind?: RunKind; state?: RunState }

const selection = {
  run: runs,
  list: { id: lists.id, name: lists.name },
  segment: { id: segments.id, name: segments.name },
  message: { id: messages.id, name: messages.name },
}

/** The sums of many runs' lanes in one statement. */
const sumsOf = async (db: Database | Transaction, runIds: string[]): Promise<Map<string, LaneSums[]>> => {
  const sum = (name: keyof typeof lanes.$inferSelect) => sql<number>`sum(${lanes[name as 'read']})::int`
  const { runId, phase } = lanes
  const counts = {
    keys: sum('keys'),
    read: sum('read'),
    created: sum('created'),
    updated: sum('updated'),
    unchanged: sum('unchanged'),
    skipped: sum('skipped'),
    rejected: sum('rejected'),
    deleted: sum('deleted'),
    relinked: sum('relinked'),
    conflicts: sum('conflicts'),
    withoutEmail: sum('withoutEmail'),
    optedOut: sum('optedOut'),
  }
  if (runIds.length === 0) return new Map()
  const rows = await db
    .select({ runId, phase, ...counts })
    .from(lanes)
    .where(inArray(runId, runIds))
    .groupBy(runId, phase)
  const byRun = new Map<string, LaneSums[]>()
  for (const { runId, ...sums } of rows) byRun.set(runId, [...(byRun.get(runId) ?? []), sums])
  return byRun
}

const withLanes = async (
  db: Database | Transaction,
  rows: { run: typeof runs.$inferSelect; list: Named | null; segment: Named | null; message: Named | null }[],
): Promise<RunRow[]> => {
  const sums = await sumsOf(
    db,
    rows.map(({ run }) => run.id),
  )
  return rows.map(({ run, ...named }) => ({ ...run, ...named, lanes: sums.get(run.id) ?? [] }))
}

export const find = async (
  db: Database | Transaction,
  accountId: string,
  runId: string,
): Promise<RunRow | undefined> => {
  const rows = await db
    .select(selection)
    .from(runs)
    .leftJoin(lists, eq(lists.id, runs.listId))
    .leftJoin(segments, eq(segments.id, runs.segmentId))
    .leftJoin(messages, eq(messages.id, runs.messageId))
    .where(and(eq(runs.accountId, accountId), eq(runs.id, runId)))
  return (await withLanes(db, rows))[0]
}

export const get = async (db: Database | Transaction, accountId: string, runId: string): Promise<RunRow> => {
  const found = await find(db, accountId, runId)
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Newest first; `before` is the id of the last one seen. */
export const page = async (
  db: Database,
  accountId: string,
  { listId, segmentId, kind, state }: RunFilter,
  { limit, before }: { limit: number; before?: string },
): Promise<RunRow[]> => {
  const rows = await db
    .select(selection)
    .from(runs)
    .leftJoin(lists, eq(lists.id, runs.listId))
    .leftJoin(segments, eq(segments.id, runs.segmentId))
    .leftJoin(messages, eq(messages.id, runs.messageId))
    .where(
      and(
        eq(runs.accountId, accountId),
        listId === undefined ? undefined : eq(runs.listId, listId),
        segmentId === undefined ? undefined : eq(runs.segmentId, segmentId),
        kind === undefined ? undefined : eq(runs.kind, kind),
        state === undefined ? undefined : eq(runs.state, state),
        before === undefined ? undefined : lt(runs.id, before),
      ),
    )
    .orderBy(desc(runs.id))
    .limit(limit)
  return withLanes(db, rows)
}

/** The stored sums of a run that is over, else those of its lanes; the phase that a run cannot do without is always there. */
export const countsOf = ({ kind, state, counts, lanes }: RunRow): Record<string, PhaseCounts> => {
  const first = { [firstPhaseOf(kind)]: noCounts() }
  if (isOver(state) && counts !== null) return { ...first, ...counts }
  const summed = lanes.map(({ phase, keys: _keys, ...sums }) => [phase, sums] as const)
  return { ...first, ...Object.fromEntries(summed) }
}

export type Progress = { done: number; total: number; perSecond: number; secondsLeft: number | null }

/** How far the run is. The CRM's total is a hint and can be too small; that of an upload, the lines of its file, can be too large until its end. A sweep counts keys, a verification people and keys, everything else people. */
export const progressOf = (run: RunRow, now = new Date()): Progress => {
  const sweeps = run.kind === 'sweep' || run.kind === 'verify'
  const of = (wanted: LanePhase) => run.lanes.find(({ phase }) => phase === wanted)
  const done = sweeps
    ? (of('verify')?.read ?? 0) + (of('sweep')?.keys ?? 0)
    : (of('pull')?.read ?? 0) +
      (of('push')?.read ?? 0) +
      (of('upload')?.read ?? 0) +
      (of('send')?.read ?? 0) +
      (of('notes')?.read ?? 0)
  const expected = run.total === null ? null : run.kind === 'verify' ? 2 * run.total : run.total
  const total = run.kind === 'upload' && run.state === 'succeeded' ? done : Math.max(expected ?? done, done)
  const began = run.state === 'queued' || run.state === 'held' ? null : run.startedAt
  const seconds = began === null ? 0 : ((run.finishedAt ?? now).getTime() - began.getTime()) / 1000
  const perSecond = seconds > 0 ? Math.round((done / seconds) * 10) / 10 : 0
  const knowsEnd = run.state === 'running' && run.total !== null && perSecond > 0
  return { done, total, perSecond, secondsLeft: knowsEnd ? Math.ceil((total - done) / perSecond) : null }
}
