import { and, eq, isNull, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { messageTests, records } from '../schema.ts'
import { get } from './read.ts'

export type MessageTest = typeof messageTests.$inferSelect

type Asked = { to: string[]; recordId?: string | undefined }

/** Asks for a test of a message as it is now; its workflow sends it. Errors: notFound for message or record. */
export const insert = (
  db: Database,
  accountId: string,
  messageId: string,
  { to, recordId }: Asked,
  actor: audits.Actor,
): Promise<MessageTest> =>
  db.transaction(async (tx) => {
    const { version } = await get(tx, accountId, messageId)
    if (recordId !== undefined) {
      const live = and(eq(records.accountId, accountId), eq(records.id, recordId), isNull(records.removedAt))
      if ((await tx.$count(records, live)) === 0)
        throw new FairleadError('notFound', { detail: 'There is no such record.' })
    }
    const [made] = await tx
      .insert(messageTests)
      .values({ accountId, messageId, version, recordId: recordId ?? null, recipients: to })
      .returning()
    const { id: testId } = made!
    const workflowId = `message-test:${testId}`
    await outbox.insert(tx, { accountId, kind: 'start', name: 'testMessage', workflowId, input: { accountId, testId } })
    const details = { version, recipients: to.length }
    await audits.insert(tx, accountId, actor, { action: 'message.test', targetId: messageId, details })
    return made!
  })

/** Errors: notFound. */
export const getTest = async (db: Database, accountId: string, testId: string): Promise<MessageTest> => {
  const [found] = await db
    .select()
    .from(messageTests)
    .where(and(eq(messageTests.accountId, accountId), eq(messageTests.id, testId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** One address is done: it is forgotten, and counted. */
export const settleOne = async (
  db: Database,
  accountId: string,
  testId: string,
  { email, accepted }: { email: string; accepted: boolean },
): Promise<void> => {
  const column = accepted ? messageTests.accepted : messageTests.rejected
  await db
    .update(messageTests)
    .set({
      recipients: sql`${messageTests.recipients} - ${email}::text`,
      [accepted ? 'accepted' : 'rejected']: sql`${column} + 1`,
    })
    .where(and(eq(messageTests.accountId, accountId), eq(messageTests.id, testId)))
}

/** The test is over; addresses that it did not come to are forgotten too. */
export const finishTest = async (
  db: Database,
  accountId: string,
  testId: string,
  code: string | null,
): Promise<void> => {
  await db
    .update(messageTests)
    .set({ state: code === null ? 'sent' : 'failed', code, recipients: [] })
    .where(and(eq(messageTests.accountId, accountId), eq(messageTests.id, testId), eq(messageTests.state, 'waiting')))
}
