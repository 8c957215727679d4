import { Context } from '@temporalio/activity'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as connections from '../db/connection.ts'
import { untilAlone } from '../db/budget/lease.ts'
import { slowToOne } from '../db/budget/pace.ts'
import type { CallOptions, Crm, CrmIdentity } from '../domain/crm.ts'
import { FairleadError, isFairleadError } from '../domain/errors.ts'
import type { Dependencies } from './dependencies.ts'
import { isRefusal } from './refusal.ts'

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

const askAgainMs = 200

/** The login of a connection whose check was claimed, alone, by what a person may wait for; what takes longer is a time-out of the CRM. */
const checkAlone = async (
  { db }: Dependencies,
  connectionId: string,
  check: (options: CallOptions) => Promise<CrmIdentity>,
): Promise<CrmIdentity> => {
  const deadline = AbortSignal.timeout(connections.checkMs - 15_000)
  const signal = AbortSignal.any([Context.current().cancellationSignal, deadline])
  try {
    await untilAlone(db.$client, connectionId, signal)
    return await check({ priority: 'interactive', signal })
  } catch (error) {
    if (deadline.aborted) throw new FairleadError('crmTimeout', { cause: error })
    throw error
  }
}

const waitToAsk = () => sleep(askAgainMs, undefined, { signal: Context.current().cancellationSignal })

/** One login with new credentials, while nobody checks or uses the connection otherwise (C1, C2). */
export const checkNew = async (
  deps: Dependencies,
  connectionId: string,
  check: (options: CallOptions) => Promise<CrmIdentity>,
): Promise<CrmIdentity> => {
  const holder = randomUUID()
  while (!(await connections.claimCheck(deps.db.$client, connectionId, holder, null)).mine) await waitToAsk()
  try {
    return await checkAlone(deps, connectionId, check)
  } finally {
    await connections.releaseCheck(deps.db, connectionId, holder, null)
  }
}

/**
 * R21: one login check by one worker, however many ask for it at once, while no worker asks the CRM anything else. Those who ask meanwhile wait and
 * share what it finds. Refused: the connection needs reconfirming, and everything waits.
 */
export const checkLogin = async (deps: Dependencies, accountId: string, connectionId: string): Promise<void> => {
  const { db, crms } = deps
  const holder = randomUUID()
  for (let since: string | null = null; ;) {
    const connection = await usable(deps, accountId, connectionId)
    const claim = await connections.claimCheck(db.$client, connectionId, holder, since)
    if (claim.accepted) return
    since ??= claim.now
    if (!claim.mine) {
      await waitToAsk()
      continue
    }
    let accepted: string | null = null
    try {
      await checkAlone(deps, connectionId, (options) => crms.of(connection).check(options))
      accepted = connection.secret
      return
    } catch (error) {
      if (isFairleadError(error) && error.kind === 'held')
        await connections.needReconfirm(db, connection, connections.problemOf(error))
      throw error
    } finally {
      await connections.releaseCheck(db, connectionId, holder, accepted)
    }
  }
}

/**
 * R21: after a 401 or 403 in the middle of work the login is checked. Accepted: fewer requests at once are tried, and what is still refused is a
 * missing right.
 */
const judgeRefusal = async (
  deps: Dependencies,
  refused: FairleadError,
  { connection, beganAt }: { connection: Connection; beganAt: number },
): Promise<never> => {
  const { accountId, id: connectionId } = connection
  await checkLogin(deps, accountId, connectionId)
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
    if (isRefusal(error)) return judgeRefusal(deps, error, { connection, beganAt })
    if (error.kind === 'held' && error.code !== 'connectorDisabled')
      await connections.needReconfirm(deps.db, connection, connections.problemOf(error))
    throw error
  }
}
