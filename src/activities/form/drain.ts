import { setTimeout as sleep } from 'node:timers/promises'
import * as claims from '../../db/submission/claim.ts'
import { isWaiting, takeIn } from '../../db/submission/take.ts'
import { stayAwake, type Drainer } from '../../db/submission/wake.ts'
import { beat } from '../beat.ts'
import type { Dependencies } from '../dependencies.ts'
import { leaseMs, pushing, type Connection } from './pages.ts'

const takeSize = 500
/** The drainer looks so often, less often after a second with nothing to do, and ends after so long: a submission a second costs no events. */
const lookEveryMs = 40
const lookLessMs = 150
const idleMs = 5000

export type Drain = {
  deps: Dependencies
  drainer: Drainer
  claimId: string
  /** nothing new is begun */
  signal: AbortSignal
  endAt: number
}

/** Keeps the leases of what is under way, and tells those who submit that nobody needs to be woken. */
const keepAlive = async ({ deps, drainer, claimId }: Drain): Promise<void> => {
  await stayAwake(deps.db, drainer, leaseMs)
  await claims.renew(deps.db, drainer.accountId, claimId, leaseMs)
}

/** When this is done nothing keeps the drainer awake any more. */
export const alive = async <T>(drain: Drain, work: () => Promise<T>): Promise<T> => {
  await keepAlive(drain)
  let last: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    last = keepAlive(drain).catch(() => undefined)
  }, leaseMs / 3)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    await last
  }
}

/** Everything that has come goes onto its list, in pages. */
export const takeAll = async ({ deps, drainer }: Drain): Promise<number> => {
  let all = 0
  if (!(await isWaiting(deps.db, drainer.accountId))) return 0
  for (let taken = takeSize; taken === takeSize; all += taken)
    taken = await takeIn(deps.db, deps.secrets, drainer.accountId, takeSize)
  return all
}

const isIdle = async ({ deps, drainer }: Drain, workedAt: number): Promise<boolean> => {
  if (Date.now() - workedAt < idleMs) return false
  const nextMs = await claims.nextDue(deps.db, drainer.accountId)
  return nextMs === null || nextMs > idleMs
}

type Pages = ReturnType<typeof pushing>

/** What is under way ends before anything is thrown: nobody else may take it up meanwhile (R30). */
const begin = async (drain: Drain, pages: Pages | null): Promise<{ taken: number; begun: number }> => {
  try {
    const taken = await takeAll(drain)
    return { taken, begun: (await pages?.fill()) ?? 0 }
  } catch (error) {
    pages?.stop(error)
    if (pages?.isBusy() !== true) throw error
    return { taken: 0, begun: 0 }
  }
}

/**
 * Takes in and pushes whatever is due, until nothing has come for a while or the segment is over: answers which, and how many it has begun to push. Throws
 * what everybody's submissions wait for, when nothing is under way any more.
 */
export const drainAll = async (
  drain: Drain,
  connection: Connection | null,
): Promise<{ ended: 'idle' | 'late'; count: number }> => {
  const { deps, drainer, claimId, signal, endAt } = drain
  const pages = connection && pushing(drain, connection)
  let workedAt = Date.now()
  let count = 0
  for (;;) {
    const isLate = signal.aborted || Date.now() >= endAt || pages?.failed() !== undefined
    if (isLate && pages?.isBusy() !== true) break
    if (isLate) {
      await pages?.next()
      continue
    }
    const { taken, begun } = await begin(drain, pages)
    if (begun > 0) beat({ submissions: (count += begun) })
    if (taken > 0 || pages?.isBusy() === true) workedAt = Date.now()
    else if (connection === null || (await isIdle(drain, workedAt))) return { ended: 'idle', count }
    const pause = sleep(Date.now() - workedAt < 1000 ? lookEveryMs : lookLessMs)
    // the next one of an address waits for nothing but the one before
    await Promise.race(pages?.isBusy() === true ? [pause, pages.next()] : [pause])
  }
  const failed = pages?.failed()
  if (failed !== undefined) throw failed.error
  // what was claimed and not begun
  await claims.giveBack(deps.db, drainer.accountId, claimId, null, 0)
  return { ended: 'late', count }
}
