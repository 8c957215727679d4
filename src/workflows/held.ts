import {
  ActivityFailure,
  ApplicationFailure,
  condition,
  defineSignal,
  isCancellation,
  setHandler,
} from '@temporalio/workflow'
import type { RunInput } from '../activities/dependencies.ts'
import type { Outcome } from '../activities/run.ts'
import { errorTable, type ErrorCode } from '../domain/errors.ts'
import type { RunState } from '../domain/run.ts'
import { local } from './activities.ts'

/** Sent to held runs when the login was reconfirmed (C2). */
export const resumeSignal = defineSignal('resume')

/** A signal can be lost with its sender; the connection is looked at again after this long. */
const lookAgain = '10 minutes'

/** The code of a failed activity; `internal` for a failure that nobody named. */
const codeOf = (error: unknown): ErrorCode => {
  const cause = error instanceof ActivityFailure ? error.cause : error
  const type = cause instanceof ApplicationFailure ? cause.type : undefined
  return type != null && type in errorTable ? (type as ErrorCode) : 'internal'
}

/** How a run ends that did not come to its end by itself. */
export const outcomeOf = (error: unknown): Outcome =>
  isCancellation(error) ? { cancelled: true } : { code: codeOf(error) }

/** `settles`: the run may go on instead, to settle what differs since both sides agreed. */
export const finishRun = (input: RunInput, outcome: Outcome, settles = false): Promise<{ state: RunState }> =>
  local.finishRun.executeWithOptions({ summary: 'draw up the ledger' }, [{ ...input, outcome, settles }])

/**
 * Runs steps that wait, instead of failing, while the connection needs reconfirming (C4). Call before the first await: it sets the
 * signal's handler.
 */
export const holding = (input: RunInput) => {
  let resumed = 0
  setHandler(resumeSignal, () => {
    resumed += 1
  })
  return async <T>(step: () => Promise<T>): Promise<T> => {
    for (;;) {
      const seen = resumed
      try {
        return await step()
      } catch (error) {
        if (isCancellation(error)) throw error
        const code = codeOf(error)
        if (errorTable[code].kind !== 'held') throw error
        const { wait } = await local.holdRun.executeWithOptions({ summary: `waits: ${code}` }, [{ ...input, code }])
        if (wait) await condition(() => resumed > seen, lookAgain)
      }
    }
  }
}
