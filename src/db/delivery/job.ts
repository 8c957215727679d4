import { and, eq } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { MessageDefinition } from '../../domain/message.ts'
import type { Database } from '../database.ts'
import { messageVersions } from '../schema.ts'
import type { Run } from '../run/state.ts'

/** What a run sends. */
export type Job = {
  accountId: string
  runId: string
  messageId: string
  version: number
  definition: MessageDefinition
}

/** What a version of a message says. Errors: notFound. */
export const definitionOf = async (db: Database, messageId: string, version: number): Promise<MessageDefinition> => {
  const [found] = await db
    .select({ definition: messageVersions.definition })
    .from(messageVersions)
    .where(and(eq(messageVersions.messageId, messageId), eq(messageVersions.version, version)))
  if (found === undefined) throw new FairleadError('notFound')
  return found.definition
}

/** Errors: internal for a run that has not begun. */
export const jobOf = async (db: Database, { accountId, id: runId, messageId, settings }: Run): Promise<Job> => {
  const version = settings.message?.version
  if (messageId === null || version === undefined)
    throw new FairleadError('internal', { detail: 'The run sends nothing.' })
  return { accountId, runId, messageId, version, definition: await definitionOf(db, messageId, version) }
}
