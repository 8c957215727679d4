import type { CrmEntity } from '../../domain/crm.ts'
import { isEdited } from '../../domain/sync.ts'
import type { Database, Sql } from '../database.ts'
import { isMappedAsThen } from '../quarantine/mapping.ts'
import { notSubmitted } from '../submission/claim.ts'
import type { Run } from '../run/state.ts'
import { ofMembers } from './member.ts'
import type { SyncPlan } from './plan.ts'
import { foreseenOf, rowColumns, toSyncRow, withPeople, type SyncRow } from './rows.ts'

type Raw = Parameters<typeof toSyncRow>[0]
export type PutOff = SyncRow & { tries: number }

/** Columns whose edits go out for people of an entity; with `all` also to people of the other one who have the address (R4). */
const pushedKeys = ({ of, sync }: SyncPlan, entity: CrmEntity): string[] => {
  const columns = sync.ambiguousMatch === 'all' ? [...of.lead.columns, ...of.contact.columns] : of[entity].columns
  return [...new Set(columns.filter(({ pushed }) => pushed).map(({ key }) => key))].sort((a, b) => (a < b ? -1 : 1))
}

/** What an undo holds is not pending (domain/sync.ts). */
const editedAmong = (sql: Sql, keys: readonly string[]) => {
  if (keys.length === 0) return sql`false`
  const ticked = sql`string_to_array(${keys.join('\n')}::text, E'\n')`
  return sql`r.agreed ?| ${ticked} and exists (select from jsonb_each(r.agreed) e where e.key = any(${ticked}) and not e.value ? 'h')`
}

const editedHere = (sql: Sql, plan: SyncPlan) => {
  const [lead, contact] = [pushedKeys(plan, 'lead'), pushedKeys(plan, 'contact')]
  return lead.join() === contact.join()
    ? editedAmong(sql, lead)
    : sql`case r.crm_entity when 'contact' then ${editedAmong(sql, contact)} else ${editedAmong(sql, lead)} end`
}

/** Not linked yet, or edited here in any way: what the index of pending records has, but for those that were removed. */
const isOpen = (sql: Sql) => sql`(r.agreed <> '{}' or r.crm_id is null) and r.removed_at is null`

/** Not linked yet, or edited here in a ticked column and not gone from the CRM; `p` is what is known of the person. */
const goesOut = (sql: Sql, plan: SyncPlan) =>
  sql`(r.crm_id is null or (p.state is distinct from 'deletedInCrm' and ${editedHere(sql, plan)}))`

/**
 * R23: a parked record is left alone as long as it and the mapping are what they were, unless this run tries it for all that have its cause; a preview
 * tries none.
 */
const notParked = (sql: Sql, plan: SyncPlan, runId: string) => sql`
  not exists (select from parked_records k where k.record_id = r.id and k.version = r.version and ${isMappedAsThen(sql, plan)}
    and k.probe_run_id is distinct from ${runId}::uuid)`

/**
 * Members of a run as `m`, which are to lead to their records one by one: of a table that was just filled Postgres expects a handful of rows, and would
 * fetch and sort them all for each page.
 */
const membersInOrder = (sql: Sql, runId: string, beyond: ReturnType<Sql>): ReturnType<Sql> => sql`
  (select record_id from run_members m where m.run_id = ${runId}::uuid and ${beyond} order by record_id offset 0) m`

/** `next`: the id to go on after, null when nothing is left */
export type Pending = { rows: SyncRow[]; next: string | null }

const nextOf = (ids: string[], limit: number): string | null => (ids.length < limit ? null : ids.at(-1)!)

/** The same as a preview would have left it: records that are pending, and those that it would have edited. */
const pageForeseen = async (
  db: Database,
  plan: SyncPlan,
  runId: string,
  after: string | null,
  limit: number,
): Promise<Pending> => {
  const sql = db.$client
  const beyond = (id: ReturnType<Sql>): ReturnType<Sql> => (after === null ? sql`true` : sql`${id} > ${after}::uuid`)
  const those = sql`r.list_id = ${plan.listId}::uuid and ${isOpen(sql)} and ${notParked(sql, plan, runId)} and ${notSubmitted(sql, sql`r.id`)}`
  const members = membersInOrder(sql, runId, beyond(sql`m.record_id`))
  const open: ReturnType<Sql> = plan.ofSegment
    ? sql`
        select m.record_id as id from ${members}
          cross join lateral (select from records r where r.id = m.record_id and ${those} offset 0) x
        order by m.record_id limit ${limit}`
    : sql`select r.id from records r where ${those} and ${beyond(sql`r.id`)} order by r.id limit ${limit}`
  const candidates = await sql<{ id: string }[]>`
    select id::text from (
      (${open})
      union (select v.record_id from previewed_records v where v.run_id = ${plan.previewId}::uuid and v.agreed <> '{}'
        and ${beyond(sql`v.record_id`)} and ${ofMembers(sql, plan, runId, sql`v.record_id`)} order by v.record_id limit ${limit})) c
    order by c.id limit ${limit}`
  const ids = candidates.map(({ id }) => id)
  const keys = { lead: pushedKeys(plan, 'lead'), contact: pushedKeys(plan, 'contact') }
  const rows = await foreseenOf(sql, plan, ids)
  const isPending = ({ removed, crmId, entity, state, agreed }: SyncRow): boolean =>
    !removed &&
    (crmId === null || (state !== 'deletedInCrm' && keys[entity ?? 'lead'].some((key) => isEdited(agreed[key]))))
  return { rows: rows.filter(isPending), next: nextOf(ids, limit) }
}

/**
 * Records that a push looks at: not linked yet, or edited here in a ticked column; neither removed nor gone from the CRM, nor parked as they are now
 * (R23), unless this run tries them for all; of a segment its members. One with an unfinished submission is the drainer's (R7). In the order of ids.
 */
export const pagePending = async (
  db: Database,
  plan: SyncPlan,
  runId: string,
  after: string | null,
  limit: number,
): Promise<Pending> => {
  if (plan.previewId !== null) return pageForeseen(db, plan, runId, after, limit)
  const sql = db.$client
  const those = sql`r.list_id = ${plan.listId}::uuid and ${isOpen(sql)} and ${goesOut(sql, plan)} and ${notParked(sql, plan, runId)} and ${notSubmitted(sql, sql`r.id`)}`
  const beyond = (id: ReturnType<Sql>): ReturnType<Sql> => (after === null ? sql`true` : sql`${id} > ${after}::uuid`)
  const members = membersInOrder(sql, runId, beyond(sql`m.record_id`))
  const rows = plan.ofSegment
    ? await sql<Raw[]>`
        select x.* from ${members}
          cross join lateral (
            select ${rowColumns(sql)} from ${withPeople(sql, plan.connectionId)} where r.id = m.record_id and ${those} offset 0) x
        order by m.record_id limit ${limit}`
    : await sql<Raw[]>`
        select ${rowColumns(sql)} from ${withPeople(sql, plan.connectionId)}
        where ${those} and ${beyond(sql`r.id`)} order by r.id limit ${limit}`
  const ids = rows.map(({ id }) => id)
  return { rows: rows.map(toSyncRow), next: nextOf(ids, limit) }
}

/** Puts off, due at once, those of the given records that a push would look at. Answers how many. */
export const takeGiven = async (db: Database, plan: SyncPlan, runId: string, recordIds: string[]): Promise<number> => {
  const sql = db.$client
  const rows = await sql`
    insert into put_off (run_id, record_id, account_id)
    select ${runId}::uuid, r.id, r.account_id from ${withPeople(sql, plan.connectionId)}
    where r.id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[]) and r.list_id = ${plan.listId}::uuid and r.removed_at is null
      and ${goesOut(sql, plan)} and ${notSubmitted(sql, sql`r.id`)}
    on conflict do nothing returning 1`
  return rows.count
}

/** How many a push will look at: for the progress. */
export const countPending = async (
  db: Database,
  { id, listId, settings }: Pick<Run, 'id' | 'listId' | 'settings'>,
): Promise<number> => {
  const sql = db.$client
  const ofSegment = settings.segment !== undefined
  const [found] = await sql<{ count: number }[]>`
    select count(*)::int as count from records r
    where r.list_id = ${listId}::uuid and ${isOpen(sql)} and ${ofMembers(sql, { ofSegment }, id, sql`r.id`)}
      and (r.crm_id is null or jsonb_path_exists(r.agreed, '$.* ? (!exists(@.h))'))`
  return found!.count
}

const putOffRows = async (sql: Sql, plan: SyncPlan, runId: string, limit: number): Promise<PutOff[]> => {
  const rows = await sql<(Raw & { tries: number })[]>`
    select ${rowColumns(sql)}, o.tries from put_off o join ${withPeople(sql, plan.connectionId)} on r.id = o.record_id
    where o.run_id = ${runId}::uuid and o.due_at <= now() order by o.due_at, r.id limit ${limit}`
  return rows.map(({ tries, ...row }) => ({ ...toSyncRow(row), tries }))
}

/** The same as a preview would have left them. */
const foreseenPutOff = async (sql: Sql, plan: SyncPlan, limit: number): Promise<PutOff[]> => {
  const due = await sql<{ id: string; tries: number }[]>`
    select record_id::text as id, tries from put_off where run_id = ${plan.previewId}::uuid and due_at <= now()
    order by due_at, record_id limit ${limit}`
  const ids = due.map(({ id }) => id)
  const rows = await foreseenOf(sql, plan, ids)
  const found = new Map(rows.map((row) => [row.id, row]))
  return due.flatMap(({ id, tries }) => (found.has(id) ? [{ ...found.get(id)!, tries }] : []))
}

/** Whether something waits, due or not. */
export const hasPutOff = async (db: Database, runId: string): Promise<boolean> =>
  (await db.$client`select from put_off where run_id = ${runId}::uuid limit 1`).length > 0

/** Those put off whose time has come, the longest waiting first, and when the next one is due (milliseconds from now; null for none). */
export const pagePutOff = async (
  db: Database,
  plan: SyncPlan,
  runId: string,
  limit: number,
): Promise<{ rows: PutOff[]; nextMs: number | null }> => {
  const sql = db.$client
  const rows =
    plan.previewId === null ? await putOffRows(sql, plan, runId, limit) : await foreseenPutOff(sql, plan, limit)
  const [next] = await sql<{ ms: number | null }[]>`
    select (extract(epoch from min(due_at) - now()) * 1000)::int as ms from put_off where run_id = ${runId}::uuid`
  return { rows, nextMs: next?.ms ?? null }
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
