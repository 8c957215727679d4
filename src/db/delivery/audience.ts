import { and, eq, inArray, isNull, sql as drizzled, type SQL } from 'drizzle-orm'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { PendingQuery, Row } from 'postgres'
import { FairleadError } from '../../domain/errors.ts'
import type { MessageAudience } from '../../domain/message.ts'
import * as accounts from '../account.ts'
import type { Database, Sql } from '../database.ts'
import { refuses } from '../optOut/refuses.ts'
import { matching } from '../record/read.ts'
import { live } from '../record/row.ts'
import type { SecretBox } from '../secret.ts'
import { lists as listRows } from '../schema.ts'
import * as segments from '../segment.ts'

/** A query as part of another one of the driver. */
export type Fragment = PendingQuery<Row[]>

const dialect = new PgDialect({ casing: 'snake_case' })

/** A condition of drizzle as a fragment of the driver: the texts between its parameters, and these in their order. */
const fragmentOf = (sql: Sql, query: SQL): Fragment => {
  const { sql: text, params } = dialect.sqlToQuery(query)
  const texts = text.split(/\$\d+/)
  const template = Object.assign(texts, { raw: texts })
  return sql(template, ...(params as never[]))
}

const none = drizzled`select records.id, records.email_key from records where false`
const union = (parts: SQL[]): SQL => (parts.length === 0 ? none : drizzled.join(parts, drizzled` union all `))

const gone = (what: string): FairleadError =>
  new FairleadError('audienceGone', { detail: `A ${what} of the audience was removed.` })

const isGone = (error: unknown): boolean => error instanceof FairleadError && error.code === 'notFound'

type Opening = { db: Database; secrets: SecretBox; accountId: string; now: Date }

const ofSegment = async ({ db, secrets, accountId, now }: Opening, segmentId: string): Promise<SQL> => {
  const { segment, list } = await segments.open(db, accountId, segmentId).catch((error: unknown) => {
    throw isGone(error) ? gone('segment') : error
  })
  const { timeZone } = await accounts.get(db, accountId)
  const query = { filter: segment.definition, clock: { now, timeZone } }
  return (await matching(db, secrets, accountId, list, query))!
}

/** Who is on these lists or in these segments. A segment finds people by its filter as it is now. */
const members = async (opening: Opening, listIds: readonly string[], segmentIds: readonly string[]): Promise<SQL> => {
  const { db, accountId } = opening
  const known = and(eq(listRows.accountId, accountId), isNull(listRows.removedAt))
  const found = listIds.length === 0 ? 0 : await db.$count(listRows, and(known, inArray(listRows.id, [...listIds])))
  if (found < listIds.length) throw gone('list')
  const conditions = listIds.map((listId) => live(accountId, listId)!)
  for (const segmentId of segmentIds) conditions.push(await ofSegment(opening, segmentId))
  return union(conditions.map((each) => drizzled`select records.id, records.email_key from records where ${each}`))
}

/** An address that a mail server could take, as domain/typed.ts has it; R34. Not in angle brackets: those go on the way, and it is another one's, who may be suppressed. */
const addressPattern = String.raw`^[^\s@"<>]+@[^\s@"<>]+$`
const longestAddress = 320

/**
 * Opens the audience of a message: everybody of its lists and segments less everybody of the others, by record and by address. What it answers makes the
 * query: each record once, as `record_id, list_id, email, email_key, crm_entity, crm_id` and `skip`, the reason why it is not mailed (R34), or null. Of
 * several records with an address one is mailed: a contact before a lead before others, then the oldest (R31). One pass over the sets, no query a record; to be
 * run without nested loops. Errors: audienceGone, segmentBroken.
 */
export const openAudience = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  { lists: listIds, segments: segmentIds, withoutLists, withoutSegments }: MessageAudience,
): Promise<(sql: Sql) => Fragment> => {
  const opening = { db, secrets, accountId, now: new Date() }
  const included = await members(opening, listIds, segmentIds)
  const excluded = await members(opening, withoutLists, withoutSegments)
  return (sql) => sql`
    with included as materialized (${fragmentOf(sql, included)}),
    excluded as materialized (${fragmentOf(sql, excluded)}),
    chosen as materialized (
      select r.id, r.list_id, nullif(trim(r.fields ->> 'c1'), '') as email, r.email_key, r.crm_entity, r.crm_id, ${refuses(sql, 'r')} as refuses
      from records r
      where r.id in (select id from included)
        and not exists (select from excluded x where x.id = r.id)
        and not exists (select from excluded x where x.email_key = r.email_key)),
    opted as materialized (
      select distinct o.email_key from records o
      where o.list_id in (select l.id from lists l where l.account_id = ${accountId}::uuid and l.removed_at is null)
        and o.removed_at is null and o.email_key is not null and ${refuses(sql, 'o')}),
    judged as (
      select c.*, case
        when c.email_key is null then 'noEmail'
        when c.email !~ ${addressPattern}::text or length(c.email) > ${longestAddress} then 'invalidEmail'
        when c.email_key in (select e.hash from erased_people e where e.account_id = ${accountId}::uuid) then 'erased'
        when c.email_key in (select s.email_key from suppressions s where s.account_id = ${accountId}::uuid and s.lifted_at is null) then 'suppressed'
        when c.refuses or c.email_key in (select email_key from opted) then 'optedOut' end as reason
      from chosen c)
    select id as record_id, list_id, email, email_key, crm_entity, crm_id, case
      when reason is not null then reason
      when row_number() over (partition by email_key
        order by case crm_entity when 'contact' then 0 when 'lead' then 1 else 2 end, id) > 1 then 'duplicateAddress' end as skip
    from judged`
}
