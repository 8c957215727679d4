import { and, asc, eq, sql } from 'drizzle-orm'
import type { KeyRange } from '../domain/crm.ts'
import { FairleadError } from '../domain/errors.ts'
import { isOver, type RunSegment, type RunSettings } from '../domain/run.ts'
import type { Database, Sql } from './database.ts'
import type { Transaction } from './outbox.ts'
import { lanes, runs } from './schema.ts'

export type Lane = typeof lanes.$inferSelect
export type Phase = Lane['phase']
export type LaneKey = { runId: string; phase: Phase; lane: number; attempt: number }
export type LaneCounts = Pick<
  Lane,
  | 'keys'
  | 'read'
  | 'created'
  | 'updated'
  | 'unchanged'
  | 'skipped'
  | 'rejected'
  | 'withoutEmail'
  | 'optedOut'
  | 'deleted'
  | 'relinked'
  | 'conflicts'
>

export const noLaneCounts = (): LaneCounts => ({
  keys: 0,
  read: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  skipped: 0,
  rejected: 0,
  withoutEmail: 0,
  optedOut: 0,
  deleted: 0,
  relinked: 0,
  conflicts: 0,
})

export const all = (db: Database, runId: string, phase: Phase): Promise<Lane[]> =>
  db
    .select()
    .from(lanes)
    .where(and(eq(lanes.runId, runId), eq(lanes.phase, phase)))
    .orderBy(asc(lanes.lane))

/** Whether a phase has lanes and all of them were read to their end. */
export const allDone = async (db: Database, runId: string, phase: Phase): Promise<boolean> => {
  const planned = await all(db, runId, phase)
  return planned.length > 0 && planned.every(({ done }) => done)
}

export type LanePlan = {
  ranges: (KeyRange & { kind?: Lane['kind'] })[]
  /** R14: the mark and the hint are fixed with the lanes, before the first page is read; a sync's settings too (S6) */
  fixed?: { mark?: Date | null; total?: number | null; crmUserId?: string | null; settings?: RunSettings }
  /** P2: chooses the members of a run, once, with all that is fixed */
  choose?: (tx: Transaction) => Promise<RunSegment>
}

/** Stores the lanes of a phase, once: whoever comes second finds those of the first. Answers the numbers of the lanes that are to be read. */
export const plan = (
  db: Database,
  { accountId, runId, phase }: { accountId: string; runId: string; phase: Phase },
  { ranges, fixed, choose }: LanePlan,
): Promise<number[]> =>
  db.transaction(async (tx) => {
    const [run] = await tx.select({ settings: runs.settings }).from(runs).where(eq(runs.id, runId)).for('no key update')
    const ofPhase = and(eq(lanes.runId, runId), eq(lanes.phase, phase))
    const known = await tx.select({ lane: lanes.lane }).from(lanes).where(ofPhase).orderBy(asc(lanes.lane))
    if (known.length > 0) return known.map(({ lane }) => lane)
    if (choose !== undefined && run?.settings.segment !== undefined) return []
    const segment = await choose?.(tx)
    const settled = segment === undefined ? fixed : { ...fixed, settings: { ...fixed?.settings, segment } }
    if (settled !== undefined) await tx.update(runs).set(settled).where(eq(runs.id, runId))
    const rows = ranges.map(({ after, upTo, kind }, lane) => ({
      accountId,
      runId,
      phase,
      lane,
      kind,
      afterKey: after,
      upToKey: upTo,
    }))
    if (rows.length > 0) await tx.insert(lanes).values(rows)
    return rows.map(({ lane }) => lane)
  })

/**
 * Begins an attempt at a lane; whatever an older attempt still commits is rolled back by its fence. Errors: runFinished once the ledger is being
 * drawn up.
 */
export const claim = (db: Database, accountId: string, runId: string, phase: Phase, lane: number): Promise<Lane> =>
  db.transaction(async (tx) => {
    const ofRun = and(eq(runs.accountId, accountId), eq(runs.id, runId))
    const [run] = await tx.select({ phase: runs.phase, state: runs.state }).from(runs).where(ofRun).for('share')
    if (run === undefined) throw new FairleadError('notFound')
    if (run.phase === 'finish' || isOver(run.state)) throw new FairleadError('runFinished')
    const [claimed] = await tx
      .update(lanes)
      .set({ attempt: sql`${lanes.attempt} + 1` })
      .where(and(eq(lanes.runId, runId), eq(lanes.phase, phase), eq(lanes.lane, lane)))
      .returning()
    if (claimed === undefined) throw new FairleadError('notFound')
    return claimed
  })

/** No attempt commits anything any more, and none begins: what the ledger counts stays so. */
export const close = (db: Database, runId: string): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.update(runs).set({ phase: 'finish' }).where(eq(runs.id, runId))
    await tx
      .update(lanes)
      .set({ attempt: sql`${lanes.attempt} + 1` })
      .where(eq(lanes.runId, runId))
  })

export type LaneStep = { cursor: string | null; done: boolean; counts: LaneCounts }
/** whether the run is asked to stop */
export type Moved = { cancelRequested: boolean }

/** The statement that moves a lane on: cursor, counts and fence. It hits no row when another attempt has begun. */
export const moving = (sql: Sql, key: LaneKey, { cursor, done, counts: c }: LaneStep) => sql<Moved[]>`
    update lanes set cursor = coalesce(${cursor}, cursor), done = ${done}, pages = pages + 1,
      keys = keys + ${c.keys}, read = read + ${c.read}, created = created + ${c.created}, updated = updated + ${c.updated},
      unchanged = unchanged + ${c.unchanged}, skipped = skipped + ${c.skipped}, rejected = rejected + ${c.rejected},
      without_email = without_email + ${c.withoutEmail}, opted_out = opted_out + ${c.optedOut}, deleted = deleted + ${c.deleted},
      relinked = relinked + ${c.relinked}, conflicts = conflicts + ${c.conflicts}
    where run_id = ${key.runId} and phase = ${key.phase} and lane = ${key.lane} and attempt = ${key.attempt}
    returning (select cancel_requested_at is not null from runs where id = ${key.runId}) as "cancelRequested"`

/** What `moving` answered; throws leaseLost when it hit no row. */
export const moved = ([row]: Moved[]): Moved => {
  if (row === undefined) throw new FairleadError('leaseLost')
  return row
}

/** Moves a lane on in the last statement of a page's transaction; leaseLost rolls the page back. */
export const advance = async (sql: Sql, key: LaneKey, step: LaneStep): Promise<Moved> =>
  moved(await moving(sql, key, step))
