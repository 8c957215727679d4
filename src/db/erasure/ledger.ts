import type { Sql } from '../database.ts'
import { markPrefix } from './skip.ts'
import { hexes, isOneOf, texts, uuids, type Whole } from './subject.ts'

/**
 * Entries stay, since ledgers count them, and name nobody any more. Of a run under way a mark stands for the CRM's key, with which keys are still to be
 * compared. `marks`: of each person, in their order.
 */
export const cleanseEntries = async (sql: Sql, whole: Whole, marks: readonly string[]): Promise<number> => {
  const { accountId, emails, people, recordIds } = whole
  const { count } = await sql`
    update entries e set record_id = null, email_key = null, changes = null, warnings = null, crm = null, row = null,
      crm_entity = case when m.mark is not null then e.crm_entity end, crm_id = m.mark
    from entries o left join runs r on r.id = o.last_run_id and r.state in ('queued', 'running', 'held')
      left join unnest(string_to_array(${people.join('\n')}::text, E'\n'), string_to_array(${marks.join('\n')}::text, E'\n')) as m (person, mark)
        on r.id is not null and m.person = o.crm_entity || ':' || o.crm_id
    where e.id = o.id and o.account_id = ${accountId}::uuid and (o.crm_id is null or o.crm_id not like ${`${markPrefix}%`})
      and (o.record_id = ${uuids(sql, recordIds)} or o.email_key = ${hexes(sql, emails)}
        or (o.crm_id = ${texts(
          sql,
          people.map((each) => each.slice(each.indexOf(':') + 1)),
        )} and o.crm_entity || ':' || o.crm_id = ${texts(sql, people)}))`
  return count
}

/** What is asked of people here: questions about the person go, and the person goes from questions about others. */
export const cleanseDecisions = async (sql: Sql, whole: Whole): Promise<number> => {
  const { accountId, people, recordIds } = whole
  const { count: gone } = await sql`
    delete from decisions where account_id = ${accountId}::uuid and (record_id = ${uuids(sql, recordIds)} or ${isOneOf(sql, people)})`
  const { count: others } = await sql`
    update decisions d set
      candidates = coalesce((select jsonb_agg(c) from jsonb_array_elements(d.candidates) c where (c->>'entity') || ':' || (c->>'id') <> all(${list(sql, people)})), '[]'),
      chosen_entity = case when d.chosen_entity || ':' || d.chosen_id = ${texts(sql, people)} then null else d.chosen_entity end,
      chosen_id = case when d.chosen_entity || ':' || d.chosen_id = ${texts(sql, people)} then null else d.chosen_id end,
      closed_at = coalesce(d.closed_at, now())
    where d.account_id = ${accountId}::uuid and exists (
      select from jsonb_array_elements(d.candidates) c where (c->>'entity') || ':' || (c->>'id') = ${texts(sql, people)})`
  return gone + others
}

const list = (sql: Sql, people: readonly string[]) => sql`string_to_array(${people.join('\n')}::text, E'\n')`

/** What is known of the person in the CRM, and who reads or creates it. */
export const forgetPeople = async (sql: Sql, whole: Whole): Promise<void> => {
  const { accountId, emails, people, recordIds } = whole
  await sql`delete from late_rows where account_id = ${accountId}::uuid and ${isOneOf(sql, people, 'entity', 'crm_id')}`
  await sql`
    delete from crm_people where account_id = ${accountId}::uuid
      and (${isOneOf(sql, people, 'entity', 'crm_id')} or ${isOneOf(sql, people, 'successor_entity', 'successor_id')})`
  await sql`
    delete from creations where account_id = ${accountId}::uuid
      and (email_key = ${hexes(sql, emails)} or record_id = ${uuids(sql, recordIds)} or ${isOneOf(sql, people)})`
}
