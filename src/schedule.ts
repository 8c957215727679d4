import { activeOf, apply, claim } from './db/schedule/engine.ts'
import { fireDue } from './db/schedule/fire.ts'
import type { Database } from './db/database.ts'
import { nextTimes } from './domain/schedule.ts'
import type { Log } from './log.ts'
import type { Flows } from './temporal/flows.ts'
import { keepSchedule } from './temporal/schedules.ts'

type Parts = { db: Database; flows: Flows; log: Log }

/** Makes the engine's schedule equal to its row, whatever came between; throws while the engine is away. */
export const applySchedule = async ({ db, flows, log }: Parts, scheduleId: string): Promise<void> => {
  const found = await apply(db, scheduleId, (wanted) => keepSchedule(flows, scheduleId, wanted))
  if (found !== null && found !== 'equal')
    log.warn({ scheduleId, found }, 'a schedule of the engine differed from its row; it is repaired')
}

export type Watch = {
  /** how many schedules one look compares, and how long one is left alone */
  limit?: number
  olderThanMs?: number
  /** how late the engine may fire before its work is done for it */
  graceMs?: number
}

/** The watchdog: what the engine should have fired long since is fired without it. */
const fireMissed = async ({ db, log }: Parts, ids: string[], graceMs: number): Promise<number> => {
  let fired = 0
  for (const { id: scheduleId, accountId, spec, accountedUntil, now } of await activeOf(db, ids)) {
    const [next] = nextTimes(spec, accountedUntil, 1)
    if (next === undefined || now.getTime() - next.at.getTime() < graceMs) continue
    try {
      const done = await fireDue(db, { accountId, scheduleId }, { by: 'watchdog' })
      if (done === null) continue
      fired += 1
      log.warn({ scheduleId, outcome: done.outcome, missed: done.missed }, 'the engine did not fire a schedule in time')
    } catch (error) {
      // one schedule is no reason to leave the others out
      log.warn({ scheduleId, name: (error as Error).name }, 'a missed schedule could not be fired; it is tried again')
    }
  }
  return fired
}

/** Answers how many of the engine's schedules were compared. While the engine is away it is not asked for each. */
const compareAll = async (parts: Parts, ids: string[]): Promise<number> => {
  const waiting = [...ids]
  let compared = 0
  const work = async (): Promise<void> => {
    for (let scheduleId = waiting.shift(); scheduleId !== undefined; scheduleId = waiting.shift()) {
      try {
        await applySchedule(parts, scheduleId)
        compared += 1
      } catch (error) {
        const { name } = error as Error
        parts.log.warn({ scheduleId, name }, 'a schedule could not be compared with the engine; it is tried again')
        if (!(await parts.flows.ready())) waiting.length = 0
      }
    }
  }
  await Promise.all(Array.from({ length: 4 }, work))
  return compared
}

/**
 * One look after the schedules: each is taken by one of the workers. Those that differ from the engine's are repaired and said, what the engine missed
 * is fired. Nothing is lost when a worker dies in it: the next look comes `olderThanMs` later.
 */
export const watchSchedules = async (
  parts: Parts,
  { limit = 500, olderThanMs = 20_000, graceMs = 90_000 }: Watch = {},
): Promise<{ compared: number; fired: number }> => {
  const ids = (await claim(parts.db, { limit, olderThanMs })).map(({ id }) => id)
  if (ids.length === 0) return { compared: 0, fired: 0 }
  return { fired: await fireMissed(parts, ids, graceMs), compared: await compareAll(parts, ids) }
}
