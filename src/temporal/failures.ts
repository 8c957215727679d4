import { CancelledFailure, Context } from '@temporalio/activity'
import { ApplicationFailure } from '@temporalio/common'
import type { ActivityInboundCallsInterceptor } from '@temporalio/worker'
import { isFairleadError, type FairleadError } from '../domain/errors.ts'
import type { Log } from '../log.ts'

/** A bug is tried this often, in case it was a passing state; then the run fails and says so. */
const bugTries = 5

const databaseGone = /^(ECONN|EPIPE|ETIMEDOUT|CONNECTION_|CONNECT_TIMEOUT|57P0[123]|08|53300|40001|40P01|55P03)/

const codeOf = (error: unknown): string => {
  for (let each = error as { code?: unknown; cause?: unknown } | undefined; each; each = each.cause as typeof each) {
    if (typeof each.code === 'string') return each.code
  }
  return ''
}

/** Only our own code and sentence go into a history: no reply of the CRM, no query, no person (R37). */
const translate = (error: FairleadError): ApplicationFailure => {
  const waits = error.kind === 'transient' && error.details.extra?.['givenUp'] !== true
  return ApplicationFailure.create({
    type: error.code,
    message: error.message,
    nonRetryable: !waits,
    ...(waits && error.details.retryAfterMs !== undefined ? { nextRetryDelay: error.details.retryAfterMs } : {}),
  })
}

/** Turns whatever an activity throws into a Temporal failure with a code of ours. */
export const failureTranslator = (log: Log): ActivityInboundCallsInterceptor => ({
  async execute(input, next) {
    try {
      return await next(input)
    } catch (error) {
      const { info, cancellationSignal } = Context.current()
      if (error instanceof CancelledFailure) throw error
      if (cancellationSignal.aborted) throw new CancelledFailure('stopped at a checkpoint')
      const where = {
        activity: info.activityType,
        attempt: info.attempt,
        workflowId: info.workflowExecution?.workflowId,
      }
      if (isFairleadError(error)) {
        log.warn({ ...where, code: error.code, status: error.details.crm?.status }, 'activity failed')
        throw translate(error)
      }
      const code = codeOf(error)
      if (databaseGone.test(code)) {
        log.warn({ ...where, code }, 'the database does not answer')
        throw ApplicationFailure.create({ type: 'databaseUnavailable', message: 'The database does not answer.' })
      }
      const { name, stack } = error as Error
      log.error(
        { ...where, name, code, stack: stack?.split('\n').filter((line) => line.trim().startsWith('at ')) },
        'activity failed unexpectedly',
      )
      throw ApplicationFailure.create({
        type: 'internal',
        message: 'Something went wrong on our side; the log tells more.',
        nonRetryable: info.attempt >= bugTries,
      })
    }
  },
})
