import { and, eq, inArray } from 'drizzle-orm'
import type { ConnectionProblem } from '../../domain/connection.ts'
import { FairleadError, isFairleadError, passesBy } from '../../domain/errors.ts'
import * as accountRows from '../account.ts'
import * as alerts from '../alert.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { repeating } from '../failure.ts'
import * as outbox from '../outbox.ts'
import * as optOutWakes from '../optOut/wake.ts'
import { holdOpen as holdNotes, wakeOpen as wakeNotes } from '../note/wake.ts'
import { wakeOpen } from '../submission/wake.ts'
import { pauseAll } from '../schedule/end.ts'
import { accounts, candidates, connections, runs } from '../schema.ts'
import { findActive, type Connection } from './find.ts'

export const problemOf = (error: unknown): ConnectionProblem => {
  const known = isFairleadError(error) ? error : new FairleadError('internal')
  return {
    code: known.code,
    detail: known.message,
    remedy: known.remedy,
    ...(known.details.crm === undefined ? {} : { crm: known.details.crm }),
    at: new Date().toISOString(),
  }
}

/** C4: holds all work of the connection until a person reconfirms the login, unless that has happened since `connection` was read. */
export const needReconfirm = (
  db: Database,
  { accountId, id, secret }: Connection,
  problem: ConnectionProblem,
): Promise<void> =>
  db.transaction(async (tx) => {
    await accountRows.lock(tx, accountId, 'key share')
    const broken = await tx
      .update(connections)
      .set({ state: 'needsReconfirm', problem, checkedAt: new Date() })
      .where(
        and(
          eq(connections.accountId, accountId),
          eq(connections.id, id),
          eq(connections.secret, secret ?? ''),
          inArray(connections.state, ['connected', 'needsReconfirm']),
        ),
      )
      .returning({ id: connections.id })
    const { code } = problem
    if (broken.length > 0)
      await alerts.raise(tx, accountId, { kind: 'connectionBroken', subject: id, details: { code } })
  })

/** Checks are an hour apart; one that is repeated after a crash says nothing new. */
const lastingMs = 30 * 60_000

/**
 * Records what a health check found, null for nothing: an unreachable CRM is a problem to show, not a reason to ask for the password. One that the check
 * before has found as well is told, until a check finds none.
 */
export const noteCheck = (
  db: Database,
  accountId: string,
  connectionId: string,
  problem: ConnectionProblem | null,
): Promise<void> =>
  db.transaction(async (tx) => {
    await accountRows.lock(tx, accountId, 'key share')
    const its = and(eq(connections.accountId, accountId), eq(connections.id, connectionId))
    const [before] = await tx
      .select({ problem: connections.problem })
      .from(connections)
      .where(and(its, eq(connections.state, 'connected')))
      .for('no key update')
    if (before === undefined) return
    await tx.update(connections).set({ problem, checkedAt: new Date() }).where(its)
    const broken = { kind: 'connectionBroken', subject: connectionId } as const
    if (problem === null) return alerts.resolve(tx, accountId, broken)
    const { code } = problem
    const lasts = before.problem !== null && Date.now() - Date.parse(before.problem.at) >= lastingMs
    if (lasts && passesBy(code)) await alerts.raise(tx, accountId, { ...broken, details: { code } })
  })

/** C3: forgets the secret; lists and history stay, schedules are paused until each is resumed by hand. Work under way is cancelled at its next checkpoint. Whoever works on notes locks them in an order of their own. */
export const reset = (db: Database, accountId: string): Promise<void> =>
  repeating(() =>
    db.transaction(async (tx) => {
      // first of all, as everybody does: two that take account and connection in different order would wait for each other
      await accountRows.lock(tx, accountId, 'update')
      const connection = await findActive(tx, accountId)
      if (connection === undefined || connection.state === 'disconnected') throw new FairleadError('notConnected')
      await tx
        .update(connections)
        .set({ state: 'reset', secret: null, problem: null })
        .where(eq(connections.id, connection.id))
      await tx.delete(candidates).where(eq(candidates.connectionId, connection.id))
      await alerts.resolve(tx, accountId, { kind: 'connectionBroken', subject: connection.id, gone: true })
      await pauseAll(tx, accountId)
      await holdNotes(tx, connection.id)
      const waiting = await tx
        .update(runs)
        .set({ cancelRequestedAt: new Date() })
        .where(and(eq(runs.connectionId, connection.id), inArray(runs.state, ['queued', 'running', 'held'])))
        .returning({ workflowId: runs.workflowId })
      for (const { workflowId } of waiting)
        await outbox.insert(tx, { accountId, kind: 'cancel', name: 'cancel', workflowId })
    }),
  )

/**
 * Wakes the runs that wait for the account's CRM: after a reconfirmation (C2), or when the connector is enabled again (C5). Also those at work,
 * since one may be about to be held for a reason that is gone now.
 */
export const resumeHeld = async (tx: outbox.Transaction, accountId: string): Promise<void> => {
  const held = await tx
    .select({ workflowId: runs.workflowId })
    .from(runs)
    .where(and(eq(runs.accountId, accountId), inArray(runs.state, ['running', 'held'])))
  await wakeOpen(tx, accountId)
  await wakeNotes(tx, accountId)
  await optOutWakes.wakeOpen(tx, accountId)
  for (const { workflowId } of held) await outbox.insert(tx, { accountId, kind: 'signal', name: 'resume', workflowId })
}

/** C5: an operator lets the connector of an account work, or stops it; work waits meanwhile. */
export const setEnabled = (db: Database, accountId: string, enabled: boolean): Promise<void> =>
  db.transaction(async (tx) => {
    await tx.update(accounts).set({ connectorEnabled: enabled }).where(eq(accounts.id, accountId))
    await audits.insert(tx, accountId, audits.operator, {
      action: enabled ? 'connector.enable' : 'connector.disable',
      targetId: accountId,
    })
    if (enabled) await resumeHeld(tx, accountId)
  })
