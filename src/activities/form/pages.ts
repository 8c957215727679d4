import * as claims from '../../db/submission/claim.ts'
import { queueLate } from '../../db/optOut/late.ts'
import { settle, type Outcome } from '../../db/submission/settle.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { CallOptions, Crm } from '../../domain/crm.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import { withCrm } from '../crm.ts'
import { piling } from '../pile.ts'
import { lingering } from '../sync/linger.ts'
import { attempt, failedLook } from './attempt.ts'
import type { Drain } from './drain.ts'
import { look } from './look.ts'
import { planner } from './plan.ts'
import type { Item } from './write.ts'

/** Submissions that are looked up in the CRM together. */
const pageSize = 40
/**
 * While the CRM is at work, who comes meanwhile is looked up together, and not before most of those who were looked up are written: two requests for many
 * people, and the rest of its time for writing.
 */
const lookEveryMs = 200
/** A worker that dies is noticed by its lease, which is renewed three times as often. */
export const leaseMs = 15_000

export type Connection = { connectionId: string; width: number }

/** Stores a batch, and queues the opt-outs of people whom it has made in the CRM. */
const storing =
  ({ deps, claimId, drainer: { accountId } }: Drain, connectionId: string) =>
  async (outcomes: Outcome[]): Promise<void> => {
    await settle(deps.db, accountId, claimId, outcomes)
    const recordIds = outcomes.flatMap(({ submission, results }) =>
      results.some(({ kind }) => kind === 'created') ? [submission.recordId] : [],
    )
    if (recordIds.length > 0) await deps.db.transaction((tx) => queueLate(tx, { accountId, connectionId, recordIds }))
  }

/** Nothing of its list can go out. */
const refusedOf = (submission: claims.Claimed, code: string): Outcome => {
  const { warnings, results, tries } = submission
  return { submission, plan: null, values: {}, state: 'rejected', code, warnings, results, tries, afterMs: 0 }
}

const byPlan = (page: readonly { one: claims.Claimed; plan: SyncPlan }[]): [SyncPlan, claims.Claimed[]][] => {
  const groups = new Map<SyncPlan, claims.Claimed[]>()
  for (const { one, plan } of page) groups.set(plan, [...(groups.get(plan) ?? []), one])
  // R22: what has failed before is looked up alone
  return [...groups].flatMap(([plan, all]): [SyncPlan, claims.Claimed[]][] => {
    const fresh = all.filter(({ tries }) => tries === 0)
    const alone = all.filter(({ tries }) => tries > 0).map((one): [SyncPlan, claims.Claimed[]] => [plan, [one]])
    return [...(fresh.length > 0 ? [[plan, fresh] as [SyncPlan, claims.Claimed[]]] : []), ...alone]
  })
}

/**
 * Pages of submissions on their way into the CRM. `fill` begins as many as there is room for; `failed` is what everybody waits for. A submission that hangs
 * takes its own place only.
 */
export const pushing = (drain: Drain, { connectionId, width }: Connection) => {
  const { deps, drainer, claimId, signal } = drain
  const { accountId } = drainer
  const planOf = planner(deps, { accountId, connectionId })
  const pile = piling(storing(drain, connectionId))
  const store = (outcome: Outcome): Promise<void> => {
    pile.add(outcome)
    return pile.stored()
  }
  const options: CallOptions = { signal: lingering(signal), priority: 'interactive' }
  /** so many that one of them stands in line whenever a slot is given back: else bulk work takes it. Who is to be looked up goes ahead of them. */
  const mostAtWork = 3 * width
  const running = new Set<Promise<void>>()
  const waiting: Item[] = []
  let isLooking = false
  let lookedAt = 0
  let atWork = 0
  let error: { error: unknown } | undefined

  const stopped = (): boolean => error !== undefined || signal.aborted
  const track = (work: Promise<void>): void => {
    const tracked = work
      .catch((thrown: unknown) => {
        error ??= { error: thrown }
      })
      .finally(() => running.delete(tracked))
    running.add(tracked)
  }
  const refuse = (refused: FairleadError): Promise<never> =>
    withCrm(deps, accountId, connectionId, async () => {
      throw refused
    })
  const work = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined && !stopped(); item = waiting.shift())
      track(store(await attempt(item, refuse)))
  }
  const begin = (items: Item[]): void => {
    waiting.push(...items)
    for (let more = Math.min(items.length, mostAtWork - atWork); more > 0; more -= 1) {
      atWork += 1
      track(
        work().finally(() => {
          atWork -= 1
        }),
      )
    }
  }
  const lookUp = async (crm: Crm, plan: SyncPlan, submissions: claims.Claimed[]): Promise<void> => {
    const of = { deps, crm, plan, options }
    try {
      begin(await withCrm(deps, accountId, connectionId, () => look(of, submissions)))
    } catch (thrown) {
      if (!isFairleadError(thrown) || signal.aborted) throw thrown
      const alone = submissions.length === 1
      if (thrown.kind === 'record' && !alone) for (const one of submissions) await lookUp(crm, plan, [one])
      else for (const outcome of await failedLook(of, submissions, thrown)) await store(outcome)
    }
  }
  const lookUpAll = async (page: claims.Claimed[]): Promise<void> => {
    isLooking = true
    lookedAt = Date.now()
    try {
      const planned = await Promise.all(page.map(async (one) => ({ one, plan: await planOf(one) })))
      const groups = byPlan(planned.flatMap(({ one, plan }) => ('refused' in plan ? [] : [{ one, plan }])))
      const refused = planned.flatMap(({ one, plan }) => ('refused' in plan ? refusedOf(one, plan.refused) : []))
      await Promise.all(refused.map(store))
      if (groups.length === 0) return
      await withCrm(deps, accountId, connectionId, (crm) =>
        Promise.all(groups.map(([plan, submissions]) => lookUp(crm, plan, submissions))),
      )
    } finally {
      isLooking = false
    }
  }

  return {
    /** how many were begun */
    async fill(): Promise<number> {
      const isSoon = atWork > 0 && Date.now() - lookedAt < lookEveryMs
      if (stopped() || isLooking || isSoon || atWork + waiting.length >= 2 * width) return 0
      const page = await claims.claim(deps.db, accountId, claimId, { limit: pageSize, leaseMs })
      if (page.length > 0) track(lookUpAll(page))
      return page.length
    },
    isBusy: () => running.size > 0,
    /** nothing more is begun */
    stop(thrown: unknown): void {
      error ??= { error: thrown }
    },
    failed: () => error,
    /** when something under way has ended */
    next: () => Promise.race(running),
  }
}
