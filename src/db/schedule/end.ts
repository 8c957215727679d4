import { and, eq, ne } from 'drizzle-orm'
import { resolve } from '../alert.ts'
import * as audits from '../audit.ts'
import type { Transaction } from '../outbox.ts'
import { schedules } from '../schema.ts'
import { changeWhere } from './tell.ts'

/**
 * R18: ends the schedules of a list and its segments, or of one segment, that is removed, and frees their slots; their history stays. The account must be locked.
 */
export const endOf = async (
  tx: Transaction,
  accountId: string,
  removed: { listId: string } | { segmentId: string },
  actor: audits.Actor,
): Promise<void> => {
  const own = 'listId' in removed ? eq(schedules.listId, removed.listId) : eq(schedules.segmentId, removed.segmentId)
  const ended = await changeWhere(tx, and(eq(schedules.accountId, accountId), own, ne(schedules.state, 'removed')), {
    state: 'removed',
    slot: null,
    pausedBy: null,
  })
  for (const { id, listId, segmentId } of ended) {
    await resolve(tx, accountId, { kind: 'scheduleMissed', subject: id })
    await audits.insert(tx, accountId, actor, {
      action: 'schedule.remove',
      targetId: id,
      details: { listId, ...(segmentId === null ? {} : { segmentId }) },
    })
  }
}

/** C3: a reset connector stops all schedules; each is resumed by hand. The account must be locked. */
export const pauseAll = async (tx: Transaction, accountId: string): Promise<void> => {
  await changeWhere(tx, and(eq(schedules.accountId, accountId), eq(schedules.state, 'active')), {
    state: 'paused',
    slot: null,
    pausedBy: 'reset',
  })
}
