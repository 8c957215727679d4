import type { KeyObject } from 'node:crypto'
import type { CrmPage } from '../../domain/crm.ts'
import type { Heir } from '../../domain/gone.ts'
import { compareSets, type Database, type Sql } from '../database.ts'
import { isErasedId, type Erased } from '../erasure/known.ts'
import { markOf, markPrefix } from '../erasure/skip.ts'
import * as lanes from '../lane.ts'
import { addWarnings } from '../run/warning.ts'
import { lockPeople } from '../sync/rows.ts'

export type SweepTarget = { accountId: string; listId: string; connectionId: string; entity: 'lead' | 'contact' }

/**
 * A page of keys, one a line; a million keys are a thousand rows. Keys of rows that the CRM cannot deliver count as seen: they are there,
 * and to be explained.
 */
export const storeKeys = (
  db: Database,
  target: Pick<SweepTarget, 'accountId' | 'listId' | 'entity'> & { hashKey: KeyObject; erased: Erased },
  key: lanes.LaneKey,
  page: CrmPage<string>,
  number: number,
): Promise<{ cancelRequested: boolean }> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const { accountId, listId } = target
    const seen = [...page.rows, ...page.unreadable.map(({ id }) => id)]
    // erased people are there, and explained, by a mark that only says so
    const keys = target.erased === null ? seen : seen.map((id) => (isErasedId(target, id) ? markOf(target, id) : id))
    if (keys.length > 0) {
      await sql`
        insert into swept_keys (run_id, lane, page, account_id, keys)
        values (${key.runId}, ${key.lane}, ${number}, ${accountId}, ${keys.join('\n')})`
    }
    await addWarnings(sql, { runId: key.runId, listId }, page.warnings)
    const counts = { ...lanes.noLaneCounts(), keys: keys.length }
    return lanes.advance(sql, key, { cursor: page.next, done: page.next === null, counts })
  })

const swept = (sql: Sql, runId: string) => sql`
  swept as materialized (
    select distinct k.crm_id from swept_keys s cross join lateral unnest(string_to_array(s.keys, E'\n')) as k (crm_id)
    where s.run_id = ${runId})`

/** Live records of the list's own entity: not removed here, not known to be deleted in the CRM, or taken over by one of several. */
const live = (sql: Sql, target: SweepTarget) => sql`
  live as materialized (
    select r.crm_id from records r
    where r.list_id = ${target.listId} and r.crm_entity = ${target.entity} and r.crm_id is not null and r.removed_at is null
      and not exists (select from crm_people p where p.connection_id = ${target.connectionId} and p.entity = r.crm_entity and p.crm_id = r.crm_id
        and (p.state = 'deletedInCrm' or p.successor_id is null)))`

/** Ids that this run has already accounted for, by a code. */
const settled = (sql: Sql, runId: string, target: SweepTarget) => sql`
  settled as materialized (
    select e.crm_id, e.code from entries e where e.list_id = ${target.listId} and e.last_run_id = ${runId}
      and e.code in ('goneDuring', 'cameDuring', 'crmFailed', 'notAdded'))`

/** `at`: by the database's clock. */
export type Differences = {
  at: string
  missing: string[]
  missingTotal: number
  extra: string[]
  extraTotal: number
  live: number
}

/** Which ids are on one side only, beyond those that the run has settled: at most `limit` of each, `after` this one, and how many in all. */
export const compare = (
  db: Database,
  runId: string,
  target: SweepTarget,
  limit: number,
  after = '',
): Promise<Differences> =>
  compareSets(db, async (sql) => {
    const [found] = await sql<[Differences]>`
    with ${swept(sql, runId)}, ${live(sql, target)}, ${settled(sql, runId, target)},
    missing as materialized (
      select s.crm_id from swept s
      where s.crm_id not like ${`${markPrefix}%`} and not exists (select from records r where r.list_id = ${target.listId} and r.crm_id = s.crm_id and r.crm_entity = ${target.entity})
        and not exists (select from settled e where e.crm_id = s.crm_id and e.code in ('goneDuring', 'crmFailed', 'notAdded'))),
    extra as materialized (
      select l.crm_id from live l
      where not exists (select from swept s where s.crm_id = l.crm_id)
        and not exists (select from settled e where e.crm_id = l.crm_id and e.code in ('cameDuring', 'crmFailed')))
    select clock_timestamp()::text as at, to_json(array(select crm_id from missing where crm_id > ${after} order by crm_id limit ${limit})) as missing, (select count(*) from missing)::int as "missingTotal",
      to_json(array(select crm_id from extra where crm_id > ${after} order by crm_id limit ${limit})) as extra, (select count(*) from extra)::int as "extraTotal",
      (select count(*) from live)::int as live`
    return found
  })

/** `startedAt`: when the run began, before it read any key. */
export type Swept = { id: string; startedAt: Date }

/** People who were taken to be gone before the run began, and whose keys the CRM shows again, are linked again (R15). */
export const relink = async (sql: Sql, { id: runId, startedAt }: Swept, target: SweepTarget): Promise<string[]> => {
  const marked = sql`p.connection_id = ${target.connectionId} and p.entity = ${target.entity} and p.since < ${startedAt.toISOString()}::timestamptz`
  const [gone] = await sql`select from crm_people p where ${marked} limit 1`
  if (gone === undefined) return []
  await lockPeople(sql, target.connectionId)
  const back = await sql<{ crm_id: string }[]>`
    with ${swept(sql, runId)}
    delete from crm_people p using swept s where ${marked} and p.crm_id = s.crm_id
    returning p.crm_id`
  return back.map((row) => row.crm_id)
}

/** `at`: by the database's clock. `said`: this run has listed the person as `goneDuring`, and nobody says so any more. */
export type Doubted = { at: string; people: { id: string; said: boolean }[] }

/**
 * People of the list of whom the run says one thing and the marks another: seen, and taken to be gone since the run began, perhaps before that, perhaps
 * after it; or gone while it read, and there again for another list.
 */
export const doubted = (db: Database, { id: runId, startedAt }: Swept, target: SweepTarget): Promise<Doubted> =>
  compareSets(db, async (sql) => {
    const [found] = await sql<[Doubted]>`
      with own as materialized (
        select r.crm_id, p.since from records r
        left join crm_people p on p.connection_id = ${target.connectionId} and p.entity = r.crm_entity and p.crm_id = r.crm_id
        where r.list_id = ${target.listId} and r.crm_entity = ${target.entity} and r.crm_id is not null),
      ${swept(sql, runId)}, ${settled(sql, runId, target)},
      seen as materialized (select crm_id from swept union select crm_id from settled where code = 'cameDuring'),
      gone as materialized (select crm_id from settled where code = 'goneDuring'),
      people as (
        select o.crm_id as id, false as said from own o join seen using (crm_id)
          where o.since >= ${startedAt.toISOString()}::timestamptz and not exists (select from gone g where g.crm_id = o.crm_id)
        union all
        select o.crm_id, true from own o join gone using (crm_id) where o.since is null)
      select clock_timestamp()::text as at, (select coalesce(json_agg(p order by id), '[]') from people p) as people`
    return found
  })

/** Of these people, those who are taken to be deleted already. */
export const countDeletedOf = async (
  { $client: sql }: Database,
  target: SweepTarget,
  ids: string[],
): Promise<number> => {
  const [found] = await sql<[{ count: number }]>`
    select count(*)::int as count from crm_people where connection_id = ${target.connectionId}::uuid and entity = ${target.entity}
      and state = 'deletedInCrm' and crm_id = any(string_to_array(${ids.join('\n')}::text, E'\n'))`
  return found.count
}

/**
 * Also of whoever was taken over by the `heir` that was asked for, and is gone, too; what another list has found out meanwhile stays. Answers who
 * was not marked so before.
 */
export const markDeleted = async (
  sql: Sql,
  runId: string,
  target: SweepTarget,
  people: readonly { id: string; heir: Heir | null }[],
): Promise<string[]> => {
  await lockPeople(sql, target.connectionId)
  const lines = (pick: (person: { id: string; heir: Heir | null }) => string) => people.map(pick).join('\n')
  const marked = await sql<{ crm_id: string }[]>`
    with x as materialized (
      select * from unnest(string_to_array(${lines(({ id }) => id)}::text, E'\n'),
        string_to_array(${lines(({ heir }) => (heir === null ? '' : `${heir.entity}:${heir.id}`))}::text, E'\n')) as x (id, heir)),
    renewed as (
      update crm_people p set state = 'deletedInCrm', successor_entity = null, successor_id = null, run_id = ${runId}::uuid, since = now()
      from x where p.connection_id = ${target.connectionId}::uuid and p.entity = ${target.entity} and p.crm_id = x.id
        and x.heir = p.successor_entity || ':' || p.successor_id
      returning p.crm_id),
    made as (
      insert into crm_people (connection_id, entity, crm_id, account_id, state, run_id)
      select ${target.connectionId}::uuid, ${target.entity}, id, ${target.accountId}::uuid, 'deletedInCrm', ${runId}::uuid from x
      on conflict (connection_id, entity, crm_id) do nothing returning crm_id)
    select crm_id from renewed union select crm_id from made`
  return marked.map((row) => row.crm_id)
}
