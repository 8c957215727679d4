import type { Sql } from '../database.ts'
import { isOneOf, uuids, type Whole } from './subject.ts'

const unfinished = (sql: Sql) => sql`state in ('queued', 'running', 'held')`

/**
 * Records that runs under way have made: their ledgers count them as skipped from now on. A run that made records counts each of them by the lane that did,
 * whichever: only the sums are compared.
 */
const recount = async (sql: Sql, { accountId, recordIds }: Whole): Promise<void> => {
  const made = await sql<{ runId: string; listId: string; phase: string; lane: number; count: number }[]>`
    select r.id::text as "runId", r.list_id::text as "listId", l.phase, l.lane, x.count from (
      select created_run_id, count(*)::int as count from records where id = ${uuids(sql, recordIds)} and created_run_id is not null group by 1) x
    join runs r on r.id = x.created_run_id and r.account_id = ${accountId}::uuid and r.${unfinished(sql)}
    join lateral (select phase, lane from lanes where run_id = r.id and phase in ('pull', 'sweep', 'upload') order by created desc limit 1) l on true`
  for (const { runId, listId, phase, lane, count } of made) {
    await sql`
      update lanes set created = created - ${count}, skipped = skipped + ${count} where run_id = ${runId}::uuid and phase = ${phase} and lane = ${lane}`
    await sql`
      insert into entries (account_id, list_id, first_run_id, last_run_id, phase, kind, code)
      select ${accountId}::uuid, ${listId}::uuid, ${runId}::uuid, ${runId}::uuid, ${phase}, 'skipped', 'erased' from generate_series(1, ${count}::int)`
  }
}

/** A sync adds what it made to the list's count when it ends. */
const takeFromCounts = async (sql: Sql, { recordIds }: Whole): Promise<void> => {
  await sql`
    update lists l set record_count = l.record_count - x.count from (
      select r.list_id, (count(*) filter (where r.removed_at is null) - count(*) filter (where u.kind = 'sync'))::int as count
      from records r left join runs u on u.id = r.created_run_id and u.${unfinished(sql)}
      where r.id = ${uuids(sql, recordIds)} group by r.list_id order by r.list_id) x
    where l.id = x.list_id and x.count <> 0`
}

/** The records with all their values, and what hangs on them alone. Nothing of it can be restored. */
export const eraseRecords = async (sql: Sql, whole: Whole): Promise<{ records: number; edits: number }> => {
  const mine = uuids(sql, whole.recordIds)
  const { accountId, people } = whole
  await recount(sql, whole)
  await takeFromCounts(sql, whole)
  const { count: records } = await sql`delete from records where id = ${mine}`
  const { count: edits } = await sql`delete from edits where account_id = ${accountId}::uuid and record_id = ${mine}`
  await sql`delete from parked_records where account_id = ${accountId}::uuid and record_id = ${mine}`
  await sql`delete from put_off where account_id = ${accountId}::uuid and record_id = ${mine}`
  await sql`delete from run_members where account_id = ${accountId}::uuid and record_id = ${mine}`
  await sql`
    delete from previewed_records where account_id = ${accountId}::uuid and (record_id = ${mine} or ${isOneOf(sql, people)})`
  return { records, edits }
}
