import { FairleadError, isFairleadError, type ErrorCode } from '../../domain/errors.ts'

export type Gate = {
  /** runs ordinary work: waits while a login check is under way, throws at once while the password is known to be refused */
  pass<Result>(work: () => Promise<Result>): Promise<Result>
  /**
   * Runs `check` alone: no work of this Crm is under way meanwhile. A refused login is remembered: work never tries it again, and only a `fresh`
   * check, which a person or the health check asked for, does.
   */
  alone<Result>(fresh: boolean, check: () => Promise<Result>): Promise<Result>
  /** true once the server has proved to serve one request at a time only */
  oneSession(): boolean
  /** a 401 or 403 that went away when the request was alone; two of them without a hundred successes between prove `oneSession` */
  noteLonely(): void
  /** work that has succeeded so far */
  successes(): number
  /** true while work is turned away because the login was refused */
  isRefused(): boolean
  /** requests under way */
  busy(): number
}

const refusals = new Set<ErrorCode>(['loginRefused', 'passwordExpired', 'mfaRequired', 'notAdministrator'])

/** Keeps logins serial (R21): accounts get locked by repeated wrong passwords, and some servers serve one session at a time (sdata.md 3.11). */
export const createGate = (): Gate => {
  let refused: FairleadError | null = null
  let closed: Promise<void> | null = null
  let lonely = 0
  let lonelyAt = 0
  let successes = 0
  let running = 0
  let idle: (() => void)[] = []

  const leave = (): void => {
    running -= 1
    if (running > 0) return
    const waiting = idle
    idle = []
    for (const wake of waiting) wake()
  }

  const untilIdle = (): Promise<void> =>
    running === 0 ? Promise.resolve() : new Promise((resolve) => idle.push(resolve))

  const isOneSession = (): boolean => lonely >= 2

  const nextTurn = (): Promise<void> | null => closed ?? (isOneSession() && running > 0 ? untilIdle() : null)

  return {
    async pass(work) {
      for (let turn = nextTurn(); turn !== null; turn = nextTurn()) await turn
      if (refused) throw new FairleadError(refused.code, refused.details)
      running += 1
      try {
        const result = await work()
        successes += 1
        return result
      } finally {
        leave()
      }
    },
    async alone(fresh, check) {
      for (let other = closed; other !== null; other = closed) await other
      let open: () => void = () => undefined
      closed = new Promise((resolve) => {
        open = resolve
      })
      try {
        await untilIdle()
        if (refused && !fresh) throw new FairleadError(refused.code, refused.details)
        const result = await check()
        refused = null
        return result
      } catch (error) {
        refused = isFairleadError(error) && refusals.has(error.code) ? error : refused
        throw error
      } finally {
        closed = null
        open()
      }
    },
    oneSession: isOneSession,
    noteLonely: () => {
      lonely = lonely < 2 && successes - lonelyAt > 100 ? 1 : lonely + 1
      lonelyAt = successes
    },
    successes: () => successes,
    isRefused: () => refused !== null,
    busy: () => running,
  }
}
