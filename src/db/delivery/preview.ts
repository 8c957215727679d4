import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { accounts, deliveries, deliveryContents, messages, messageVersions } from '../schema.ts'
import { unpack, type Packed } from './content.ts'

const shown = {
  id: deliveries.id,
  accountId: deliveries.accountId,
  state: deliveries.state,
  email: deliveries.email,
  sentAt: deliveries.sentAt,
  previewRevokedAt: deliveries.previewRevokedAt,
  previewExpiresAt: deliveries.previewExpiresAt,
  erasedAt: deliveries.erasedAt,
  definition: messageVersions.definition,
  timeZone: accounts.timeZone,
  content: {
    subject: deliveryContents.subject,
    html: deliveryContents.html,
    text: deliveryContents.text,
    sha256: deliveryContents.sha256,
  },
}

export type Preview = {
  deliveryId: string
  accountId: string
  from: { name: string; email: string }
  to: string | null
  sentAt: Date | null
  timeZone: string
  subject: string
  /** the bytes of the HTML part */
  html: Buffer
  text: string
}

/**
 * Why a preview is not shown. `unsent`: the mail server has not said yet that it took the mail. `missing`: nothing is kept of it. `damaged`: what is kept is
 * not what was sent.
 */
export type PreviewFault = 'unknown' | 'erased' | 'revoked' | 'expired' | 'unsent' | 'missing' | 'damaged'

type Found = Pick<typeof deliveries.$inferSelect, 'state' | 'erasedAt' | 'previewRevokedAt' | 'previewExpiresAt'> & {
  content: Packed | null
}

const faultOf = (
  { state, erasedAt, previewRevokedAt, previewExpiresAt, content }: Found,
  now: Date,
): PreviewFault | null => {
  if (erasedAt !== null) return 'erased'
  if (previewRevokedAt !== null) return 'revoked'
  if (previewExpiresAt !== null && previewExpiresAt <= now) return 'expired'
  if (content !== null) return null
  return ['waiting', 'sending', 'unknown'].includes(state) ? 'unsent' : 'missing'
}

/** R33: what stands at the address of a preview. `deliveryId` is null where there is no such address. */
export const findPreview = async (
  db: Database,
  token: string,
  now = new Date(),
): Promise<Preview | { fault: PreviewFault; deliveryId: string | null }> => {
  const [found] = await db
    .select(shown)
    .from(deliveries)
    .innerJoin(accounts, eq(accounts.id, deliveries.accountId))
    .innerJoin(
      messageVersions,
      and(eq(messageVersions.messageId, deliveries.messageId), eq(messageVersions.version, deliveries.version)),
    )
    .leftJoin(deliveryContents, eq(deliveryContents.deliveryId, deliveries.id))
    .where(eq(deliveries.previewToken, token))
  if (found === undefined) return { fault: 'unknown', deliveryId: null }
  const { id: deliveryId, accountId, email: to, sentAt, timeZone, definition, content } = found
  const fault = faultOf(found, now)
  if (fault !== null) return { fault, deliveryId }
  const unpacked = content === null ? null : unpack(content, definition.html)
  if (unpacked === null) return { fault: 'damaged', deliveryId }
  return { deliveryId, accountId, from: definition.from, to, sentAt, timeZone, ...unpacked }
}

/** R33: nobody sees the preview any more. Answers how many were revoked by it, 0 or 1. Errors: notFound. */
export const revokePreview = (
  db: Database,
  accountId: string,
  deliveryId: string,
  actor: audits.Actor,
): Promise<number> =>
  db.transaction(async (tx) => {
    const [found] = await tx
      .select({ revokedAt: deliveries.previewRevokedAt })
      .from(deliveries)
      .where(and(eq(deliveries.accountId, accountId), eq(deliveries.id, deliveryId)))
      .for('no key update')
    if (found === undefined) throw new FairleadError('notFound')
    if (found.revokedAt !== null) return 0
    await tx
      .update(deliveries)
      .set({ previewRevokedAt: sql`now()` })
      .where(eq(deliveries.id, deliveryId))
    await audits.insert(tx, accountId, actor, { action: 'delivery.revokePreview', targetId: deliveryId })
    return 1
  })

/** Locked in the order of their ids, so that two who lock many never wait for each other. */
const revokeRows = async (tx: Transaction, messageId: string): Promise<number> => {
  const [done] = await tx.execute<{ count: number }>(sql`
    with open as (
      select id from deliveries where message_id = ${messageId} and state <> 'skipped' and preview_revoked_at is null
      order by id for no key update),
    done as (update deliveries set preview_revoked_at = now() where id in (select id from open) returning 1)
    select count(*)::int as count from done`)
  return done?.count ?? 0
}

/**
 * The same for all deliveries of a message, those included that are still to be sent; a removed message too. Answers how many were revoked by it.
 * Errors: notFound.
 */
export const revokePreviews = (
  db: Database,
  accountId: string,
  messageId: string,
  actor: audits.Actor,
): Promise<number> =>
  db.transaction(async (tx) => {
    const [message] = await tx
      .select({ id: messages.id })
      .from(messages)
      .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId)))
    if (message === undefined) throw new FairleadError('notFound')
    const count = await revokeRows(tx, messageId)
    if (count === 0) return 0
    const details = { count }
    await audits.insert(tx, accountId, actor, { action: 'message.revokePreviews', targetId: messageId, details })
    return count
  })
