import * as connections from '../db/connection.ts'
import { withOneSlot } from '../db/budget/lease.ts'
import { slowToOne } from '../db/budget/pace.ts'
import type { Sql } from '../db/database.ts'
import type { Crm } from '../domain/crm.ts'
import { FairleadError, isFairleadError, type ErrorCode } from '../domain/errors.ts'
import type { Dependencies } from './dependencies.ts'

const refusals: ReadonlySet<ErrorCode> = new Set([
  'loginRefused',
  'passwordExpired',
  'mfaRequired',
  'notAdministrator',
  'noRight',
])

type Connection = connections.Connection

/** Throws what work waits for, without a request: a refused secret is not tried again until it is reconfirmed (R21). */
const usable = async ({ db }: Dependencies, accountId: string, connectionId: string): Promise<Connection> => {
  const { connection, enabled } = await connections.getForWork(db, accountId, connectionId)
  if (!enabled) throw new FairleadError('connectorDisabled')
  if (connection.state === 'connected') return connection
  if (connection.state !== 'needsReconfirm') throw new FairleadError('notConnected')
  const { code, detail, crm } = connection.problem ?? { code: 'loginRefused' as const }
  throw new FairleadError(code, { detail, crm })
}

/** One login check at a time in this process: each keeps a database connection while it waits for the CRM, and the pool must never run dry. */
let turn: Promise<unknown> = Promise.resolve()
const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
  const mine = turn.then(work)
  turn = mine.catch(() => undefined)
  return mine
}

/**
 * R21: one login check by one worker with one request, however many ask for it at once, while no worker asks anything else: a server that allows
 * one session at a time refuses right passwords too. Refused: the connection needs reconfirming, everything waits, and those who ask next learn it
 * without a request.
 */
const checkLogin = (deps: Dependencies, { accountId, id }: Connection): Promise<void> =>
  inTurn(async () => {
    await deps.db.$client.begin(async (tx) => {
      const sql = tx as unknown as Sql
      await sql`select pg_advisory_xact_lock(hashtextextended(${`login:${id}`}, 0))`
      const connection = await usable(deps, accountId, id)
      try {
        await withOneSlot(deps.db.$client, id, () => deps.crms.of(connection).check({ priority: 'interactive' }))
      } catch (error) {
        if (isFairleadError(error) && error.kind === 'held')
          await connections.needReconfirm(deps.db, accountId, id, connections.problemOf(error))
        throw error
      }
    })
  })

/** C4: the regular check of a connection that is at work or idle; a connection that waits for a person is left alone. */
export const checkConnected = async (deps: Dependencies, accountId: string, connectionId: string): Promise<void> =>
  checkLogin(deps, await usable(deps, accountId, connectionId))

/**
 * R21: after a 401 or 403 in the middle of work the login is checked. Accepted: fewer requests at once are tried, and what is still refused is a
 * missing right.
 */
const judgeRefusal = async (
  deps: Dependencies,
  refused: FairleadError,
  { connection, beganAt }: { connection: Connection; beganAt: number },
): Promise<never> => {
  await checkLogin(deps, connection)
  const { accountId, id: connectionId } = connection
  const slowed = await slowToOne(deps.db.$client, { accountId, connectionId }, performance.now() - beganAt)
  if (slowed === false) throw new FairleadError('noRight', { crm: refused.details.crm })
  throw new FairleadError('crmBusy', {
    detail:
      slowed === 'limited' ? 'The CRM allows one session at a time.' : 'The CRM refuses requests of an accepted login.',
    retryAfterMs: 1000,
    extra: { slowed },
  })
}

/**
 * Work with a connection's CRM: refusals are judged once, other held failures (certificate, redirect) put the connection into
 * `needsReconfirm` at once (C4).
 */
export const withCrm = async <T>(
  deps: Dependencies,
  accountId: string,
  connectionId: string,
  work: (crm: Crm, connection: Connection) => Promise<T>,
): Promise<T> => {
  const connection = await usable(deps, accountId, connectionId)
  const beganAt = performance.now()
  try {
    return await work(deps.crms.of(connection), connection)
  } catch (error) {
    if (!isFairleadError(error)) throw error
    if (refusals.has(error.code)) return judgeRefusal(deps, error, { connection, beganAt })
    if (error.kind === 'held' && error.code !== 'connectorDisabled')
      await connections.needReconfirm(deps.db, accountId, connectionId, connections.problemOf(error))
    throw error
  }
}
