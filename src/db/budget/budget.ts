import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Budget, Slot } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as leases from './lease.ts'
import { adapt, type Outcome } from './pace.ts'

type Options = { accountId: string; connectionId: string; timeoutMs: number }

/** A slot is for at most this long a stretch of requests; then it is asked for again. */
const stretchMs = 2000
/** A holder gives up its requests this long before its lease ends, so that two never share a slot. */
const marginMs = 1000
/** How often one that waits asks again: soon at first, then less often. */
const pollMs = { interactive: [5, 20], bulk: [20, 100] } as const
const reportEveryMs = 1000
/** A slot that is given back is kept so long for whoever asks next in this process, while nobody waits for one. */
const keepMs = 3
/** How long it is believed that nobody waits. */
const quietMs = 100

type Held = { slot: Slot; takenAt: number; letGo: () => Promise<void> }

/** The budget of one connection, shared by all workers through lease rows (R26, R27): strict, first come first served, forms first. */
export const createBudget = (db: Database, { accountId, connectionId, timeoutMs }: Options): Budget => {
  const sql = db.$client
  const leaseMs = stretchMs + timeoutMs + marginMs
  let outcomes: Outcome[] = []
  let reportedAt = 0
  let kept: { held: Held; timer: NodeJS.Timeout }[] = []
  let quiet: { at: number; is: boolean } = { at: 0, is: false }
  let looking = false
  let held = 0
  let watch: NodeJS.Timeout | undefined

  const look = (): void => {
    if (looking) return
    looking = true
    const at = performance.now()
    leases.isQuiet(sql, connectionId).then(
      (is) => {
        looking = false
        // what was said since then is newer
        if (at > quiet.at) quiet = { at, is }
      },
      () => {
        looking = false
      },
    )
  }

  /** While slots are held here it is known whether others wait for them. */
  const count = (change: 1 | -1): void => {
    held += change
    if (held > 0) watch ??= setInterval(look, quietMs / 2).unref()
    else {
      clearInterval(watch)
      watch = undefined
    }
  }

  /** Until it is looked again, slots go back to the table, where everybody gets them in turn. */
  const stir = (): void => {
    quiet = { at: performance.now(), is: false }
    for (const { held, timer } of kept.splice(0)) {
      clearTimeout(timer)
      void held.letGo()
    }
  }

  const isFresh = ({ takenAt, slot }: Held): boolean =>
    performance.now() - takenAt < stretchMs &&
    !slot.signal.aborted &&
    quiet.is &&
    performance.now() - quiet.at < quietMs

  const report = (outcome: Outcome): void => {
    if (!outcome.ok || outcome.pause) stir()
    outcomes.push(outcome)
    const now = performance.now()
    if (outcome.ok && now - reportedAt < reportEveryMs) return
    reportedAt = now
    const batch = outcomes
    outcomes = []
    adapt(sql, { accountId, connectionId }, batch).catch(() => {})
  }

  const keep = (held: Held): Promise<void> => {
    if (!isFresh(held)) return held.letGo()
    const timer = setTimeout(() => {
      kept = kept.filter((each) => each.held !== held)
      void held.letGo()
    }, keepMs)
    kept.push({ held, timer })
    return Promise.resolve()
  }

  const reuse = (): Slot | undefined => {
    for (let each = kept.pop(); each !== undefined; each = kept.pop()) {
      clearTimeout(each.timer)
      if (isFresh(each.held)) return each.held.slot
      void each.held.letGo()
    }
    return undefined
  }

  const hold = (holder: string, lease: leases.Lease): Slot => {
    const expiry = new AbortController()
    const timer = setTimeout(() => expiry.abort(new FairleadError('leaseLost')), leaseMs - marginMs)
    const letGo = (): Promise<void> => {
      clearTimeout(timer)
      count(-1)
      return leases.release(sql, connectionId, holder, lease).catch(() => {})
    }
    const slot: Slot = { signal: expiry.signal, report, release: () => keep(held) }
    const held: Held = { slot, takenAt: performance.now(), letGo }
    count(1)
    return slot
  }

  return {
    async take(priority, signal) {
      const again = reuse()
      if (again !== undefined) return again
      const waiter = { accountId, connectionId, holder: randomUUID(), interactive: priority === 'interactive', leaseMs }
      const first = await leases.take(sql, waiter)
      if (first !== undefined) return hold(waiter.holder, first)
      stir()
      try {
        for (let pause: number = pollMs[priority][0]; ; pause = Math.min(pause * 1.3, pollMs[priority][1])) {
          await leases.wait(sql, waiter)
          const lease = await leases.take(sql, waiter)
          if (lease !== undefined) return hold(waiter.holder, lease)
          await sleep(pause * (0.5 + Math.random()), undefined, { signal })
        }
      } finally {
        await leases.leave(sql, waiter.holder).catch(() => {})
      }
    },
  }
}
