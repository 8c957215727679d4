import { and, eq } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { MessageDefinition } from '../../domain/message.ts'
import type { Database } from '../database.ts'
import { messages, messageVersions } from '../schema.ts'
import type { Run } from '../run/state.ts'

/** What a run sends. */
export type Job = {
  accountId: string
  runId: string
  messageId: string
  version: number
  definition: MessageDefinition
}

/** Errors: internal for a run that has not begun. */
export const jobOf = async (db: Database, { accountId, id: runId, messageId, settings }: Run): Promise<Job> => {
  const version = settings.message?.version
  if (messageId === null || version === undefined)
    throw new FairleadError('internal', { detail: 'The run sends nothing.' })
  const [found] = await db
    .select({ definition: messageVersions.definition })
    .from(messageVersions)
    .where(and(eq(messageVersions.messageId, messageId), eq(messageVersions.version, version)))
  if (found === undefined) throw new FairleadError('notFound')
  return { accountId, runId, messageId, version, definition: found.definition }
}

/** What a run is about to send, or does. Errors: notFound. */
export const definitionOf = async (db: Database, { messageId, settings }: Run): Promise<MessageDefinition> => {
  const [found] = await db
    .select({ definition: messageVersions.definition })
    .from(messages)
    .innerJoin(messageVersions, eq(messageVersions.messageId, messages.id))
    .where(and(eq(messages.id, messageId!), eq(messageVersions.version, settings.message?.version ?? messages.version)))
  if (found === undefined) throw new FairleadError('notFound')
  return found.definition
}
