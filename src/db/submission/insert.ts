import { sql } from 'drizzle-orm'
import type { Answers } from '../../domain/form.ts'
import type { Database } from '../database.ts'
import type { Form } from '../form/read.ts'
import type { Transaction } from '../outbox.ts'

type NewSubmission = {
  form: Pick<Form, 'id' | 'accountId' | 'definition'>
  version: number
  answers: Answers
  /** of the address, R2; null without one */
  emailKey: Buffer | null
  language: string | null
  /** of the page that it was sent from; a second one with the same token stores nothing */
  token?: string | null | undefined
  apiKeyId?: string | null | undefined
}

/**
 * F3: stores a submission and, with it, what wakes the drainer, in one statement, unless it is awake (db/submission/wake.ts). `repeated`: the token was used before; `id` is then that of the first
 * submission.
 */
export const insert = async (
  db: Database | Transaction,
  { form, version, answers, emailKey, language, token = null, apiKeyId = null }: NewSubmission,
): Promise<{ id: string; repeated: boolean }> => {
  const { id: formId, accountId, definition } = form
  const [made] = await db.execute<{ id: string }>(sql`
    with made as (
      insert into submissions (account_id, form_id, version, answers, email_key, language, token, api_key_id)
      values (${accountId}, ${formId}, ${version}, ${JSON.stringify(answers)}::text::jsonb,
        decode(${emailKey?.toString('hex') ?? null}::text, 'hex'), ${language}, ${token}, ${apiKeyId})
      on conflict (form_id, token) where token is not null do nothing
      returning id
    ), target as (
      select (select id from connections where account_id = ${accountId} and active and ${definition.push}::boolean) as id
    ), awake as (
      -- one that looks by itself is not woken; it cannot go to sleep before this is committed and can be seen
      select awake_until > now() as awake from drainers
      where id = (select coalesce(target.id, ${accountId}::uuid) from target) for share
    ), woken as (
      insert into outbox (account_id, kind, name, workflow_id, input)
      select ${accountId}, 'wake', 'drainForms', 'forms:' || coalesce(target.id, ${accountId}::uuid),
        jsonb_strip_nulls(jsonb_build_object('accountId', ${accountId}::text, 'connectionId', target.id))
      from made, target where not coalesce((select awake from awake), false)
    )
    select id::text as id from made`)
  if (made !== undefined) return { id: made.id, repeated: false }
  const [first] = await db.execute<{ id: string }>(
    sql`select id::text as id from submissions where form_id = ${formId} and token = ${token}`,
  )
  return { id: first!.id, repeated: true }
}
