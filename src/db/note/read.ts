import { and, asc, eq, gt } from 'drizzle-orm'
import type { NoteState } from '../../domain/delivery.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import { deliveries, messages, notes } from '../schema.ts'

const selection = {
  deliveryId: notes.deliveryId,
  listId: deliveries.listId,
  recordId: deliveries.recordId,
  state: notes.state,
  code: notes.code,
  crm: notes.crm,
  warnings: notes.warnings,
  crmEntity: notes.crmEntity,
  crmId: notes.crmId,
  noteId: notes.noteId,
  runId: notes.runId,
  tries: notes.tries,
  dueAt: notes.dueAt,
  writtenAt: notes.writtenAt,
  createdAt: notes.createdAt,
}

export type NotesWanted = { state?: NoteState; code?: string; after?: string; limit: number }

/** Notes of a message in the order of its deliveries, after that of a delivery. Errors: notFound. */
export const page = async (
  db: Database,
  accountId: string,
  messageId: string,
  { state, code, after, limit }: NotesWanted,
) => {
  const [message] = await db
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId)))
  if (message === undefined) throw new FairleadError('notFound')
  return db
    .select(selection)
    .from(notes)
    .innerJoin(deliveries, eq(deliveries.id, notes.deliveryId))
    .where(
      and(
        eq(notes.messageId, messageId),
        state && eq(notes.state, state),
        code === undefined ? undefined : eq(notes.code, code),
        after === undefined ? undefined : gt(notes.deliveryId, after),
      ),
    )
    .orderBy(asc(notes.deliveryId))
    .limit(limit)
}

export type Note = Awaited<ReturnType<typeof page>>[number]
