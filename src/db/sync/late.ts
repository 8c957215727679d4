import type { CrmEntity } from '../../domain/crm.ts'
import type { Database, Sql } from '../database.ts'

type Of = { accountId: string; listId: string }

/** People whom the next sync of the list reads by id, whatever their ModifyDate says (R14). */
export const keepLate = async (
  sql: Sql,
  { accountId, listId }: Of,
  entity: CrmEntity,
  ids: string[],
): Promise<void> => {
  if (ids.length === 0) return
  await sql`
    insert into late_rows (list_id, entity, crm_id, account_id)
    select ${listId}::uuid, ${entity}, id, ${accountId}::uuid from unnest(string_to_array(${ids.join('\n')}::text, E'\n')) as x (id)
    on conflict do nothing`
}

export const forgetLate = async (sql: Sql, listId: string, entity: CrmEntity, ids: string[]): Promise<void> => {
  await sql`
    delete from late_rows where list_id = ${listId}::uuid and entity = ${entity}
      and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))`
}

/** Ids of people to be read by id: owed ones, or (`others`) those of records that are linked to the other entity. In the order of ids. */
export const pageIds = async (
  db: Database,
  { listId }: Of,
  kind: 'late' | 'others',
  entity: CrmEntity,
  after: string | null,
  limit: number,
): Promise<string[]> => {
  const sql = db.$client
  const beyond = after === null ? sql`true` : sql`crm_id > ${after}`
  const rows =
    kind === 'late'
      ? await sql<{ crm_id: string }[]>`
          select crm_id from late_rows where list_id = ${listId}::uuid and entity = ${entity} and ${beyond} order by crm_id limit ${limit}`
      : await sql<{ crm_id: string }[]>`
          select crm_id from records where list_id = ${listId}::uuid and crm_entity = ${entity} and removed_at is null and ${beyond}
          order by crm_id limit ${limit}`
  return rows.map((row) => row.crm_id)
}

/** How many people a sync of the list reads by id. */
export const countIds = async (
  db: Database,
  { listId }: Of,
  own: CrmEntity,
): Promise<{ late: number; others: number }> => {
  const [found] = await db.$client<{ late: number; others: number }[]>`
    select (select count(*) from late_rows where list_id = ${listId}::uuid and entity = ${own})::int as late,
      (select count(*) from records where list_id = ${listId}::uuid and crm_entity = ${own === 'lead' ? 'contact' : 'lead'}
        and removed_at is null)::int as others`
  return found!
}

/** How many records a run has marked as gone. */
export const countDeleted = async (db: Database, runId: string): Promise<number> => {
  const [found] = await db.$client<{ count: number }[]>`
    select coalesce(sum(deleted), 0)::int as count from lanes where run_id = ${runId}::uuid`
  return found?.count ?? 0
}
