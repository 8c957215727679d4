import { Context } from '@temporalio/activity'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadErased } from '../../db/erasure/known.ts'
import * as lanes from '../../db/lane.ts'
import * as quarantine from '../../db/quarantine.ts'
import * as runs from '../../db/run/state.ts'
import { countPending, hasPutOff, pagePending, pagePutOff, type PutOff } from '../../db/sync/pending.ts'
import { planOf, type SyncPlan } from '../../db/sync/plan.ts'
import { pageShownRecords } from '../../db/sync/shown.ts'
import { storeOutcomes } from '../../db/sync/push.ts'
import type { Crm } from '../../domain/crm.ts'
import { withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { working } from '../run.ts'
import { segmentLimits, type SegmentResult } from '../segment.ts'
import { emailOf } from './job.ts'
import { lingering } from './linger.ts'
import { foreseen } from './preview.ts'
import { isRetry, takeRetried } from './retry.ts'
import { look, sendPage, type Page, type Push } from './send.ts'

/** Records that are looked up in the CRM together. */
const pageSize = 500
export const isLate = ({ endAt, signal }: Push): boolean => Date.now() >= endAt || signal.aborted

const losesSomebody = ({ jobs }: Page): boolean => jobs.some((job) => job.kind === 'settled' && job.outcome.gone)

/**
 * Of two records with one address the second must see what became of the first (R7), and whether people are gone is judged by how many are
 * known to be (R15): such a page is looked up once more, when the one before it is settled.
 */
const areApart = (a: Page, b: Page): boolean => {
  if (losesSomebody(a) && losesSomebody(b)) return false
  const known = new Set(a.rows.map(emailOf))
  return !b.rows.map(emailOf).some((email) => email !== null && known.has(email))
}

/** A page of what is to be pushed, looked up in the CRM. `next`: the cursor behind it, null at the end. */
type Turn = { page: Page; next: string | null; cursors: Map<string, string> }

/** `last`: nothing was put off, so that there is no other lane to send */
export type PushResult = SegmentResult & { last?: boolean }

/** Everything pending in the order of ids, or what a preview has shown, in the order of its entries. The next page is looked up while the last records of this one are sent. */
const sendPending = async (push: Push, cursor: string | null): Promise<PushResult> => {
  const { deps, plan } = push
  const read = async (after: string | null, signal = push.options.signal): Promise<Turn> => {
    const { rows, next }: { rows: Page['rows']; next: string | null } =
      plan.source?.as === 'preview'
        ? await pageShownRecords(deps.db, plan, after, pageSize)
        : await pagePending(deps.db, plan, push.runId, after, pageSize)
    const cursors = new Map(rows.map(({ id, cursor: own = id }) => [id, own]))
    return { page: await look({ ...push, options: { signal } }, rows), next, cursors }
  }
  let count = 0
  let turn = await read(cursor)
  for (;;) {
    const { page, next: after, cursors } = turn
    const { rows } = page
    const halt = new AbortController()
    let ahead: Promise<Turn> | undefined
    let stop = true
    const lookAhead = (): void => {
      if (after === null || isLate(push)) return
      ahead = read(after, AbortSignal.any([push.signal, halt.signal]))
      ahead.catch(() => undefined)
    }
    try {
      stop =
        rows.length > 0 &&
        (await sendPage(push, page, ({ id }) => ({ cursor: cursors.get(id)!, done: false }), lookAhead))
      count += rows.length
      if (stop) return { done: false, rows: count, stop }
    } finally {
      if (stop) halt.abort()
      await ahead?.catch(() => undefined)
    }
    if (after === null) {
      await storeOutcomes(deps.db, plan, push.key, [], { cursor: null, done: true })
      return { done: true, rows: count, stop: false, last: !(await hasPutOff(deps.db, push.runId)) }
    }
    if (isLate(push)) return { done: false, rows: count, stop: false }
    const next = await ahead
    turn = next !== undefined && areApart(page, next.page) ? next : await read(after)
  }
}

/** What was put off, as it falls due, until nothing is left. */
export const sendPutOff = async (push: Push, lookAgain = look): Promise<SegmentResult> => {
  const { deps, plan, key, options } = push
  let count = 0
  for (;;) {
    const { rows, nextMs } = await pagePutOff(deps.db, plan, key.runId, pageSize)
    if (rows.length > 0) {
      const stop = await sendPage(push, await lookAgain(push, rows satisfies PutOff[]), () => ({
        cursor: null,
        done: false,
      }))
      count += rows.length
      if (stop) return { done: false, rows: count, stop }
    } else if (nextMs === null) {
      await storeOutcomes(deps.db, plan, key, [], { cursor: null, done: true })
      return { done: true, rows: count, stop: false }
    } else {
      const waitMs = Math.min(Math.max(nextMs, 0) + 20, Math.max(0, push.endAt - Date.now()))
      await sleep(waitMs, undefined, { signal: options.signal })
    }
    if (isLate(push)) return { done: false, rows: count, stop: false }
  }
}

/** How many records the push will look at, for the progress, and whether it is certain that there are none. A retry takes those that it was given, once. */
const takePending = async (deps: Dependencies, run: runs.Run): Promise<{ count: number; none: boolean }> => {
  const { db, secrets } = deps
  if (run.settings.source?.as === 'preview') return { count: 0, none: false }
  if (isRetry(run)) return { count: await takeRetried(deps, run), none: false }
  const pending = await countPending(db, run)
  if (run.settings.source !== undefined) return { count: pending, none: false }
  const leaveOut = run.kind === 'preview' ? quarantine.leaveOut : quarantine.begin
  const parked = await leaveOut(db, await planOf(db, secrets, run), run.id)
  return { count: Math.max(0, pending - parked), none: pending === 0 && run.kind === 'sync' }
}

type Opening = { plan: SyncPlan; run: runs.Run; lane: lanes.Lane; width: number }

/** What sends the pages of a lane, in an activity. */
export const openPush = (deps: Dependencies, crm: Crm, { plan, run, lane, width }: Opening): Push => {
  const { cancellationSignal: signal } = Context.current()
  return {
    deps,
    crm,
    plan,
    runId: run.id,
    options: { signal },
    signal,
    late: lingering(signal),
    key: { runId: run.id, phase: 'push', lane: lane.lane, attempt: lane.attempt },
    width,
    mayTry: false,
    endAt: Date.now() + segmentLimits.ms,
    refuse: (error) =>
      withCrm(deps, run.accountId, run.connectionId!, async () => {
        throw error
      }),
  }
}

export const pushActivities = (deps: Dependencies) => ({
  /** Plans the push: lane 0 is what is pending, lane 1 what was put off on the way. Answers the lanes that are to be sent: none where nothing is pending. */
  beginPush: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'push')
      const kind = run.settings.source === undefined ? ('pending' as const) : ('given' as const)
      const open = { after: null, upTo: null, kind }
      const { count, none } = await takePending(deps, run)
      const plan = { ranges: [open, open], fixed: { total: (run.total ?? 0) + count } }
      const planned = await lanes.plan(deps.db, { accountId, runId, phase: 'push' }, plan)
      return { lanes: none ? [] : planned }
    }),

  /** Pushes up to a segment of records (R3–R13), from the cursor that was committed last. */
  pushSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<PushResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm, connection) => {
        const planned = await planOf(deps.db, deps.secrets, run)
        const lane = await lanes.claim(deps.db, accountId, runId, 'push', number)
        if (lane.done) return { done: true, rows: 0, stop: false }
        const plan = { ...planned, erased: await loadErased(deps.db, accountId) }
        const push = openPush(deps, plan.previewId === null ? crm : foreseen(crm, deps, plan), {
          plan,
          run,
          lane,
          width: connection.concurrency,
        })
        return number === 0 && !isRetry(run) ? sendPending(push, lane.cursor) : sendPutOff(push)
      }),
    ),
})
