import type { KeyObject } from 'node:crypto'
import type { Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import { hexes, isOneOf, uuids, type Whole } from './subject.ts'

/**
 * What was sent goes, with who looked at it. The delivery stays as a count, under the hash of the address alone, so that the unsubscribe link in the mail
 * still works, and another sender's under an id that is no one's; one that is still to be sent is skipped by its run, which counts it,
 * and so is its note.
 */
export const eraseDeliveries = async (
  sql: Sql,
  whole: Whole,
): Promise<{ deliveries: number; previews: number; notes: number }> => {
  const { accountId, emails, people, recordIds } = whole
  const rows = await sql<{ id: string }[]>`
    update deliveries set email = null, record_id = null, crm_entity = null, crm_id = null, erased_at = coalesce(erased_at, now()),
      external_id = case when external_id is not null then 'erased:' || id end
    where account_id = ${accountId}::uuid and (email_key = ${hexes(sql, emails)} or record_id = ${uuids(sql, recordIds)} or ${isOneOf(sql, people)})
    returning id::text`
  const ids = uuids(
    sql,
    rows.map(({ id }) => id),
  )
  const { count: previews } = await sql`delete from delivery_contents where delivery_id = ${ids}`
  await sql`delete from preview_views where delivery_id = ${ids}`
  const { count: notes } = await sql`
    update notes set crm_entity = null, crm_id = null, note_id = null, crm = null, warnings = '[]', claim_id = null, claim_until = null
    where account_id = ${accountId}::uuid and delivery_id = ${ids}`
  return { deliveries: rows.length, previews, notes }
}

/** Tests of messages: none shows values of the person, and none that is still under way goes to them. */
export const forgetTests = async (sql: Sql, whole: Whole, hashKey: KeyObject): Promise<void> => {
  const { accountId, emails, recordIds } = whole
  await sql`
    update message_tests set record_id = null where account_id = ${accountId}::uuid and record_id = ${uuids(sql, recordIds)}`
  const waiting = await sql<{ id: string; recipients: string[] }[]>`
    select id::text, recipients from message_tests where account_id = ${accountId}::uuid and state = 'waiting'`
  for (const { id, recipients } of waiting)
    for (const email of recipients.filter((each) => emails.includes(emailHexOf(hashKey, each))))
      await sql`update message_tests set recipients = recipients - ${email}::text where id = ${id}::uuid`
}

/** What the person filled in. One under way is given up. */
export const emptySubmissions = async (sql: Sql, whole: Whole): Promise<number> => {
  const { accountId, emails, recordIds } = whole
  const { count } = await sql`
    update submissions set answers = '{}', results = '[]', warnings = '[]', crm = null, detail = null, email_key = null, record_id = null, token = null,
      language = null, claim_id = null, code = case when state in ('pushed', 'stored') then null else 'erased' end,
      state = case when state in ('pushed', 'stored') then state else 'rejected' end, settled_at = coalesce(settled_at, now())
    where account_id = ${accountId}::uuid and (email_key = ${hexes(sql, emails)} or record_id = ${uuids(sql, recordIds)})`
  return count
}

/** The hash of the address stays: nobody mails it, whatever becomes of the rest (R40). */
export const keepHashes = async (sql: Sql, whole: Whole): Promise<{ suppressions: number; optOuts: number }> => {
  const mine = sql`account_id = ${whole.accountId}::uuid and email_key = ${hexes(sql, whole.emails)}`
  const { count: suppressions } = await sql`
    update suppressions set email = null, evidence = null, lift_evidence = null where ${mine}`
  const { count: optOuts } = await sql`
    update opt_outs set email = null, results = '[]', crm = null, code = case when state in ('waiting', 'held') then 'erased' else code end,
      settled_at = coalesce(settled_at, now()), state = case when state in ('waiting', 'held') then 'rejected' else state end
    where ${mine}`
  return { suppressions, optOuts }
}
