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

/**
 * Hands open messages to `send`, oldest first, and marks those that it took. Several processes may do so at once: rows are
 * claimed with SKIP LOCKED, and a crash between sending and marking only sends again, which workflow ids make harmless.
 */
export const deliver = async (db: Database, send: (message: Message) => Promise<void>, limit = 50): Promise<number> =>
  db.transaction(async (tx) => {
    const open = await tx
      .select()
      .from(outbox)
      .where(isNull(outbox.doneAt))
      .orderBy(asc(outbox.id))
      .limit(limit)
      .for('update', { skipLocked: true })
    const sent: number[] = []
    for (const message of open) {
      const taken = await send(message).then(
        () => true,
        () => false,
      )
      if (!taken) break
      sent.push(message.id)
    }
    if (sent.length > 0)
      await tx
        .update(outbox)
        .set({ doneAt: sql`now()` })
        .where(inArray(outbox.id, sent))
    return sent.length
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
