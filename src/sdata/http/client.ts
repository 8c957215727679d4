import { promisify } from 'node:util'
import type { CallOptions } from '../../domain/crm.ts'
import { isFairleadError, type ErrorCode, type FairleadError } from '../../domain/errors.ts'
import { readAnswer, type Answer } from './answer.ts'
import { createGate } from './gate.ts'
import {
  QueryTooLong,
  createRequester,
  type Ask,
  type Habits,
  type Received,
  type RequesterOptions,
} from './request.ts'
import type { Skew } from './clock.ts'
import type { Query } from './query.ts'

export type Log = { debug(fields: object, message: string): void }

export type Client = {
  habits: Habits
  /** the CRM's clock minus ours, by the replies so far */
  skew(): Skew | null
  /** the raw reply, whatever its status */
  exchange(ask: Ask, options: CallOptions): Promise<Received>
  /** the understood answer; throws FairleadError with the codes of sdata.md 12 */
  ask(ask: Ask, options: CallOptions): Promise<Answer>
  /** false when a query is too long for this server in one request */
  fits(path: string, query: Query): boolean
  /** runs a login check alone, in a new session; work waits for it */
  alone<Result>(check: () => Promise<Result>): Promise<Result>
  oneSession(): boolean
  close(): Promise<void>
}

export type ClientOptions = RequesterOptions & {
  /** back-off before each quick repetition of a request that failed for the moment; jittered by half */
  quickRetryMs: number[]
  log?: Log
}

/** how things stood when a request went out */
type Sent = { session: number; inSession: boolean; successes: number; others: number }

const sleep = promisify(setTimeout)
const patientMs = 2000
const refusedOverride = new Set([201, 400, 404, 405, 411, 413, 414, 415, 501])
const clearAnswers = new Set<ErrorCode>(['unknownProperty', 'crmFailed', 'crmBusy'])
const unauthorised = new Set<ErrorCode>(['loginRefused', 'noRight', 'mfaRequired', 'passwordExpired'])
const notRepeated = new Set<ErrorCode>(['crmTimeout', 'leaseLost', 'entityDisabled'])

const mayRepeat = (error: unknown): error is FairleadError =>
  isFairleadError(error) &&
  error.kind === 'transient' &&
  !notRepeated.has(error.code) &&
  (error.details.retryAfterMs ?? 0) <= patientMs

const isSyntax = (error: unknown): boolean => {
  if (!isFairleadError(error) || error.code !== 'crmRefused' || error instanceof QueryTooLong) return false
  return error.details.crm?.status === 400 || /^Bad/i.test(error.details.crm?.code ?? '')
}

/** One connected CRM, answer by answer: long queries, apostrophes, quick retries, serial logins. */
export const createClient = ({ quickRetryMs, log, ...options }: ClientOptions): Client => {
  const requester = createRequester(options)
  const gate = createGate()
  const { habits } = requester
  let sessions = 0

  const once = async (ask: Ask, call: CallOptions): Promise<Answer> => {
    const received = await requester.send(ask, call)
    try {
      const answer = readAnswer(received, ask)
      if (received.long) habits.override = true
      return answer
    } catch (error) {
      const clear = isFairleadError(error) && clearAnswers.has(error.code)
      if (!received.long || habits.override === true || clear || !refusedOverride.has(received.status)) throw error
      habits.override = false
      throw new QueryTooLong(error)
    }
  }

  /** Some servers want the apostrophe raw (2.6 [C]): tried once per Crm when a query with literals is called malformed. */
  const understood = async (ask: Ask, call: CallOptions): Promise<Answer> => {
    const quoted = `${ask.path}${ask.query?.where ?? ''}`.includes("'")
    try {
      const answer = await once(ask, call)
      if (quoted) habits.rawApostrophe ??= false
      return answer
    } catch (error) {
      if (!quoted || habits.rawApostrophe !== null || !isSyntax(error)) throw error
      habits.rawApostrophe = true
      try {
        return await once(ask, call)
      } catch {
        habits.rawApostrophe = null
        throw error
      }
    }
  }

  /**
   * 401 or 403 during work (R21). A session that has ended and a server that serves one session at a time both refuse right passwords, so the
   * request is repeated once, alone and in a new session, unless it was sent without one and nothing else has succeeded since. What stays
   * refused with 401 is remembered: nothing but a login check sends the password again.
   */
  const judge = (ask: Ask, call: CallOptions, error: FairleadError, sent: Sent): Promise<Answer> =>
    gate.alone(false, async () => {
      const told = error.code === 'mfaRequired' || error.code === 'passwordExpired'
      const othersSucceeded = gate.successes() > sent.successes
      if (told || (!sent.inSession && !othersSucceeded)) throw error
      const sameSession = sessions === sent.session
      if (error.code === 'loginRefused' && sameSession) {
        requester.forgetSession()
        sessions += 1
      }
      const answer = await understood(ask, call)
      if (sent.others > 0 && othersSucceeded && sameSession) gate.noteLonely()
      return answer
    })

  const attempt = async (ask: Ask, call: CallOptions): Promise<Answer> => {
    if (ask.login) return understood(ask, call)
    const sent: Sent = { session: 0, inSession: false, successes: 0, others: 0 }
    try {
      return await gate.pass(async () => {
        Object.assign(sent, { session: sessions, inSession: requester.inSession(), successes: gate.successes() })
        try {
          return await understood(ask, call)
        } finally {
          sent.others = gate.busy() - 1
        }
      })
    } catch (error) {
      const denied = isFairleadError(error) && unauthorised.has(error.code) && error.details.crm?.status !== undefined
      if (!denied || gate.isRefused()) throw error
      return judge(ask, call, error, sent)
    }
  }

  const client: Client = {
    habits,
    skew: () => requester.skew(),
    exchange: (ask, call) => requester.send(ask, call),
    async ask(ask, call) {
      const tries = ask.tries ?? (ask.send?.method === 'POST' ? 0 : quickRetryMs.length)
      for (let tried = 0; ; tried += 1) {
        try {
          return await attempt(ask, call)
        } catch (error) {
          if (tried >= tries || !mayRepeat(error)) throw error
          log?.debug({ code: error.code, status: error.details.crm?.status, tried }, 'a CRM request is repeated')
          const backOffMs = (quickRetryMs[tried] ?? patientMs) * (0.5 + Math.random())
          const pauseMs = Math.max(backOffMs, error.details.retryAfterMs ?? 0)
          await sleep(pauseMs, undefined, { signal: call.signal }).catch(() => call.signal?.throwIfAborted())
        }
      }
    },
    fits: (path, query) => requester.fits({ path, query }),
    alone: (check) =>
      gate.alone(true, () => {
        requester.forgetSession()
        return check()
      }),
    oneSession: () => gate.oneSession(),
    close: () => requester.close(),
  }
  return client
}
