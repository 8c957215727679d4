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

/** The budget of one connection, shared by all workers through lease rows (R26, R27): strict, first come first served, forms first. */
export const createBudget = (db: Database, { accountId, connectionId, timeoutMs }: Options): Budget => {
  const sql = db.$client
  const leaseMs = stretchMs + timeoutMs + marginMs
  let outcomes: Outcome[] = []
  let reportedAt = 0

  const report = (outcome: Outcome): void => {
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
    return {
      signal: expiry.signal,
      report,
      release: () => {
        clearTimeout(timer)
        return leases.release(sql, connectionId, holder, lease).catch(() => {})
      },
    }
  }

  return {
    async take(priority, signal) {
      const waiter = { accountId, connectionId, holder: randomUUID(), interactive: priority === 'interactive', leaseMs }
      const first = await leases.take(sql, waiter)
      if (first !== undefined) return hold(waiter.holder, first)
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
