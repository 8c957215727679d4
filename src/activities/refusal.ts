import { setTimeout as sleep } from 'node:timers/promises'
import { isFairleadError, type ErrorCode, type FairleadError } from '../domain/errors.ts'

const refusals: ReadonlySet<ErrorCode> = new Set([
  'loginRefused',
  'passwordExpired',
  'mfaRequired',
  'notAdministrator',
  'noRight',
])

/** A 401 or 403 in the middle of work: the login is checked before anything is concluded (R21). */
export const isRefusal = (error: FairleadError): boolean => refusals.has(error.code)

/** Checks the login after a refusal, and throws what the refusal means. */
export type Refuse = (error: FairleadError) => Promise<never>

const askAgainMs = 1000

/**
 * What one subject asks of the CRM. A refusal is judged at once, by asking again while nobody else does: what is refused even then is a missing right of
 * this subject (R21), and no sign of a server that allows one session at a time.
 */
export const judged = async <T>(refuse: Refuse, signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> => {
  for (let tried = 0; ; tried += 1) {
    try {
      return await ask()
    } catch (error) {
      if (!isFairleadError(error) || !isRefusal(error)) throw error
      const verdict = await refuse(error).catch((said: unknown) => said)
      const slowed = isFairleadError(verdict) && verdict.details.extra?.['slowed'] === 'slowed'
      if (!slowed || tried > 0) throw verdict
      await sleep(askAgainMs, undefined, { signal })
    }
  }
}
