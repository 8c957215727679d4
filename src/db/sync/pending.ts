import type { Database, Sql } from '../database.ts'
import { mappingOf } from '../quarantine/mapping.ts'
import type { SyncPlan } from './plan.ts'
import { rowColumns, toSyncRow, withPeople, type SyncRow } from './rows.ts'

type Raw = Parameters<typeof toSyncRow>[0]
export type PutOff = SyncRow & { tries: number }

/** Columns whose edits go out, on either entity. */
const pushedKeys = ({ of }: SyncPlan): string[] => [
  ...new Set([...of.lead.columns, ...of.contact.columns].filter(({ pushed }) => pushed).map(({ key }) => key)),
]

/** What an undo holds is not pending (domain/sync.ts). */
const isEdited = (sql: Sql, plan: SyncPlan) => {
  const keys = pushedKeys(plan)
  if (keys.length === 0) return sql`false`
  const ticked = sql`string_to_array(${keys.join('\n')}::text, E'\n')`
  return sql`r.agreed ?| ${ticked} and exists (select from jsonb_each(r.agreed) e where e.key = any(${ticked}) and not e.value ? 'h')`
}

/**
 * Records that a push looks at: not linked yet, or edited here in a ticked column; neither removed nor gone from the CRM, nor parked as they are now
 * (R23), unless this run tries them for all. In the order of ids.
 */
export const pagePending = async (
  db: Database,
  plan: SyncPlan,
  runId: string,
  after: string | null,
  limit: number,
): Promise<SyncRow[]> => {
  const sql = db.$client
  const edited = isEdited(sql, plan)
  const rows = await sql<Raw[]>`
    select ${rowColumns(sql)} from ${withPeople(sql, plan.connectionId)}
    where r.list_id = ${plan.listId}::uuid and (r.agreed <> '{}' or r.crm_id is null) and r.removed_at is null
      and (r.crm_id is null or (p.state is distinct from 'deletedInCrm' and ${edited})) and ${after === null ? sql`true` : sql`r.id > ${after}::uuid`}
      and not exists (select from parked_records k where k.record_id = r.id and k.version = r.version and k.mapping = ${mappingOf(plan)}
        and k.probe_run_id is distinct from ${runId}::uuid)
    order by r.id limit ${limit}`
  return rows.map(toSyncRow)
}

/** Puts off, due at once, those of the given records that a push would look at. Answers how many. */
export const takeGiven = async (db: Database, plan: SyncPlan, runId: string, recordIds: string[]): Promise<number> => {
  const sql = db.$client
  const rows = await sql`
    insert into put_off (run_id, record_id, account_id)
    select ${runId}::uuid, r.id, r.account_id from ${withPeople(sql, plan.connectionId)}
    where r.id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[]) and r.list_id = ${plan.listId}::uuid and r.removed_at is null
      and (r.crm_id is null or (p.state is distinct from 'deletedInCrm' and ${isEdited(sql, plan)}))
    on conflict do nothing returning 1`
  return rows.count
}

/** How many a push will look at: for the progress. */
export const countPending = async (db: Database, listId: string): Promise<number> => {
  const sql = db.$client
  const [found] = await sql<{ count: number }[]>`
    select count(*)::int as count from records r
    where r.list_id = ${listId}::uuid and (r.agreed <> '{}' or r.crm_id is null) and r.removed_at is null
      and (r.crm_id is null or jsonb_path_exists(r.agreed, '$.* ? (!exists(@.h))'))`
  return found!.count
}

/** Those put off whose time has come, the longest waiting first, and when the next one is due (milliseconds from now; null for none). */
export const pagePutOff = async (
  db: Database,
  plan: SyncPlan,
  runId: string,
  limit: number,
): Promise<{ rows: PutOff[]; nextMs: number | null }> => {
  const sql = db.$client
  const rows = await sql<(Raw & { tries: number })[]>`
    select ${rowColumns(sql)}, o.tries from put_off o join ${withPeople(sql, plan.connectionId)} on r.id = o.record_id
    where o.run_id = ${runId}::uuid and o.due_at <= now() order by o.due_at, r.id limit ${limit}`
  const [next] = await sql<{ ms: number | null }[]>`
    select (extract(epoch from min(due_at) - now()) * 1000)::int as ms from put_off where run_id = ${runId}::uuid`
  return { rows: rows.map(({ tries, ...row }) => ({ ...toSyncRow(row), tries })), nextMs: next?.ms ?? null }
}

export type Delay = { recordId: string; tries: number; afterMs: number }

export const putOff = async (sql: Sql, plan: SyncPlan, runId: string, delays: Delay[]): Promise<void> => {
  if (delays.length === 0) return
  await sql`
    insert into put_off (run_id, record_id, account_id, tries, due_at)
    select distinct on (d.record_id) ${runId}::uuid, d.record_id, ${plan.accountId}::uuid, d.tries, now() + make_interval(secs => d.after_ms / 1000.0)
    from jsonb_to_recordset(${JSON.stringify(
      delays.map(({ recordId, tries, afterMs }) => ({ record_id: recordId, tries, after_ms: afterMs })),
    )}::text::jsonb) as d (record_id uuid, tries int, after_ms int)
    order by d.record_id, d.after_ms
    on conflict (run_id, record_id) do update set tries = excluded.tries, due_at = excluded.due_at`
}

export const takeUp = async (sql: Sql, runId: string, recordIds: string[]): Promise<void> => {
  if (recordIds.length === 0) return
  await sql`
    delete from put_off where run_id = ${runId}::uuid and record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[])`
}
