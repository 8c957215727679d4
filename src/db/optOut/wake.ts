import { eq, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { connections, drainers, optOuts } from '../schema.ts'

/** Who writes the opt-outs of a connection. */
export type Pusher = { accountId: string; connectionId: string }

export const workflowIdOf = ({ connectionId }: Pusher): string => `optouts:${connectionId}`

const wake = ({ accountId, connectionId }: Pusher, tx: outbox.Transaction): Promise<void> =>
  outbox.insert(tx, {
    accountId,
    kind: 'wake',
    name: 'pushOptOuts',
    workflowId: workflowIdOf({ accountId, connectionId }),
    input: { accountId, connectionId },
  })

/** In the transaction that queues opt-outs: wakes who writes them, unless they are about to look by themselves (db/submission/wake.ts). */
export const wakePusher = async (tx: outbox.Transaction, pusher: Pusher): Promise<void> => {
  const [found] = await tx
    .select({ awake: sql<boolean>`${drainers.optOutsAwakeUntil} > now()` })
    .from(drainers)
    .where(eq(drainers.id, pusher.connectionId))
    .for('share')
  if (found?.awake !== true) await wake(pusher, tx)
}

/** They look by themselves for so long. */
export const stayAwake = async (db: Database, { accountId, connectionId }: Pusher, ms: number): Promise<void> => {
  const optOutsAwakeUntil = sql`now() + make_interval(secs => ${ms / 1000})` as unknown as Date
  await db
    .insert(drainers)
    .values({ id: connectionId, accountId, optOutsAwakeUntil })
    .onConflictDoUpdate({ target: drainers.id, set: { optOutsAwakeUntil } })
}

/** From now on they must be woken. What was queued before can be seen when this is done. */
export const fallAsleep = async (db: Database, { connectionId }: Pusher): Promise<void> => {
  await db.update(drainers).set({ optOutsAwakeUntil: null }).where(eq(drainers.id, connectionId))
}

const isOpen = sql`${optOuts.state} in ('waiting', 'held')`

/** What waits for the connection goes on: it was reconfirmed (C2), made anew or enabled again. */
export const wakeOpen = async (tx: outbox.Transaction, accountId: string): Promise<void> => {
  const [open] = await tx
    .select({ connectionId: connections.id })
    .from(optOuts)
    .innerJoin(connections, sql`${connections.id} = ${optOuts.connectionId} and ${connections.active}`)
    .where(sql`${optOuts.accountId} = ${accountId}::uuid and ${isOpen}`)
    .limit(1)
  if (open === undefined) return
  await tx.execute(
    sql`update ${optOuts} set due_at = now() where connection_id = ${open.connectionId}::uuid and ${isOpen}`,
  )
  await wake({ accountId, ...open }, tx)
}

/** Of connections whose opt-outs were due so long ago that somebody should have written them. */
export const overdue = (db: Database, seconds: number): Promise<Pusher[]> =>
  db
    .selectDistinct({ accountId: optOuts.accountId, connectionId: optOuts.connectionId })
    .from(optOuts)
    .innerJoin(connections, sql`${connections.id} = ${optOuts.connectionId} and ${connections.active}`)
    .where(
      sql`${isOpen} and ${optOuts.dueAt} < now() - make_interval(secs => ${seconds}) and ${connections.state} in ('connected', 'needsReconfirm')`,
    )
