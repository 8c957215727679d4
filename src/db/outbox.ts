import { and, asc, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Database } from './database.ts'
import { outbox } from './schema.ts'

export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0]
export type Message = typeof outbox.$inferSelect

/** Written in the transaction that makes it true; `deliver` hands it to the workflow engine afterwards. */
export const insert = async (
  tx: Transaction,
  message: Pick<Message, 'accountId' | 'kind' | 'name' | 'workflowId'> & { input?: Record<string, unknown> },
): Promise<void> => {
  await tx.insert(outbox).values(message)
}

/** The first open message of each workflow whose time has come: one that the engine refuses holds up its own workflow only. */
export const due = sql`${outbox.doneAt} is null and (${outbox.retryAt} is null or ${outbox.retryAt} <= now()) and not exists (
  select from outbox earlier where earlier.workflow_id = ${outbox.workflowId} and earlier.done_at is null and earlier.id < ${outbox.id})`

/** How long a message that failed waits: twice as long each time, at most a minute. */
const later = sql`now() + make_interval(secs => least(60, power(2, least(${outbox.tries}, 6))))`

export type Delivery = { sent: number; failures: { id: number; workflowId: string; error: unknown }[] }

/**
 * Hands open messages to `send`, oldest first, and marks those that it took. Several processes may do so at once: rows are
 * claimed with SKIP LOCKED, and a crash between sending and marking only sends again, which workflow ids make harmless.
 */
export const deliver = async (db: Database, send: (message: Message) => Promise<void>, limit = 50): Promise<Delivery> =>
  db.transaction(async (tx) => {
    const open = await tx
      .select()
      .from(outbox)
      .where(due)
      .orderBy(asc(outbox.id))
      .limit(limit)
      .for('update', { skipLocked: true })
    const delivery: Delivery = { sent: 0, failures: [] }
    const sent: number[] = []
    for (const { id, workflowId, ...rest } of open) {
      try {
        await send({ id, workflowId, ...rest })
        sent.push(id)
      } catch (error) {
        delivery.failures.push({ id, workflowId, error })
        await tx
          .update(outbox)
          .set({ tries: sql`${outbox.tries} + 1`, retryAt: later as unknown as Date })
          .where(eq(outbox.id, id))
        // an engine that is away is not asked for each message
        if (delivery.failures.length >= 3) break
      }
    }
    if (sent.length > 0)
      await tx
        .update(outbox)
        .set({ doneAt: sql`now()` })
        .where(inArray(outbox.id, sent))
    delivery.sent = sent.length
    return delivery
  })

export const removeDone = async (db: Database, olderThanDays: number): Promise<number> => {
  const gone = await db
    .delete(outbox)
    .where(and(sql`${outbox.doneAt} < now() - make_interval(days => ${olderThanDays})`))
    .returning({ id: outbox.id })
  return gone.length
}

export const open = (db: Database, workflowId: string): Promise<Message[]> =>
  db
    .select()
    .from(outbox)
    .where(and(eq(outbox.workflowId, workflowId), isNull(outbox.doneAt)))
    .orderBy(asc(outbox.id))
