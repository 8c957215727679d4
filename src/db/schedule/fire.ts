import { and, eq, inArray, sql } from 'drizzle-orm'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { dueAt, dueBetween, type DueTime, type FiredBy, type FiringOutcome } from '../../domain/schedule.ts'
import { raise, resolve } from '../alert.ts'
import type { Database } from '../database.ts'
import { insert as send, type Transaction } from '../outbox.ts'
import * as runs from '../run/state.ts'
import { accounts, firings, schedules } from '../schema.ts'
import { request } from '../sync/request.ts'

type Schedule = typeof schedules.$inferSelect
type Started = { outcome: FiringOutcome; code?: string; runId?: string }
/** `missed`: how many earlier due times this one caught up for */
export type Fired = Started & { dueAt: Date; missed: number }
type Call = { nominalAt?: Date; by?: FiredBy; now?: Date }

/** Of a long outage so many due times are written down, the latest. */
const mostMissed = 1000
/** The clocks of the engine and of the database may differ so far. */
const aheadMs = 5 * 60_000

/** Locked in the order in which everybody locks them: the account, then its schedule. Answers the database's clock, too. */
const lock = async (tx: Transaction, accountId: string, scheduleId: string) => {
  const account = tx.select({ id: accounts.id }).from(accounts).where(eq(accounts.id, accountId))
  const isKnown = (await account.for('update')).length > 0
  const [found] = await tx
    .select({ schedule: schedules, clock: sql<Date>`clock_timestamp()`.mapWith(schedules.createdAt) })
    .from(schedules)
    .where(and(eq(schedules.accountId, accountId), eq(schedules.id, scheduleId)))
    .for('update')
  return { isKnown, ...found }
}

/** Due times that nothing became of yet, oldest first. One before `accountedUntil` is due when the engine names it: an operator's back-fill. */
const unaccounted = async (
  tx: Transaction,
  { id, spec, accountedUntil }: Schedule,
  now: Date,
  nominalAt = now,
): Promise<DueTime[]> => {
  const ahead = nominalAt > now && nominalAt.getTime() - now.getTime() <= aheadMs
  const late = nominalAt <= accountedUntil ? dueAt(spec, nominalAt) : []
  const due = [...late, ...dueBetween(spec, accountedUntil, ahead ? nominalAt : now, mostMissed)]
  if (due.length === 0) return []
  const times = due.map(({ at }) => at)
  const known = await tx
    .select({ at: firings.dueAt })
    .from(firings)
    .where(and(eq(firings.scheduleId, id), inArray(firings.dueAt, times)))
  const done = new Set(known.map(({ at }) => at.getTime()))
  return due.filter(({ at }) => !done.has(at.getTime()))
}

/**
 * R19: a sweep is waited for, any other run takes the place of this one. One that has not begun yet has the only place to wait in: engineUnavailable, and
 * a later try finds it at work.
 */
const startRun = async (tx: Transaction, { accountId, listId, segmentId }: Schedule): Promise<Started> => {
  const asked = { kind: 'sync', trigger: 'schedule', segmentId } as const
  const ask = (queue: boolean) => request(tx, accountId, listId, { ...asked, queue })
  try {
    const { runId, created } = await ask(false)
    if (created) return { outcome: 'started', runId }
    const { kind, state } = await runs.get(tx, accountId, runId)
    if (kind !== 'sweep') return { outcome: 'skipped', code: 'runActive', runId }
    if (state === 'queued')
      throw new FairleadError('engineUnavailable', { detail: 'A sweep of the list has not begun yet.' })
    const queued = await ask(true)
    return queued.created
      ? { outcome: 'queued', runId: queued.runId }
      : { outcome: 'skipped', code: 'runActive', runId: queued.runId }
  } catch (error) {
    if (!isFairleadError(error) || error.kind === 'transient' || error.kind === 'bug') throw error
    return { outcome: 'skipped', code: error.code }
  }
}

/** The engine does what it should; that it did not is an open problem until then. */
const note = async (tx: Transaction, { id, accountId, listId }: Schedule, fired: Fired, by: FiredBy): Promise<void> => {
  const problem = { kind: 'scheduleMissed', subject: id } as const
  if (by === 'engine') return resolve(tx, accountId, problem)
  const { outcome, missed, code = null, runId = null } = fired
  const details = { listId, dueAt: fired.dueAt.toISOString(), outcome, missed, code, runId }
  return raise(tx, accountId, { ...problem, details })
}

/**
 * T3, R19, R20: what is due starts one run, the request of which is in the same transaction; whatever came before it is written down as missed. Nothing (null)
 * when nothing is due, so a second call for the same time is harmless. `nominalAt`: the time for which the engine fired.
 */
export const fireDue = (
  db: Database,
  { accountId, scheduleId }: { accountId: string; scheduleId: string },
  { nominalAt, by = 'engine', now }: Call = {},
): Promise<Fired | null> =>
  db.transaction(async (tx) => {
    const { isKnown, schedule, clock } = await lock(tx, accountId, scheduleId)
    if (schedule?.state !== 'active') {
      // the engine has a schedule that should not be there, also after a backup of the database was restored
      const message = { kind: 'schedule', name: 'apply', workflowId: `schedule:${scheduleId}` } as const
      if (isKnown) await send(tx, { accountId, ...message })
      return null
    }
    const due = await unaccounted(tx, schedule, now ?? clock!, nominalAt)
    const last = due.at(-1)
    if (last === undefined) return null
    const started = await startRun(tx, schedule)
    const { outcome, code, runId } = started
    await tx.insert(firings).values(
      due.map(({ at, localTime }) => ({
        scheduleId,
        accountId,
        dueAt: at,
        localTime,
        firedBy: by,
        runId,
        ...(at === last.at ? { outcome, code } : { outcome: 'missed' as const }),
      })),
    )
    const until = last.at.toISOString()
    await tx
      .update(schedules)
      .set({ accountedUntil: sql`greatest(${schedules.accountedUntil}, ${until}::timestamptz)` as unknown as Date })
      .where(eq(schedules.id, scheduleId))
    const fired = { ...started, dueAt: last.at, missed: due.length - 1 }
    await note(tx, schedule, fired, by)
    return fired
  })
