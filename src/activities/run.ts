import { Context } from '@temporalio/activity'
import { FairleadError, isFairleadError, type ErrorCode } from '../domain/errors.ts'
import { comparesKeys, isOver, standsAside, type RunError, type RunState } from '../domain/run.ts'
import * as connections from '../db/connection.ts'
import * as decisions from '../db/decision.ts'
import { failureCode } from '../db/failure.ts'
import * as lanes from '../db/lane.ts'
import { balanceOf, unfinishedCode } from '../db/run/balance.ts'
import * as runs from '../db/run/state.ts'
import { warn } from '../db/run/warning.ts'
import * as statistics from '../db/statistics.ts'
import type { Dependencies, RunInput } from './dependencies.ts'

/** `since`: when this cause was met first, as long as no other came between. */
export const runErrorOf = (error: FairleadError, before: RunError | null): RunError => ({
  code: error.code,
  detail: error.message,
  remedy: error.remedy,
  ...(error.details.crm === undefined ? {} : { crm: error.details.crm }),
  since: (before?.code === error.code ? before.since : undefined) ?? new Date().toISOString(),
})

/**
 * A transient failure of these codes is given up after so many tries and so long a time of nothing else: a retry by a person may heal it, more of
 * the same will not.
 */
const givenUpAfter: Partial<Record<ErrorCode, { tries: number; ms: number }>> = {
  crmPaging: { tries: 4, ms: 5000 },
  entityDisabled: { tries: 4, ms: 5000 },
  crmAnswer: { tries: 8, ms: 60_000 },
}

/**
 * A step of a run: marks it running, refuses when it is over, and says on the run what a failing step waits for, so that retries
 * without end are visible (R21).
 */
export const working = async <T>(
  deps: Dependencies,
  input: RunInput,
  step: (run: runs.Run) => Promise<T>,
): Promise<T> => {
  const run = await runs.get(deps.db, input.accountId, input.runId)
  if (isOver(run.state) || run.cancelRequestedAt !== null) throw new FairleadError('runFinished')
  await runs.run(deps.db, run.id)
  try {
    const result = await step(run)
    if (run.error !== null) await runs.noteWaiting(deps.db, run.id, null)
    return result
  } catch (error) {
    if (!isFairleadError(error) || error.kind !== 'transient' || error.code === 'leaseLost') throw error
    if (error.details.extra?.['slowed'] === 'limited' && run.listId !== null)
      await warn(deps.db, { runId: run.id, listId: run.listId }, [{ code: 'oneSession', count: 1 }])
    const noted = runErrorOf(error, run.error)
    await runs.noteWaiting(deps.db, run.id, noted)
    const limit = givenUpAfter[error.code]
    const lastedMs = Date.now() - Date.parse(noted.since!)
    if (limit !== undefined && Context.current().info.attempt >= limit.tries && lastedMs >= limit.ms) {
      throw new FairleadError(error.code, { ...error.details, extra: { ...error.details.extra, givenUp: true } })
    }
    throw error
  }
}

export type Outcome = { code?: string; cancelled?: boolean }

const stateOf = (outcome: Outcome, balanced: boolean | null, unfinished: string | null): RunState => {
  if (outcome.code === 'internal') return 'failed'
  return outcome.code === undefined && balanced === true && unfinished === null ? 'succeeded' : 'incomplete'
}

const unbalanced: RunError = {
  code: 'notBalanced',
  detail: 'The list and the CRM do not agree.',
  remedy: 'Start a sweep of the list: it finds what differs, id by id.',
}
const unread: RunError = {
  code: 'crmFailed',
  detail: 'Some records could not be read from the CRM, or written to it.',
  remedy: 'Open them in Infor CRM and mend them (the run’s entries name them); the next run tries them again.',
}
/** What a run says of entries that a later run may heal. */
const unfinishedErrors: Record<string, RunError> = {
  crmFailed: unread,
  differsHere: {
    code: 'notBalanced',
    detail: 'Values here and in the CRM differ; the run’s entries name them.',
    remedy: 'Start a sync: it reads those people again.',
  },
  massDeletion: {
    code: 'massDeletion',
    detail: 'People do not answer to their keys any more, more than is believed without a look; none was marked.',
    remedy: 'Check the rights of the CRM user, then start a sweep of the list.',
  },
}
const unfinishedOf = (code: string): RunError =>
  unfinishedErrors[code] ?? {
    code,
    detail: 'Some records were not finished.',
    remedy: 'The next run tries them again; the run’s entries name them.',
  }

/** As well as it goes: without them some later statements are slower, and nothing else. */
export const refreshStatistics = async (
  { db, log }: Dependencies,
  counts: Parameters<typeof statistics.refresh>[1],
): Promise<void> => {
  try {
    await statistics.refresh(db, counts)
  } catch (error) {
    log.warn({ pgCode: failureCode(error) }, 'the planner was not told of new records')
  }
}

export const runActivities = (deps: Dependencies) => ({
  /** `held` until the login is reconfirmed; what the run waits for stands on the run. Answers whether it must wait at all. */
  async holdRun({ accountId, runId, code }: RunInput & { code: string }): Promise<{ wait: boolean }> {
    const run = await runs.get(deps.db, accountId, runId)
    const { connection, enabled } = await connections.getForWork(deps.db, accountId, run.connectionId!)
    if (connection.state === 'connected' && enabled) return { wait: false }
    const problem = connection.problem?.code === code ? connection.problem : new FairleadError(code as ErrorCode)
    await runs.hold(deps.db, runId, {
      code,
      detail: 'detail' in problem ? problem.detail : problem.message,
      remedy: problem.remedy,
      since: (run.error?.code === code ? run.error.since : undefined) ?? new Date().toISOString(),
    })
    return { wait: true }
  },

  /**
   * Draws up the ledger and ends the run. The mark moves only when everything was read (R14). `settles`: the two sides agreed, and where they no
   * longer do, since people or other lists have changed something here meanwhile, the run goes on (`running`) and that is settled.
   */
  async finishRun({
    accountId,
    runId,
    outcome,
    settles = false,
  }: RunInput & { outcome: Outcome; settles?: boolean }): Promise<{ state: RunState }> {
    const run = await runs.get(deps.db, accountId, runId)
    if (isOver(run.state)) return { state: run.state }
    await lanes.close(deps.db, runId)
    const { counts, balance, recordsAdded } = await balanceOf(deps.db, run)
    const differs = (balance.missing ?? 0) + (balance.extra ?? 0) > 0 || (balance.difference ?? 0) !== 0
    if (settles && differs && run.cancelRequestedAt === null) {
      await runs.enter(deps.db, runId, 'compare')
      return { state: 'running' }
    }
    const unfinished = await unfinishedCode(deps.db, run)
    const cancelled = outcome.cancelled === true || outcome.code === 'runFinished' || run.cancelRequestedAt !== null
    const state = cancelled ? 'cancelled' : stateOf(outcome, balance.balanced, unfinished)
    const connection = await connections.get(deps.db, accountId, run.connectionId!)
    const error =
      state === 'succeeded' || state === 'cancelled'
        ? null
        : outcome.code !== undefined
          ? run.error?.code === outcome.code
            ? run.error
            : runErrorOf(new FairleadError(outcome.code as ErrorCode), run.error)
          : unfinished !== null && balance.balanced === true
            ? unfinishedOf(unfinished)
            : unbalanced
    const complete = balance.balanced === true && outcome.code === undefined && !cancelled
    // R16: whoever is gone without a word of what became of them was not seen
    const allSeen = (balance.explained['unresolved'] ?? 0) === 0
    const readAll =
      run.kind === 'sync' && run.settings.source === undefined
        ? await lanes.allDone(deps.db, runId, 'pull')
        : run.kind === 'import' && complete
    if (run.listId !== null && !standsAside(run.kind)) await decisions.closeSettled(deps.db, accountId, run.listId)
    await refreshStatistics(deps, counts)
    await runs.finish(deps.db, run, {
      state,
      counts,
      balance,
      error,
      recordsAdded,
      mark: readAll ? run.mark : null,
      swept:
        complete && comparesKeys(run.kind) ? { byUser: connection.crmUserId, mark: allSeen ? run.mark : null } : null,
      widenedAt: readAll ? (run.settings.sync?.widenedAt ?? null) : null,
    })
    return { state }
  },
})
