import { Context } from '@temporalio/activity'
import { setTimeout as sleep } from 'node:timers/promises'
import * as lanes from '../../db/lane.ts'
import type { LaneKey } from '../../db/lane.ts'
import * as runs from '../../db/run/state.ts'
import { countPending, pagePending, pagePutOff, type PutOff } from '../../db/sync/pending.ts'
import { planOf } from '../../db/sync/plan.ts'
import { storeOutcomes } from '../../db/sync/push.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmWarning } from '../../domain/crm.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Outcome } from '../../domain/push.ts'
import { beat } from '../beat.ts'
import { isRefusal, withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { working } from '../run.ts'
import { segmentLimits, type SegmentResult } from '../segment.ts'
import { createPerson } from './create.ts'
import { inOrder } from './order.ts'
import type { Job, Question } from './job.ts'
import { lingering } from './linger.ts'
import { resolve } from './resolve.ts'
import { batchSize, together } from './together.ts'
import { writePerson } from './write.ts'

/** Records that are looked up in the CRM together. */
const pageSize = 500
/** R21: failures of one record, while others succeed, before it is given up. */
const mostTries = 5
/** After so many failures in a row, without a success between, the CRM is asked whether it lives. */
const mostInARow = 8

type Push = Question & {
  key: LaneKey
  /** nothing new is begun; and somewhat later, what is under way ends */
  signal: AbortSignal
  late: AbortSignal
  width: number
  endAt: number
  refuse: (error: FairleadError) => Promise<never>
  /** a page was sent one by one: now a batch may be tried against that pace, once a segment */
  mayTry: boolean
}

const askAgainMs = 1000
const backOffMs = (tries: number): number => Math.min(30_000, 500 * 2 ** tries)

const work = async (push: Push, job: Job): Promise<Outcome> => {
  if (job.kind === 'settled') return job.outcome
  return job.kind === 'create' ? createPerson(push, job) : writePerson(push, job)
}

/**
 * A refusal is judged at once, by asking again while nobody else does: what is refused even then is a missing right of this record (R21), and no sign of
 * a server that allows one session at a time.
 */
const perform = async (push: Push, job: Job): Promise<Outcome> => {
  for (let tried = 0; ; tried += 1) {
    try {
      return await work(push, job)
    } catch (error) {
      if (!isFairleadError(error) || !isRefusal(error)) throw error
      const verdict = await push.refuse(error).catch((said: unknown) => said)
      const slowed = isFairleadError(verdict) && verdict.details.extra?.['slowed'] === 'slowed'
      if (!slowed || tried > 0) throw verdict
      await sleep(askAgainMs, undefined, { signal: push.options.signal })
    }
  }
}

/** Many failures in a row: the CRM's, unless it delivers people; then they are the records' own, however many there are (R21). */
const proveAlive = async (push: Push, job: Job, streak: { failures: number }, cause: FairleadError): Promise<void> => {
  try {
    await push.crm.total(job.kind === 'write' ? job.person.entity : 'lead', push.options)
  } catch {
    throw cause
  }
  streak.failures = 0
}

/** What one record came to. A failure that may pass puts it off; one that is the record's own rejects it, and the run goes on (R21, R22). */
const attempt = async (push: Push, job: Job, tries: number, streak: { failures: number }): Promise<Outcome> => {
  const record = job.row
  try {
    const outcome = await perform(push, job)
    streak.failures = 0
    if (outcome.kind !== 'delayed') return outcome
    const { afterMs = 0 } = outcome.delay ?? {}
    return { ...outcome, delay: { tries, afterMs } }
  } catch (error) {
    if (!isFairleadError(error) || push.signal.aborted) throw error
    const { code, kind, details } = error
    if (kind === 'record')
      return { record, kind: 'rejected', code, warnings: [], ...(details.crm && { crm: details.crm }) }
    if (kind !== 'transient' || code === 'leaseLost' || code === 'entityDisabled') throw error
    streak.failures += 1
    if (streak.failures >= mostInARow) await proveAlive(push, job, streak, error)
    if (tries + 1 < mostTries)
      return { record, kind: 'delayed', code, warnings: [], delay: { tries: tries + 1, afterMs: backOffMs(tries) } }
    // others must succeed, else it is not this record's
    await push.crm.total(job.kind === 'write' ? job.person.entity : 'lead', push.options)
    return { record, kind: 'rejected', code: 'crmFailed', warnings: [], ...(details.crm && { crm: details.crm }) }
  }
}

const sendPage = async (
  push: Push,
  rows: (SyncRow & { tries?: number })[],
  step: (last: SyncRow) => { cursor: string | null; done: boolean },
): Promise<boolean> => {
  const { deps, plan, key, signal, late } = push
  const { jobs, warnings } = await resolve(push, rows)
  const said: CrmWarning[] = [...warnings]
  let stop = false
  const streak = { failures: 0 }
  const items = jobs.map((job, index) => ({ job, tries: rows[index]!.tries ?? 0 }))
  const store = async (outcomes: Outcome[], next: boolean): Promise<void> => {
    const last = outcomes.at(-1)!.record as SyncRow
    const saying = [...said]
    const { cancelRequested } = await storeOutcomes(
      deps.db,
      plan,
      key,
      outcomes,
      next ? step(last) : { cursor: null, done: false },
      saying,
    )
    said.splice(0, saying.length)
    stop ||= cancelRequested
    beat({ lane: key.lane, records: outcomes.length })
  }
  const stopped = (): boolean => stop || signal.aborted
  const send = (part: typeof items, width: number, by: Push): Promise<void> =>
    inOrder(part, width, ({ job, tries }) => attempt(by, job, tries, streak), store, { stopped })
  const writing: Push = { ...push, options: { signal: late }, say: (found) => void said.push(...found) }
  const batching = { ...writing, crm: together(push.crm) }
  const trial = push.mayTry && items.length > 2 * batchSize ? batchSize : 0
  await send(items.slice(0, trial), trial, batching)
  if (push.crm.batchable()) await send(items.slice(trial), push.width * batchSize, batching)
  else await send(items.slice(trial), push.width, writing)
  if (!stop) signal.throwIfAborted()
  push.mayTry = trial === 0 && items.length > 2 * batchSize
  return stop
}

const isLate = ({ endAt, signal }: Push): boolean => Date.now() >= endAt || signal.aborted

/** Everything pending, in the order of ids. */
const sendPending = async (push: Push, cursor: string | null): Promise<SegmentResult> => {
  let after = cursor
  let count = 0
  for (;;) {
    const rows = await pagePending(push.deps.db, push.plan, after, pageSize)
    const stop = rows.length > 0 && (await sendPage(push, rows, (last) => ({ cursor: last.id, done: false })))
    count += rows.length
    if (stop) return { done: false, rows: count, stop }
    if (rows.length < pageSize) {
      await storeOutcomes(push.deps.db, push.plan, push.key, [], { cursor: null, done: true })
      return { done: true, rows: count, stop }
    }
    after = rows.at(-1)!.id
    if (isLate(push)) return { done: false, rows: count, stop }
  }
}

/** What was put off, as it falls due, until nothing is left. */
const sendPutOff = async (push: Push): Promise<SegmentResult> => {
  const { deps, plan, key, options } = push
  let count = 0
  for (;;) {
    const { rows, nextMs } = await pagePutOff(deps.db, plan, key.runId, pageSize)
    if (rows.length > 0) {
      const stop = await sendPage(push, rows satisfies PutOff[], () => ({ cursor: null, done: false }))
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

export const pushActivities = (deps: Dependencies) => ({
  /** Plans the push: lane 0 is what is pending, lane 1 what was put off on the way. */
  beginPush: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'push')
      const open = { after: null, upTo: null, kind: 'pending' as const }
      const total = (run.total ?? 0) + (await countPending(deps.db, run.listId!))
      const plan = { ranges: [open, open], fixed: { total } }
      return { lanes: await lanes.plan(deps.db, { accountId, runId, phase: 'push' }, plan) }
    }),

  /** Pushes up to a segment of records (R3–R13), from the cursor that was committed last. */
  pushSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm, connection) => {
        const plan = await planOf(deps.db, deps.secrets, run)
        const lane = await lanes.claim(deps.db, accountId, runId, 'push', number)
        if (lane.done) return { done: true, rows: 0, stop: false }
        const { cancellationSignal: signal } = Context.current()
        const push: Push = {
          deps,
          crm,
          plan,
          runId,
          options: { signal },
          signal,
          late: lingering(signal),
          key: { runId, phase: 'push', lane: number, attempt: lane.attempt },
          width: connection.concurrency,
          mayTry: false,
          endAt: Date.now() + segmentLimits.ms,
          refuse: (error) =>
            withCrm(deps, accountId, run.connectionId!, async () => {
              throw error
            }),
        }
        return number === 0 ? sendPending(push, lane.cursor) : sendPutOff(push)
      }),
    ),
})
