import { and, desc, eq, lt } from 'drizzle-orm'
import type { Database, Sql } from './database.ts'
import type { Transaction } from './outbox.ts'
import { audit } from './schema.ts'

export type AuditEntry = typeof audit.$inferSelect
/** Who does it: a key and its request, or nobody of either for an operator at the command line. */
export type Actor = { apiKeyId: string | null; requestId: string | null }
export const operator: Actor = { apiKeyId: null, requestId: null }

export type Action =
  | 'account.create'
  | 'account.update'
  | 'apiKey.create'
  | 'apiKey.revoke'
  | 'column.create'
  | 'column.remove'
  | 'column.update'
  | 'connection.connect'
  | 'connection.reconfirm'
  | 'connection.reset'
  | 'connector.disable'
  | 'connector.enable'
  | 'decision.make'
  | 'delivery.bounce'
  | 'delivery.revokePreview'
  | 'erasure.create'
  | 'folder.create'
  | 'folder.remove'
  | 'folder.update'
  | 'form.create'
  | 'form.remove'
  | 'form.retry'
  | 'form.update'
  | 'import.start'
  | 'list.create'
  | 'list.remove'
  | 'list.removeDuplicates'
  | 'list.update'
  | 'message.cancel'
  | 'message.close'
  | 'message.copy'
  | 'message.create'
  | 'message.remove'
  | 'message.report'
  | 'message.revokePreviews'
  | 'message.send'
  | 'message.test'
  | 'message.update'
  | 'preview.apply'
  | 'preview.start'
  | 'quarantine.release'
  | 'retry.start'
  | 'run.cancel'
  | 'run.confirmDeletions'
  | 'schedule.create'
  | 'schedule.pause'
  | 'schedule.remove'
  | 'schedule.repair'
  | 'schedule.resume'
  | 'schedule.update'
  | 'segment.create'
  | 'segment.remove'
  | 'segment.update'
  | 'standardFields.update'
  | 'suppression.create'
  | 'suppression.lift'
  | 'suppression.retry'
  | 'sweep.start'
  | 'sync.start'
  | 'sync.update'
  | 'undo.start'
  | 'upload.start'
  | 'verify.start'
  | 'webhook.create'
  | 'webhook.remove'
  | 'webhook.update'

/** `details` holds names of what changed, never secrets or people. */
export const insert = async (
  db: Database | Transaction,
  accountId: string,
  actor: Actor,
  entry: { action: Action; targetId?: string; details?: Record<string, unknown> },
): Promise<void> => {
  await db.insert(audit).values({ accountId, ...actor, ...entry })
}

/** The same, within a transaction of the driver's own. */
export const insertIn = async (
  sql: Sql,
  accountId: string,
  { apiKeyId, requestId }: Actor,
  { action, targetId }: { action: Action; targetId: string },
): Promise<void> => {
  await sql`
    insert into audit (account_id, api_key_id, request_id, action, target_id)
    values (${accountId}::uuid, ${apiKeyId}, ${requestId}, ${action}, ${targetId})`
}

/** Newest first; `before` is the id of the last one seen. */
export const page = (
  db: Database,
  accountId: string,
  { limit, before }: { limit: number; before?: string },
): Promise<AuditEntry[]> =>
  db
    .select()
    .from(audit)
    .where(and(eq(audit.accountId, accountId), before === undefined ? undefined : lt(audit.id, before)))
    .orderBy(desc(audit.id))
    .limit(limit)
