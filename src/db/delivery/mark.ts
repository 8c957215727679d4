import { sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { deliveries, deliveryContents } from '../schema.ts'
import type { Packed } from './content.ts'

export type Marked = { id: string; previewToken: string; unsubscribeToken: string; packed: Packed }

const hexOf = ({ subject, html, text, sha256 }: Packed) => ({
  subject,
  html: html.toString('hex'),
  text: text.toString('hex'),
  sha256: sha256.toString('hex'),
})

/**
 * The last step before mails are handed over: they are `sending`, and what is sent is stored, so that whatever arrives has its preview. Answers the ids of
 * those that are still this attempt's and may still be mailed; the others must not be sent.
 */
export const mark = (
  db: Database,
  accountId: string,
  claimId: string,
  mails: readonly Marked[],
): Promise<Set<string>> =>
  db.transaction(async (tx) => {
    const rows = mails.map(({ packed, previewToken, unsubscribeToken, id }) => ({
      id,
      preview_token: previewToken,
      unsubscribe_token: unsubscribeToken,
      ...hexOf(packed),
    }))
    const given = JSON.stringify(rows)
    const mine = await tx.execute<{ id: string }>(sql`
      update ${deliveries} d set state = 'sending', preview_token = m.preview_token, unsubscribe_token = m.unsubscribe_token
      from jsonb_to_recordset(${given}::text::jsonb) as m (id uuid, preview_token text, unsubscribe_token text)
      where d.id = m.id and d.state = 'waiting' and d.claim_id = ${claimId}::uuid and d.claim_until > now() and d.email is not null
        and (select true from suppressions s where s.account_id = d.account_id and s.email_key = d.email_key and s.lifted_at is null limit 1) is null
      returning d.id::text`)
    const ids = new Set(mine.map(({ id }) => id))
    const kept = JSON.stringify(rows.filter(({ id }) => ids.has(id)))
    await tx.execute(sql`
      insert into ${deliveryContents} (delivery_id, account_id, subject, html, text, sha256)
      select m.id, ${accountId}::uuid, m.subject, decode(m.html, 'hex'), decode(m.text, 'hex'), decode(m.sha256, 'hex')
      from jsonb_to_recordset(${kept}::text::jsonb) as m (id uuid, subject text, html text, text text, sha256 text)
      on conflict (delivery_id) do update set subject = excluded.subject, html = excluded.html, text = excluded.text, sha256 = excluded.sha256`)
    return ids
  })
