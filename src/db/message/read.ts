import { and, desc, eq, getTableColumns, isNull, lt, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { MessageDefinition, MessageSender } from '../../domain/message.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { messages, messageVersions } from '../schema.ts'

/** A message with one of its versions, the newest unless another is asked for. */
export type Message = typeof messages.$inferSelect & { definition: MessageDefinition }

const present = and(eq(messageVersions.messageId, messages.id), eq(messageVersions.version, messages.version))

const select = (db: Database | Transaction) =>
  db
    .select({ ...getTableColumns(messages), definition: messageVersions.definition })
    .from(messages)
    .innerJoin(messageVersions, present)
    .$dynamic()

const owned = (accountId: string, messageId: string) =>
  and(eq(messages.accountId, accountId), eq(messages.id, messageId))

const find = async (db: Database | Transaction, accountId: string, messageId: string): Promise<Message | undefined> => {
  const [found] = await select(db).where(and(owned(accountId, messageId), isNull(messages.removedAt)))
  return found
}

/** A message that was not removed. Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, messageId: string): Promise<Message> => {
  const found = await find(db, accountId, messageId)
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** The message as one of its versions has it; `version` is that one. Also of a removed message. Errors: notFound. */
export const version = async (
  db: Database | Transaction,
  accountId: string,
  messageId: string,
  asked: number,
): Promise<Message> => {
  const [found] = await db
    .select({
      ...getTableColumns(messages),
      version: messageVersions.version,
      definition: messageVersions.definition,
    })
    .from(messages)
    .innerJoin(messageVersions, and(eq(messageVersions.messageId, messages.id), eq(messageVersions.version, asked)))
    .where(owned(accountId, messageId))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Newest first, each with its subject and who sends it, without the rest of its definition: that may be large. */
export const page = (
  db: Database,
  accountId: string,
  { limit, before }: { limit: number; before?: string | undefined },
) =>
  db
    .select({
      ...getTableColumns(messages),
      subject: sql<string>`${messageVersions.definition} ->> 'subject'`,
      sender: sql<MessageSender>`${messageVersions.definition} ->> 'sender'`,
      addNote: sql<boolean>`(${messageVersions.definition} ->> 'addNote')::boolean`,
    })
    .from(messages)
    .innerJoin(messageVersions, present)
    .where(
      and(
        eq(messages.accountId, accountId),
        isNull(messages.removedAt),
        before === undefined ? undefined : lt(messages.id, before),
      ),
    )
    .orderBy(desc(messages.id))
    .limit(limit)
