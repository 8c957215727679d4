import { sql } from 'drizzle-orm'
import type { RunSettings, RunTrigger } from '../../domain/run.ts'
import * as outbox from '../outbox.ts'
import { runs } from '../schema.ts'

export type NotesOf = { accountId: string; messageId: string; connectionId: string }

const lockName = (messageId: string) => sql`hashtextextended(${`notes:${messageId}`}::text, 0)`

/** Whoever adds notes of a message holds this until the commit; a run that ends waits for them, and then sees what they have added. */
export const lockOpen = async (tx: outbox.Transaction, messageId: string): Promise<void> => {
  await tx.execute(sql`select pg_advisory_xact_lock_shared(${lockName(messageId)})`)
}

/**
 * Sees to it that a run makes the notes of a message; the caller holds `lockOpen`. Undefined when one is at work already: it finds what was added, since
 * it does not end before it has looked under the exclusive lock (finish.ts).
 */
export const ensureRun = async (
  tx: outbox.Transaction,
  { accountId, messageId, connectionId }: NotesOf,
  { trigger = 'system', settings = {} }: { trigger?: RunTrigger; settings?: RunSettings } = {},
): Promise<string | undefined> => {
  const [made] = await tx.execute<{ id: string }>(sql`
    with new as (select uuidv7() as id)
    insert into ${runs} (id, account_id, kind, trigger, message_id, connection_id, settings, workflow_id)
    select id, ${accountId}::uuid, 'notes', ${trigger}, ${messageId}::uuid, ${connectionId}::uuid, ${JSON.stringify(settings)}::text::jsonb, 'notes:' || id from new
    on conflict do nothing returning id::text`)
  if (made === undefined) return undefined
  await outbox.insert(tx, {
    accountId,
    kind: 'start',
    name: 'deliverNotes',
    workflowId: `notes:${made.id}`,
    input: { accountId, runId: made.id, connectionId, kind: 'notes' },
  })
  return made.id
}
