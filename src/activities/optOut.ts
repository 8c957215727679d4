import { Context } from '@temporalio/activity'
import { setTimeout as sleep } from 'node:timers/promises'
import * as connections from '../db/connection.ts'
import { noteUnwritten } from '../db/optOut/alert.ts'
import { fallAsleep, stayAwake, type Pusher } from '../db/optOut/wake.ts'
import * as work from '../db/optOut/work.ts'
import { isFairleadError, type FairleadError } from '../domain/errors.ts'
import { beat } from './beat.ts'
import { withCrm } from './crm.ts'
import type { Dependencies } from './dependencies.ts'
import { pushBatch } from './optOut/push.ts'
import { backOffMs } from './proof.ts'

/** How long to wait before looking again, null for nothing that is open; `paused`: the CRM as a whole does not work. */
export type Pushed = { waitMs: number | null; paused: boolean }
/** `pauses`: how often in a row it did not. */
export type PushInput = Pusher & { pauses?: number }

/** Small enough that who comes meanwhile waits some seconds only. */
const batchSize = 200
const segmentMs = 120_000
const lookEveryMs = 200
/** It ends after so long with nothing to do; until then it looks by itself. */
const idleMs = 5000
const awakeMs = 15_000
const longestPauseMs = 30_000
/** A signal can be lost with its sender. */
const heldMs = 10 * 60_000
/** Meanwhile those who opt out wake nobody. */
const heldAwakeMs = 20_000

type Job = { deps: Dependencies; pusher: Pusher; signal: AbortSignal; endAt: number }
type Ended = Pushed & { sleeps?: boolean }

const whyOf = ({ code, details }: FairleadError) => ({ code, ...(details.crm && { crm: { ...details.crm } }) })

const hold = async ({ deps, pusher }: Job, error: FairleadError): Promise<Ended> => {
  const held = await work.hold(deps.db, pusher, whyOf(error))
  if (held === 0) return { waitMs: heldMs, paused: true, sleeps: true }
  await stayAwake(deps.db, pusher, heldAwakeMs)
  deps.log.warn({ ...pusher, code: error.code, held }, 'opt-outs wait for the connection')
  return { waitMs: heldAwakeMs, paused: true }
}

/** R21: retried without end, at least as late as the CRM asks for. */
const pause = async ({ deps, pusher }: Job, error: FairleadError, pauses: number): Promise<Ended> => {
  const waitMs = Math.round(Math.max(error.details.retryAfterMs ?? 0, backOffMs(pauses + 1, longestPauseMs)))
  await work.putOff(deps.db, pusher, whyOf(error), waitMs)
  await stayAwake(deps.db, pusher, waitMs)
  deps.log.warn({ ...pusher, code: error.code, waitMs }, 'opt-outs wait for the CRM')
  return { waitMs, paused: true }
}

/** One batch; answers how many were in it. A refusal of the whole batch is everybody's in it. */
const pushOnce = async ({ deps, pusher, signal }: Job): Promise<number> => {
  const { accountId, connectionId } = pusher
  const due = await work.due(deps.db, pusher, batchSize)
  if (due.length === 0) return 0
  const options = { signal, priority: 'interactive' as const }
  const { outcomes, stopped } = await withCrm(deps, accountId, connectionId, (crm, { concurrency }) =>
    pushBatch({ deps, pusher, crm, options }, due, concurrency),
  ).catch((error: unknown) => {
    if (!isFairleadError(error) || error.kind !== 'record') throw error
    const about = { state: 'rejected' as const, code: error.code, crm: error.details.crm, afterMs: 0, clears: false }
    return {
      outcomes: due.map((row) => ({ row, ...about, results: row.results, tries: row.tries })),
      stopped: undefined,
    }
  })
  await work.settle(deps.db, pusher, outcomes)
  if (outcomes.some(({ state, code }) => state === 'rejected' && code !== 'erased'))
    await noteUnwritten(deps.db, pusher)
  if (stopped === undefined) return due.length
  // a connection that needs a person says so to everybody's work
  return withCrm(deps, accountId, connectionId, () => Promise.reject(stopped))
}

/** Until nothing has come for a while, or the segment is over. */
const pushAll = async (job: Job): Promise<'idle' | 'late'> => {
  let workedAt = Date.now()
  let count = 0
  while (!job.signal.aborted && Date.now() < job.endAt) {
    const pushed = await pushOnce(job)
    if (pushed > 0) {
      beat({ optOuts: (count += pushed) })
      workedAt = Date.now()
      continue
    }
    if (Date.now() - workedAt >= idleMs) return 'idle'
    await sleep(lookEveryMs)
  }
  return 'late'
}

const pushUntilIdle = async (job: Job, pauses: number): Promise<Ended> => {
  const { deps, pusher } = job
  const active = await connections.findActive(deps.db, pusher.accountId)
  // of another CRM that was connected before: its opt-outs are superseded
  if (active?.id !== pusher.connectionId) return { waitMs: null, paused: false }
  try {
    await withCrm(deps, pusher.accountId, pusher.connectionId, async () => undefined)
    return { waitMs: (await pushAll(job)) === 'late' ? 0 : null, paused: false }
  } catch (error) {
    if (!isFairleadError(error) || job.signal.aborted) throw error
    if (error.kind === 'held' || error.code === 'notConnected') return hold(job, error)
    if (error.kind === 'transient') return pause(job, error, pauses)
    throw error
  }
}

/** Tells those who opt out, while it works, that nobody needs to be woken. */
const alive = async <T>({ deps, pusher }: Job, run: () => Promise<T>): Promise<T> => {
  await stayAwake(deps.db, pusher, awakeMs)
  let last: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    last = stayAwake(deps.db, pusher, awakeMs).catch(() => undefined)
  }, awakeMs / 3)
  try {
    return await run()
  } finally {
    clearInterval(timer)
    await last
  }
}

export const optOutActivities = (deps: Dependencies) => ({
  /**
   * R34: writes opt-outs and new consents into the CRM, before any bulk work (R26), for as long as there are any, two minutes at most. Each may be written
   * twice, which changes nothing.
   */
  async pushOptOuts({ accountId, connectionId, pauses = 0 }: PushInput): Promise<Pushed> {
    const pusher = { accountId, connectionId }
    const job: Job = { deps, pusher, signal: Context.current().cancellationSignal, endAt: Date.now() + segmentMs }
    const { waitMs, paused, sleeps = !paused } = await alive(job, () => pushUntilIdle(job, pauses))
    if (!sleeps || waitMs === 0) return { waitMs, paused }
    await fallAsleep(deps.db, pusher)
    if (paused) return { waitMs, paused }
    const active = await connections.findActive(deps.db, accountId)
    return { waitMs: active?.id === connectionId ? await work.nextDue(deps.db, pusher) : null, paused }
  },
})
