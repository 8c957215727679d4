import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Budget, Slot } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as leases from './lease.ts'
import { adapt, type Outcome } from './pace.ts'
import { spareSlots, stretchMs, type Held } from './spare.ts'

type Options = { accountId: string; connectionId: string; timeoutMs: number }

/** A holder gives up its requests this long before its lease ends, so that two never share a slot. */
const marginMs = 1000
/** How often one that waits asks again: soon at first, then less often. */
const pollMs = { ahead: [10, 40], interactive: [10, 40], bulk: [20, 100] } as const
const reportEveryMs = 1000

/** The budget of one connection, shared by all workers through lease rows (R26, R27): strict, first come first served, forms first. */
export const createBudget = (db: Database, { accountId, connectionId, timeoutMs }: Options): Budget => {
  const sql = db.$client
  const leaseMs = stretchMs + timeoutMs + marginMs
  let outcomes: Outcome[] = []
  let reportedAt = 0
  const spare = spareSlots(sql, connectionId)

  const report = (outcome: Outcome): void => {
    if (!outcome.ok || outcome.pause) spare.strain()
    outcomes.push(outcome)
    const now = performance.now()
    if (outcome.ok && now - reportedAt < reportEveryMs) return
    reportedAt = now
    const batch = outcomes
    outcomes = []
    adapt(sql, { accountId, connectionId }, batch).catch(() => {})
  }

  const hold = (holder: string, lease: leases.Lease): Slot => {
    const expiry = new AbortController()
    const timer = setTimeout(() => expiry.abort(new FairleadError('leaseLost')), leaseMs - marginMs)
    const letGo = (): Promise<void> => {
      clearTimeout(timer)
      spare.count(-1)
      return leases.release(sql, connectionId, holder, lease).catch(() => {})
    }
    const slot: Slot = { signal: expiry.signal, report, release: () => spare.putBack(held) }
    const held: Held = { slot, takenAt: performance.now(), letGo }
    spare.count(1)
    return slot
  }

  return {
    async take(priority, signal) {
      const again = spare.reuse()
      if (again !== undefined) return again.slot
      const waiter = { accountId, connectionId, holder: randomUUID(), interactive: priority !== 'bulk', leaseMs }
      const first = await leases.take(sql, waiter)
      if (first !== undefined) return hold(waiter.holder, first)
      spare.ask()
      const place = waiter.interactive ? spare.standInLine(priority === 'ahead') : undefined
      let given: Held | undefined
      try {
        for (let pause: number = pollMs[priority][0]; ; pause = Math.min(pause * 1.3, pollMs[priority][1])) {
          await leases.wait(sql, waiter)
          const lease = place?.held() === undefined ? await leases.take(sql, waiter) : undefined
          if (lease !== undefined) {
            const slot = hold(waiter.holder, lease)
            if (signal?.aborted !== true) return slot
            await slot.release()
          }
          signal?.throwIfAborted()
          const over = sleep(pause * (0.5 + Math.random()), undefined, { signal })
          await (place === undefined ? over : Promise.race([over, place.given]))
          signal?.throwIfAborted()
          given = place?.held()
          if (given !== undefined) return given.slot
        }
      } finally {
        place?.leave()
        // given while it got another one, or gave up
        const left = place?.held()
        if (left !== undefined && left !== given) void spare.putBack(left)
        // who is not in line any more must not be taken to be ahead of others
        await leases.leave(sql, waiter.holder).catch(() => {})
      }
    },
  }
}
