import { Context } from '@temporalio/activity'
import { randomUUID } from 'node:crypto'
import * as connections from '../db/connection.ts'
import * as claims from '../db/submission/claim.ts'
import { isWaiting } from '../db/submission/take.ts'
import { fallAsleep, stayAwake, wakeDrainer } from '../db/submission/wake.ts'
import { isFairleadError, type FairleadError } from '../domain/errors.ts'
import { alive, drainAll, takeAll, type Drain } from './form/drain.ts'
import { withCrm } from './crm.ts'
import type { Dependencies } from './dependencies.ts'
import { backOffMs } from './proof.ts'

/**
 * How long to wait before looking again, null for nothing that is open. `paused`: whatever comes waits with it. `idle`: the CRM was asked to take nothing, so
 * that nothing is known of whether it works again.
 */
export type Drained = { waitMs: number | null; paused: boolean; idle?: true }
/** `pauses`: how often in a row the CRM has asked for one. */
export type DrainInput = { accountId: string; connectionId?: string; pauses?: number }

/** `sleeps`: whoever submits wakes it meanwhile */
type Ended = Drained & { sleeps?: true }

/** Any number: what is due next is asked once more when nobody is needed to wake. */
const idleMs = 1000
const segmentMs = 120_000
const longestPauseMs = 30_000
/** A signal can be lost with its sender; held work is looked at again after so long. */
const heldMs = 10 * 60_000
/** Meanwhile those who submit wake nobody; what they submit is on its list after so long. */
const heldAwakeMs = 20_000

const whyOf = ({ code, details }: FairleadError): claims.Why => ({
  code,
  ...(details.crm && { crm: { ...details.crm } }),
})

/** The connection waits for a person: everything open says so. As long as more comes it is looked at again soon, for all of it at once. */
const hold = async ({ deps, drainer }: Drain, error: FairleadError): Promise<Ended> => {
  const held = await claims.hold(deps.db, drainer.accountId, whyOf(error))
  if ((await claims.nextDue(deps.db, drainer.accountId)) === null) return { waitMs: null, paused: false }
  if (held === 0) return { waitMs: heldMs, paused: true, sleeps: true }
  await stayAwake(deps.db, drainer, heldAwakeMs)
  deps.log.warn({ ...drainer, code: error.code, held }, 'submissions wait for the connection')
  return { waitMs: heldAwakeMs, paused: true }
}

/** The CRM as a whole does not work: nothing is tried for a while, longer each time, at least as long as it asks for. */
const pause = async ({ deps, drainer, claimId }: Drain, error: FairleadError, pauses: number): Promise<Drained> => {
  const waitMs = Math.round(Math.max(error.details.retryAfterMs ?? 0, backOffMs(pauses + 1, longestPauseMs)))
  await claims.giveBack(deps.db, drainer.accountId, claimId, whyOf(error), waitMs)
  await claims.putOff(deps.db, drainer.accountId, whyOf(error))
  await stayAwake(deps.db, drainer, waitMs)
  deps.log.warn({ ...drainer, code: error.code, waitMs }, 'submissions wait for the CRM')
  return { waitMs, paused: true }
}

const isThere = (active: connections.Connection | undefined): active is connections.Connection =>
  active?.state === 'connected' || active?.state === 'needsReconfirm'

/** Without a connection of its own: what must go to a CRM is for the drainer of that connection, or waits until there is one. */
const withoutCrm = async (drain: Drain): Promise<Drained> => {
  const { deps, drainer } = drain
  const { accountId } = drainer
  await drainAll(drain, null)
  const active = await connections.findActive(deps.db, accountId)
  if ((await claims.nextDue(deps.db, accountId)) === null) return { waitMs: null, paused: false }
  if (isThere(active)) {
    await deps.db.transaction((tx) => wakeDrainer(tx, { accountId, connectionId: active.id }))
    await deps.deliverOutbox()
  } else await claims.hold(deps.db, accountId, { code: 'notConnected' })
  return { waitMs: null, paused: false }
}

const drainOnce = async (drain: Drain, pauses: number): Promise<Ended> => {
  const { deps, drainer } = drain
  const { accountId, connectionId } = drainer
  const active = await connections.findActive(deps.db, accountId)
  if (!isThere(active) || active.id !== connectionId) return withoutCrm(drain)
  await takeAll(drain)
  try {
    // asks nothing of the CRM: whether it may be asked at all
    await withCrm(deps, accountId, active.id, async () => undefined)
    const { ended, count } = await drainAll(drain, { connectionId: active.id, width: active.concurrency })
    return { waitMs: ended === 'late' ? 0 : idleMs, paused: false, ...(count === 0 && { idle: true }) }
  } catch (error) {
    // it was reset meanwhile (C3)
    if (isFairleadError(error) && error.code === 'notConnected') {
      await claims.giveBack(deps.db, accountId, drain.claimId, null, 0)
      return withoutCrm(drain)
    }
    if (isFairleadError(error) && error.kind === 'held') return hold(drain, error)
    if (isFairleadError(error) && error.kind === 'transient') return pause(drain, error, pauses)
    await claims.giveBack(deps.db, accountId, drain.claimId, null, 1000)
    throw error
  }
}

export const formActivities = (deps: Dependencies) => ({
  /**
   * Submissions of an account, onto their lists and into the CRM (F2, F3), for as long as there are any, two minutes at most. Answers how long to wait
   * before looking again: null when nothing is open.
   */
  async drainSubmissions({ accountId, connectionId, pauses = 0 }: DrainInput): Promise<Drained> {
    const { cancellationSignal: signal } = Context.current()
    const drainer = { accountId, ...(connectionId !== undefined && { connectionId }) }
    const drain: Drain = { deps, drainer, claimId: randomUUID(), signal, endAt: Date.now() + segmentMs }
    const { sleeps, waitMs, ...ended } = await alive(drain, () => drainOnce(drain, pauses))
    const { paused } = ended
    if (!(sleeps ?? !paused) || waitMs === 0) return { waitMs, ...ended }
    await fallAsleep(deps.db, drainer)
    // what came until it slept
    if (await isWaiting(deps.db, accountId)) return { waitMs: 0, ...ended }
    if (paused) return { waitMs, ...ended }
    const nextMs = waitMs === null ? null : await claims.nextDue(deps.db, accountId)
    return { waitMs: nextMs === null ? null : Math.max(0, Math.ceil(nextMs)), ...ended }
  },
})
