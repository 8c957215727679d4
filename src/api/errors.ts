import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { failureCode } from '../db/failure.ts'
import { errorTable, FairleadError, isFairleadError, type ErrorCode } from '../domain/errors.ts'
import type { Problem } from './schemas.ts'
import { wordsOf } from './wording.ts'

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'bodyTooLarge',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupportedMediaType',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalidJson',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalidJson',
  FST_ERR_BAD_URL: 'notFound',
  FST_ERR_MAX_PARAM_LENGTH: 'notFound',
}

/** Connection failures of the driver, and of Postgres while it starts, stops or is full. */
const databaseGone =
  /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EPIPE|ETIMEDOUT|08...|57P0[123]|53300)$/

/** Deadlock, serialization failure, lock not available: the same request can succeed a moment later. */
const databaseContended = /^(40P01|40001|55P03)$/

/** `/fields/3/name` → `fields[3].name` */
const pathOf = (pointer: string): string =>
  pointer
    .split('/')
    .filter((part) => part !== '')
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join('')

const invalidInput = (error: FastifyError): FairleadError => {
  if (error.validationContext === 'params') return new FairleadError('notFound')
  const errors = (error.validation ?? []).flatMap((issue) => {
    const at = pathOf(issue.instancePath)
    const keys = (issue.params as { keys?: unknown }).keys
    if (issue.keyword !== 'unrecognized_keys' || !Array.isArray(keys)) {
      return [
        {
          path: at || (error.validationContext ?? ''),
          message: wordsOf({ ...issue.params, code: issue.keyword, message: issue.message }),
        },
      ]
    }
    return keys.map((key) => ({ path: at === '' ? `${key}` : `${at}.${key}`, message: 'There is no such property.' }))
  })
  const [first] = errors
  return new FairleadError('invalidInput', {
    ...(first === undefined ? {} : { detail: `${first.path}: ${first.message}` }),
    errors,
  })
}

/** Whatever was thrown, as one of our codes; what nobody foresaw is `internal`. */
export const toFairleadError = (error: unknown): FairleadError => {
  if (isFairleadError(error)) return error
  if (hasZodFastifySchemaValidationErrors(error)) return invalidInput(error as FastifyError)
  const { code, statusCode } = error as FastifyError
  const known = fastifyCodes[code] ?? (error instanceof SyntaxError && statusCode === 400 ? 'invalidJson' : undefined)
  if (known !== undefined) return new FairleadError(known, { cause: error })
  const inDatabase = failureCode(error)
  if (inDatabase !== undefined && databaseGone.test(inDatabase)) {
    return new FairleadError('databaseUnavailable', { cause: error, retryAfterMs: 2000 })
  }
  if (inDatabase !== undefined && databaseContended.test(inDatabase)) {
    return new FairleadError('overloaded', { cause: error, retryAfterMs: 1000 })
  }
  return new FairleadError('internal', { cause: error })
}

export const problemOf = (error: FairleadError, requestId: string): Problem => {
  const { title } = errorTable[error.code]
  const { errors, crm, extra } = error.details
  return {
    ...extra,
    type: `/docs/problems#${error.code}`,
    title,
    status: error.status,
    // A bug's own sentence is for the log.
    detail: error.kind === 'bug' ? title : error.message,
    code: error.code,
    remedy: error.remedy,
    ...(errors === undefined ? {} : { errors }),
    requestId,
    ...(crm === undefined ? {} : { crm }),
  }
}

/** Messages can quote data, so an unforeseen error is logged by kind and place only (R37). */
const traceOf = (error: unknown) => ({
  error: error instanceof Error ? error.name : typeof error,
  at: error instanceof Error ? error.stack?.split('\n').filter((line) => line.startsWith('    at ')) : undefined,
})

/** What every answer about a failure begins with: the code, a bug's line in the log, and when to try again. */
export const beginFailure = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FairleadError => {
  const error = toFairleadError(thrown)
  if (error.kind === 'bug') {
    const cause = error.details.cause ?? error
    const inner = cause instanceof Error && cause.cause instanceof Error ? traceOf(cause.cause) : undefined
    const pgCode = failureCode(cause)
    request.log.error({ code: error.code, pgCode, ...traceOf(cause), inner }, 'request failed')
  }
  const { retryAfterMs } = error.details
  if (retryAfterMs !== undefined) reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)))
  return error
}

export const sendProblem = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
  const error = beginFailure(thrown, request, reply)
  if (error.status === 401) reply.header('www-authenticate', 'Bearer realm="fairlead"')
  return reply
    .code(error.status)
    .type('application/problem+json')
    .header('cache-control', 'no-store')
    .serializer(JSON.stringify)
    .send(problemOf(error, request.id))
}
