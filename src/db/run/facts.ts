import { compareSets, type Database } from '../database.ts'
import { markPrefix } from '../erasure/skip.ts'
import type { Run } from './state.ts'

export type Facts = {
  crmTotal: number | null
  listTotal: number
  createdRecords: number
  createdLeads: number
  listed: number
  came: number
  gone: number
  unread: number
  unwanted: number
  removed: number
  erased: number
  unresolved: number
  missing: number
  extra: number
  duplicateEmail: number
}

/** Each figure is counted on its own, none is derived from another: only then do equal sums prove anything. */
export const factsOf = (db: Database, run: Run): Promise<Facts> =>
  compareSets(db, async (sql) => {
    const [facts] = await sql<[Facts]>`
      with swept as materialized (
        select distinct k.crm_id from swept_keys s cross join lateral unnest(string_to_array(s.keys, E'\n')) as k (crm_id) where s.run_id = ${run.id}),
      own as materialized (
        select r.crm_id, r.removed_at, p.crm_id is not null as gone, r.created_run_id = ${run.id} as made
        from records r left join crm_people p on p.connection_id = ${run.connectionId} and p.entity = r.crm_entity and p.crm_id = r.crm_id
        where r.list_id = ${run.listId} and r.crm_entity = ${run.entity} and r.crm_id is not null),
      said as materialized (select code, kind, phase, crm_id from entries where last_run_id = ${run.id} and list_id = ${run.listId}),
      seen as materialized (select crm_id from swept union select crm_id from said where code = 'cameDuring'),
      unread as materialized (select distinct crm_id from said where code = 'crmFailed'),
      unwanted as materialized (select distinct crm_id from said where code = 'notAdded'),
      present as materialized (select crm_id from seen except select crm_id from said where code in ('goneDuring', 'crmFailed', 'notAdded'))
      select
        case when (select bool_and(done) from lanes where run_id = ${run.id} and phase = 'sweep') then (select count(*) from swept)::int end as "crmTotal",
        (select count(*) from own where not gone and removed_at is null)::int as "listTotal",
        (select count(*) from own where made)::int as "createdRecords",
        (select count(*) from said where kind = 'created' and phase = 'push')::int as "createdLeads",
        (select count(*) from said where kind in ('skipped', 'rejected'))::int as listed,
        (select count(*) from said where code = 'cameDuring')::int as came,
        (select count(*) from said where code = 'goneDuring')::int as gone,
        (select count(*) from unread u join swept s on s.crm_id = u.crm_id
          where not exists (select from own o where o.crm_id = u.crm_id))::int as unread,
        (select count(*) from unwanted u join swept s on s.crm_id = u.crm_id
          where not exists (select from own o where o.crm_id = u.crm_id))::int as unwanted,
        (select count(*) from own o join seen s on s.crm_id = o.crm_id where o.removed_at is not null and not o.gone)::int as removed,
        (select count(*) from own o where not o.gone and o.removed_at is null and not exists (select from seen s where s.crm_id = o.crm_id)
          and exists (select from unread u where u.crm_id = o.crm_id))::int as unresolved,
        (select count(*) from present where crm_id like ${`${markPrefix}%`})::int as erased,
        (select count(*) from present p where p.crm_id not like ${`${markPrefix}%`}
          and not exists (select from own o where o.crm_id = p.crm_id))::int as missing,
        (select count(*) from own o where not o.gone and o.removed_at is null and not exists (select from present p where p.crm_id = o.crm_id)
          and not exists (select from unread u where u.crm_id = o.crm_id)
          and not exists (select from unwanted u where u.crm_id = o.crm_id))::int as extra,
        (select coalesce(sum(n), 0) from (select count(*) as n from records where list_id = ${run.listId} and email_key is not null and removed_at is null
          group by email_key having count(*) > 1) d)::int as "duplicateEmail"`
    return facts
  })

export type SyncFacts = {
  createdRecords: number
  createdLeads: number
  listed: number
  merged: number
}

/** What a sync's ledger needs: counted from what the run wrote, never from the whole list. A preview writes nothing but entries. */
export const syncFactsOf = async (db: Database, run: Run): Promise<SyncFacts> => {
  const sql = db.$client
  // Ids are in order of time: what the run made lies behind the run's own id.
  const made =
    run.kind === 'preview'
      ? sql`(select count(*) from said where kind = 'created' and phase = 'pull')::int`
      : sql`(select count(*) from records where list_id = ${run.listId} and id > ${run.id} and created_run_id = ${run.id})::int`
  const [facts] = await sql<[SyncFacts]>`
    with said as materialized (select code, kind, phase, warnings from entries where last_run_id = ${run.id} and list_id = ${run.listId})
    select
      ${made} as "createdRecords",
      (select count(*) from said where kind = 'created' and phase = 'push')::int as "createdLeads",
      (select count(*) from said where kind in ('skipped', 'rejected'))::int as listed,
      (select count(*) from said where warnings @> '[{"code":"mergedIntoRecord"}]' and not warnings @> '[{"code":"restored"}]')::int as merged`
  return facts
}
