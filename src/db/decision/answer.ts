import type { CrmEntity } from '../../domain/crm.ts'
import type { Database } from '../database.ts'

export type Chosen = { entity: CrmEntity; id: string }

/** Whom people have chosen for these records, by record. */
export const answersOf = async (
  { $client: sql }: Database,
  recordIds: readonly string[],
): Promise<Map<string, Chosen>> => {
  if (recordIds.length === 0) return new Map()
  const rows = await sql<{ recordId: string; entity: CrmEntity; id: string }[]>`
    select distinct on (record_id) record_id::text as "recordId", chosen_entity as entity, chosen_id as id from decisions
    where record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[]) and kind = 'match' and decided_at is not null
      and chosen_id is not null
    order by record_id, id desc`
  return new Map(rows.map(({ recordId, ...chosen }) => [recordId, chosen]))
}

/** Who took over from people who are gone, as people have said, by the id of who is gone; null for nobody. */
export const successorAnswers = async (
  { $client: sql }: Database,
  accountId: string,
  entity: CrmEntity,
  ids: readonly string[],
): Promise<Map<string, string | null>> => {
  const rows = await sql<{ crmId: string; chosen: string | null }[]>`
    select distinct on (crm_id) crm_id as "crmId", chosen_id as chosen from decisions
    where account_id = ${accountId}::uuid and kind = 'successor' and crm_entity = ${entity} and decided_at is not null
      and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))
    order by crm_id, id desc`
  return new Map(rows.map(({ crmId, chosen }) => [crmId, chosen]))
}

/** Closes what answered itself without a write to the record: it was removed or linked, or the person is back, or taken to be deleted. */
export const closeSettled = async ({ $client: sql }: Database, accountId: string, listId: string): Promise<void> => {
  await sql`
    update decisions d set closed_at = now() where d.account_id = ${accountId}::uuid and d.list_id = ${listId}::uuid and d.closed_at is null
      and not exists (
        select from records r join lists l on l.id = r.list_id
        left join crm_people p on p.connection_id = l.connection_id and p.entity = r.crm_entity and p.crm_id = r.crm_id
        where r.id = d.record_id and r.removed_at is null and case when d.kind = 'match' then r.crm_id is null
          else r.crm_entity = d.crm_entity and r.crm_id = d.crm_id and p.state in ('converted', 'merged') end)`
}
