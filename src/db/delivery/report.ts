import { and, eq, isNull, sql } from 'drizzle-orm'
import { previewExpiry, type Content } from '../../domain/delivery.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { MessageDefinition } from '../../domain/message.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { heldErasedAmong } from '../erasure/known.ts'
import * as notes from '../note/insert.ts'
import { optOut } from '../optOut.ts'
import type { Transaction } from '../outbox.ts'
import { deliveries, deliveryContents, messages, messageVersions } from '../schema.ts'
import { pack } from './content.ts'
import { bounceEvidence } from './evidence.ts'

/** What another sender says of one mail. */
export type Reported = {
  externalId: string
  email: string | null
  emailKey: Buffer | null
  recordId: string | null
  state: 'accepted' | 'bounced'
  sentAt: Date
  previewToken: string
  unsubscribeToken: string
  content: Content
}

export type Taking = { accountId: string; messageId: string; version: number; definition: MessageDefinition }

const ofOther = async (tx: Transaction, accountId: string, messageId: string): Promise<Taking & { state: string }> => {
  const [found] = await tx
    .select({ version: messages.version, state: messages.state, definition: messageVersions.definition })
    .from(messages)
    .innerJoin(
      messageVersions,
      and(eq(messageVersions.messageId, messages.id), eq(messageVersions.version, messages.version)),
    )
    .where(and(eq(messages.accountId, accountId), eq(messages.id, messageId), isNull(messages.removedAt)))
    .for('update', { of: messages })
  if (found === undefined) throw new FairleadError('notFound')
  if (found.definition.sender !== 'other') throw new FairleadError('notOtherSender')
  return { accountId, messageId, ...found }
}

/** Reports of a message are stored one batch after the other, and none after its end. Before any of its rows is locked. */
const takeTurns = async (tx: Transaction, messageId: string): Promise<void> => {
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`reports:${messageId}`}::text, 0))`)
}

/** The message that is reported about; with the first report it is being sent. Errors: notFound, notOtherSender, messageSent when it was closed. */
export const open = (db: Database, accountId: string, messageId: string, actor: audits.Actor): Promise<Taking> =>
  db.transaction(async (tx) => {
    const { state, ...taking } = await ofOther(tx, accountId, messageId)
    if (state === 'sending') return taking
    if (state !== 'draft') throw new FairleadError('messageSent')
    await tx.update(messages).set({ state: 'sending', updatedAt: new Date() }).where(eq(messages.id, messageId))
    await audits.insert(tx, accountId, actor, { action: 'message.report', targetId: messageId })
    return taking
  })

/** Nothing more is reported. Once more changes nothing. Errors: notFound, notOtherSender, notSending. */
export const close = (db: Database, accountId: string, messageId: string, actor: audits.Actor): Promise<Date> =>
  db.transaction(async (tx) => {
    await takeTurns(tx, messageId)
    const { state } = await ofOther(tx, accountId, messageId)
    const [known] = await tx.select({ sentAt: messages.sentAt }).from(messages).where(eq(messages.id, messageId))
    if (state === 'sent' && known?.sentAt) return known.sentAt
    if (state !== 'sending') throw new FairleadError('notSending')
    const sentAt = new Date()
    await tx.update(messages).set({ state: 'sent', sentAt, updatedAt: sentAt }).where(eq(messages.id, messageId))
    await audits.insert(tx, accountId, actor, { action: 'message.close', targetId: messageId })
    return sentAt
  })

type Made = { id: string; externalId: string; email: string | null; emailKey: Buffer | null }

const insertRows = async (tx: Transaction, taking: Taking, months: number, reported: readonly Reported[]) => {
  const { accountId, messageId, version, definition } = taking
  const rows = reported.map((each) => ({
    external_id: each.externalId,
    email: each.email,
    email_key: each.emailKey?.toString('hex') ?? null,
    record_id: each.recordId,
    state: each.state,
    sent_at: each.sentAt.toISOString(),
    preview_token: each.previewToken,
    unsubscribe_token: each.unsubscribeToken,
    expires_at: previewExpiry(each.sentAt, months).toISOString(),
    bounce: each.state === 'bounced' ? { kind: 'permanent', status: null, at: new Date().toISOString() } : null,
  }))
  const { lists } = definition.audience
  return tx.execute<Made>(sql`
    insert into ${deliveries} (account_id, message_id, version, list_id, record_id, crm_entity, crm_id, email_key, email, state, external_id, preview_token,
      unsubscribe_token, sent_at, accepted_at, preview_expires_at, bounce)
    select ${accountId}::uuid, ${messageId}::uuid, ${version}, r.list_id, r.id, r.crm_entity, r.crm_id, coalesce(decode(g.email_key, 'hex'), r.email_key),
      coalesce(g.email, r.fields ->> 'c1'), g.state, g.external_id, g.preview_token, g.unsubscribe_token, g.sent_at, now(), g.expires_at, g.bounce
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as g (external_id text, email text, email_key text, record_id uuid, state text,
      sent_at timestamptz, preview_token text, unsubscribe_token text, expires_at timestamptz, bounce jsonb)
      left join lateral (
        select r.* from records r
        where r.account_id = ${accountId}::uuid and r.removed_at is null
          and (r.id = g.record_id or (g.record_id is null and r.email_key = decode(g.email_key, 'hex')))
        order by r.list_id = any(string_to_array(${lists.join('\n')}::text, E'\n')::uuid[]) desc, r.crm_entity = 'contact' desc nulls last,
          r.crm_id is not null desc, r.id limit 1) r on true
    where g.record_id is null or r.id is not null
    on conflict (message_id, external_id) where external_id is not null do nothing
    returning id::text, external_id as "externalId", email, email_key as "emailKey"`)
}

const insertContents = async (
  tx: Transaction,
  { accountId, definition }: Taking,
  reported: readonly Reported[],
  ids: Map<string, Made>,
) => {
  const rows = reported.flatMap(({ externalId, content }) => {
    const made = ids.get(externalId)
    if (made === undefined) return []
    const { subject, html, text, sha256 } = pack(content, definition.html)
    const [h, t, s] = [html, text, sha256].map((bytes) => bytes.toString('hex'))
    return [{ id: made.id, subject, html: h, text: t, sha256: s }]
  })
  await tx.execute(sql`
    insert into ${deliveryContents} (delivery_id, account_id, subject, html, text, sha256)
    select m.id, ${accountId}::uuid, m.subject, decode(m.html, 'hex'), decode(m.text, 'hex'), decode(m.sha256, 'hex')
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as m (id uuid, subject text, html text, text text, sha256 text)`)
}

/**
 * Stores reports, in one transaction: deliveries, what was sent, notes of what was taken (G3), suppressions of what came back. One that is known by its id
 * is left as it is. Answers the ids that are new, and those of erased people (R40), of whom nothing is stored; those whose record does not exist are
 * neither. Errors: messageSent when it was closed meanwhile.
 */
export const insert = (
  db: Database,
  taking: Taking,
  given: readonly Reported[],
  actor: audits.Actor,
): Promise<{ stored: Set<string>; erased: Set<string> }> =>
  db.transaction(async (tx) => {
    const { accountId, messageId } = taking
    const all = [...new Map(given.toReversed().map((each) => [each.externalId, each])).values()]
    const hexOf = ({ emailKey }: Reported): string => emailKey?.toString('hex') ?? ''
    const hashes = await heldErasedAmong(tx, accountId, all.map(hexOf))
    await takeTurns(tx, messageId)
    const [message] = await tx.select({ state: messages.state }).from(messages).where(eq(messages.id, messageId))
    if (message?.state !== 'sending') throw new FairleadError('messageSent')
    const reported = all.filter((each) => !hashes.has(hexOf(each)))
    const erased = new Set(all.filter((each) => hashes.has(hexOf(each))).map(({ externalId }) => externalId))
    if (reported.length === 0) return { stored: new Set(), erased }
    const { previewMonths } = (await accounts.find(tx, accountId))!
    const made = new Map((await insertRows(tx, taking, previewMonths, reported)).map((row) => [row.externalId, row]))
    await insertContents(tx, taking, reported, made)
    const accepted: string[] = []
    for (const { externalId, state } of reported) {
      const row = made.get(externalId)
      if (row === undefined) continue
      if (state === 'accepted') accepted.push(row.id)
      else if (row.email !== null && row.emailKey !== null) {
        const evidence = bounceEvidence(row.id)
        const { email, emailKey } = row
        await optOut(tx, { accountId, email, emailKey, reason: 'bounced', source: 'api', evidence, actor })
      }
    }
    await notes.insert(tx, accountId, messageId, accepted)
    return { stored: new Set(made.keys()), erased }
  })

/** Which of these reports a message has already. */
export const known = async (db: Database, messageId: string, externalIds: readonly string[]): Promise<Set<string>> => {
  const rows = await db.$client<{ id: string }[]>`
    select external_id as id from deliveries
    where message_id = ${messageId}::uuid and external_id in (select jsonb_array_elements_text(${JSON.stringify(externalIds)}::text::jsonb))`
  return new Set(rows.map(({ id }) => id))
}
