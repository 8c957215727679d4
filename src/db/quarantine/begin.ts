import type { Database, Sql } from '../database.ts'
import { addWarnings } from '../run/warning.ts'
import type { SyncPlan } from '../sync/plan.ts'
import { ofMembers } from '../sync/member.ts'
import { withPeople } from '../sync/rows.ts'
import { isMappedAsThen } from './mapping.ts'

/** Whether records of a list are parked. */
export const isUsed = async (db: Database, listId: string): Promise<boolean> => {
  const [found] = await db.$client`select from parked_records where list_id = ${listId}::uuid and mapping <> '' limit 1`
  return found !== undefined
}

/**
 * Those that changed since, or whose mapping did, are looked at by this run like any other. Until it has settled them they are remembered without a
 * mapping, so that one that is rejected for its cause again is parked again; what no push looks at any more is forgotten.
 */
const releaseChanged = async (sql: Sql, plan: SyncPlan, runId: string): Promise<void> => {
  await sql`
    delete from parked_records k where k.list_id = ${plan.listId}::uuid and (k.mapping = '' and k.probe_run_id is distinct from ${runId}::uuid
      or not exists (
        select from ${withPeople(sql, plan.connectionId)}
        where r.id = k.record_id and r.removed_at is null and p.state is distinct from 'deletedInCrm'))`
  await sql`
    update parked_records k set mapping = '', probe_run_id = ${runId}::uuid from records r
    where k.list_id = ${plan.listId}::uuid and r.id = k.record_id and (not ${isMappedAsThen(sql, plan)} or k.version <> r.version)
      and ${ofMembers(sql, plan, runId, sql`k.record_id`)}`
}

/** One of each cause, the one that waited longest; a repeated call finds those of the first. */
const chooseProbes = (sql: Sql, plan: SyncPlan, runId: string) => sql`
  with chosen as (
    select distinct on (code, detail) record_id from parked_records
    where list_id = ${plan.listId}::uuid and mapping <> '' and ${ofMembers(sql, plan, runId, sql`parked_records.record_id`)}
    order by code, detail, coalesce(probe_run_id = ${runId}::uuid, false) desc, probe_run_id nulls first, parked_at, record_id)
  update parked_records k set probe_run_id = ${runId}::uuid from chosen c where k.record_id = c.record_id`

/** Once, though the step may be repeated. */
const say = async (sql: Sql, { listId }: SyncPlan, runId: string, parked: number): Promise<number> => {
  const [run] = await sql<[{ said: boolean }]>`
    select warnings @> '[{"code":"parked"}]' as said from runs where id = ${runId}::uuid for no key update`
  if (parked > 0 && !run.said) await addWarnings(sql, { runId, listId }, [{ code: 'parked', count: parked }])
  return parked
}

/** For a preview, which changes nothing and tries none for its cause: how many it leaves out, which a warning of the run says. */
export const leaveOut = (db: Database, plan: SyncPlan, runId: string): Promise<number> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const [{ parked }] = await sql<[{ parked: number }]>`
      select count(*)::int as parked from parked_records k join records r on r.id = k.record_id
      where k.list_id = ${plan.listId}::uuid and k.version = r.version and ${isMappedAsThen(sql, plan)} and r.removed_at is null
        and ${ofMembers(sql, plan, runId, sql`r.id`)}`
    return say(sql, plan, runId, parked)
  }) as Promise<number>

/**
 * R23, before a push: parked records of which something changed are parked no more; of each cause one is tried, and the others are left out, which a
 * warning of the run says. Answers how many; may be called again.
 */
export const begin = (db: Database, plan: SyncPlan, runId: string): Promise<number> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    await releaseChanged(sql, plan, runId)
    await chooseProbes(sql, plan, runId)
    const [{ parked }] = await sql<[{ parked: number }]>`
      select count(*)::int as parked from parked_records where list_id = ${plan.listId}::uuid and probe_run_id is distinct from ${runId}::uuid
        and ${ofMembers(sql, plan, runId, sql`parked_records.record_id`)}`
    return say(sql, plan, runId, parked)
  }) as Promise<number>
