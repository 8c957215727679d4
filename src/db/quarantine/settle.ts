import type { Outcome } from '../../domain/push.ts'
import type { Sql } from '../database.ts'
import { causeDetail } from '../run/record.ts'
import type { SyncPlan } from '../sync/plan.ts'
import { mappingOf } from './mapping.ts'

/** A record is parked when it was rejected for one cause in so many runs. */
const mostTimes = 3

type Cause = { code: string; detail: string }
type Rejected = Cause & { recordId: string; entryId: string; times: number }
type Parked = Cause & { recordId: string; probe: boolean }

const lines = (ids: readonly string[]): string => ids.join('\n')
const isSame = (a: Cause, b: Cause): boolean => a.code === b.code && a.detail === b.detail

const rejectedIn = (sql: Sql, runId: string, ids: string[]): Promise<Rejected[]> => sql<Rejected[]>`
  select distinct on (e.record_id) e.record_id::text as "recordId", e.id::text as "entryId", e.code, ${causeDetail(sql, 'e')} as detail, e.times
  from entries e where e.record_id = any(string_to_array(${lines(ids)}::text, E'\n')::uuid[])
    and e.last_run_id = ${runId}::uuid and e.phase = 'push' and e.kind = 'rejected'
  order by e.record_id, e.id desc`

const parkedAmong = (sql: Sql, runId: string, ids: string[]): Promise<Parked[]> => sql<Parked[]>`
  select record_id::text as "recordId", code, detail, probe_run_id is not distinct from ${runId}::uuid and mapping <> '' as probe
  from parked_records where record_id = any(string_to_array(${lines(ids)}::text, E'\n')::uuid[])`

const park = async (sql: Sql, plan: SyncPlan, rows: (Rejected & { version: number })[]): Promise<void> => {
  if (rows.length === 0) return
  const given = rows.map(({ recordId, entryId, code, detail, version }) => ({
    record_id: recordId,
    entry_id: entryId,
    code,
    detail,
    version,
  }))
  await sql`
    insert into parked_records (record_id, account_id, list_id, code, detail, entry_id, version, mapping)
    select g.record_id, ${plan.accountId}::uuid, ${plan.listId}::uuid, g.code, g.detail, g.entry_id, g.version, ${mappingOf(plan)}
    from jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb) as g (record_id uuid, entry_id uuid, code text, detail text, version int)
    order by g.record_id
    on conflict (record_id) do update set code = excluded.code, detail = excluded.detail, entry_id = excluded.entry_id,
      version = excluded.version, mapping = excluded.mapping`
}

/** Of a segment only its members are tried at once; the others by the next run that they belong to. */
const membersOf = async (sql: Sql, plan: SyncPlan, runId: string, ids: string[]): Promise<string[]> => {
  if (!plan.ofSegment || ids.length === 0) return ids
  const rows = await sql<{ id: string }[]>`
    select record_id::text as id from run_members
    where run_id = ${runId}::uuid and record_id = any(string_to_array(${lines(ids)}::text, E'\n')::uuid[])`
  return rows.map(({ id }) => id)
}

/** Whether a record got past what it was rejected for. One that is gone, merged or was edited meanwhile says nothing. */
const passed = ({ kind, code, gone, into }: Outcome): boolean =>
  gone === undefined &&
  into === undefined &&
  (kind !== 'skipped' || !['removedHere', 'crmChanged', 'needsDecision', 'changedSince'].includes(code ?? ''))

/**
 * R23, with the outcomes of some records, after their entries: parks those that were rejected for one cause once more, and releases what was parked
 * for a cause that the run's probe is not rejected for any more. Answers the records that were released: this run tries them.
 */
export const settle = async (sql: Sql, plan: SyncPlan, runId: string, outcomes: Outcome[]): Promise<string[]> => {
  const settled = new Map(outcomes.filter(({ kind }) => kind !== 'delayed').map((each) => [each.record.id, each]))
  if (settled.size === 0) return []
  const failed = [...settled.values()].filter(({ kind }) => kind === 'rejected').map(({ record }) => record.id)
  const rejected = failed.length === 0 ? [] : await rejectedIn(sql, runId, failed)
  const parked = await parkedAmong(sql, runId, [...settled.keys()])
  const causes = new Map(rejected.map((each) => [each.recordId, each]))
  const known = new Map(parked.map((each) => [each.recordId, each]))
  const stays = (each: Rejected): boolean => {
    const before = known.get(each.recordId)
    return each.times >= mostTimes || (before !== undefined && isSame(before, each))
  }
  const left = parked.filter(({ recordId }) => {
    const cause = causes.get(recordId)
    return cause === undefined || !stays(cause)
  })
  const mended = parked.filter((each) => {
    const cause = causes.get(each.recordId)
    return each.probe && passed(settled.get(each.recordId)!) && (cause === undefined || !isSame(each, cause))
  })
  await park(
    sql,
    plan,
    rejected.filter(stays).map((each) => ({ ...each, version: settled.get(each.recordId)!.record.version })),
  )
  if (left.length > 0)
    await sql`
      delete from parked_records where record_id = any(string_to_array(${lines(left.map(({ recordId }) => recordId))}::text, E'\n')::uuid[])`
  const released: string[] = []
  for (const { code, detail } of mended) {
    const rows = await sql<{ id: string }[]>`
      delete from parked_records where list_id = ${plan.listId}::uuid and code = ${code} and detail = ${detail}
        and probe_run_id is distinct from ${runId}::uuid returning record_id::text as id`
    released.push(...rows.map(({ id }) => id))
  }
  return membersOf(sql, plan, runId, released)
}
