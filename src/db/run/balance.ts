import { addUp, noCounts, type Balance, type PhaseCounts } from '../../domain/run.ts'
import { compareSets, type Database } from '../database.ts'
import type { Run } from './state.ts'

type Facts = {
  crmTotal: number | null
  listTotal: number
  recordCount: number
  createdRecords: number
  listed: number
  came: number
  gone: number
  unread: number
  removed: number
  missing: number
  extra: number
  duplicateEmail: number
}

/** The sums of a run's lanes by phase. */
export const countsOf = async (db: Database, runId: string): Promise<Record<string, PhaseCounts>> => {
  const rows = await db.$client<(PhaseCounts & { phase: string })[]>`
    select phase, sum(read)::int as read, sum(created)::int as created, sum(updated)::int as updated, sum(unchanged)::int as unchanged,
      sum(skipped)::int as skipped, sum(rejected)::int as rejected, sum(deleted)::int as deleted, sum(without_email)::int as "withoutEmail",
      sum(opted_out)::int as "optedOut"
    from lanes where run_id = ${runId} group by phase`
  const counts: Record<string, PhaseCounts> = { pull: noCounts() }
  for (const { phase, ...sums } of rows) counts[phase] = sums
  return counts
}

/** Each figure is counted on its own, none is derived from another: only then do equal sums prove anything. */
const factsOf = (db: Database, run: Run): Promise<Facts> =>
  compareSets(db, async (sql) => {
    const [facts] = await sql<[Facts]>`
      with swept as materialized (
        select distinct k.crm_id from swept_keys s cross join lateral unnest(string_to_array(s.keys, E'\n')) as k (crm_id) where s.run_id = ${run.id}),
      own as materialized (
        select r.crm_id, r.removed_at, p.crm_id is not null as gone, r.created_run_id = ${run.id} as made
        from records r left join crm_people p on p.connection_id = ${run.connectionId} and p.entity = r.crm_entity and p.crm_id = r.crm_id
        where r.list_id = ${run.listId} and r.crm_entity = ${run.entity} and r.crm_id is not null),
      said as materialized (select code, kind, crm_id from entries where last_run_id = ${run.id} and list_id = ${run.listId}),
      seen as materialized (select crm_id from swept union select crm_id from said where code = 'cameDuring'),
      unread as materialized (select distinct crm_id from said where code = 'crmFailed'),
      present as materialized (select crm_id from seen except select crm_id from said where code in ('goneDuring', 'crmFailed'))
      select
        case when (select bool_and(done) from lanes where run_id = ${run.id} and phase = 'sweep') then (select count(*) from swept)::int end as "crmTotal",
        (select count(*) from own where not gone and removed_at is null)::int as "listTotal",
        (select count(*) from records where list_id = ${run.listId} and removed_at is null)::int as "recordCount",
        (select count(*) from own where made)::int as "createdRecords",
        (select count(*) from said where kind in ('skipped', 'rejected'))::int as listed,
        (select count(*) from said where code = 'cameDuring')::int as came,
        (select count(*) from said where code = 'goneDuring')::int as gone,
        (select count(*) from unread u join swept s on s.crm_id = u.crm_id
          where not exists (select from own o where o.crm_id = u.crm_id))::int as unread,
        (select count(*) from own o join seen s on s.crm_id = o.crm_id where o.removed_at is not null and not o.gone)::int as removed,
        (select count(*) from present p where not exists (select from own o where o.crm_id = p.crm_id))::int as missing,
        (select count(*) from own o where not o.gone and o.removed_at is null and not exists (select from present p where p.crm_id = o.crm_id)
          and not exists (select from unread u where u.crm_id = o.crm_id))::int as extra,
        (select coalesce(sum(n), 0) from (select count(*) as n from records where list_id = ${run.listId} and email_key is not null and removed_at is null
          group by email_key having count(*) > 1) d)::int as "duplicateEmail"`
    return facts
  })

/** Draws up the ledger of an import or a sweep. `balanced` is null when the key sweep has not been made. */
export const balanceOf = async (
  db: Database,
  run: Run,
): Promise<{ counts: Record<string, PhaseCounts>; balance: Balance; recordCount: number }> => {
  const counts = await countsOf(db, run.id)
  const facts = await factsOf(db, run)
  const phases = Object.entries(counts)
  const sum = (pick: (phase: PhaseCounts) => number): number =>
    phases.reduce((total, [, phase]) => total + pick(phase), 0)
  const checks = [
    ...phases.map(([name, phase]) => ({
      name: `${name}: read = created + updated + unchanged + skipped + rejected`,
      left: phase.read,
      right: addUp(phase),
    })),
    { name: 'created = records that this run made', left: sum((phase) => phase.created), right: facts.createdRecords },
    {
      name: 'skipped + rejected = entries with a reason',
      left: sum((phase) => phase.skipped + phase.rejected),
      right: facts.listed,
    },
  ]
  const explained = { cameDuring: facts.came, goneDuring: facts.gone, rejected: facts.unread, removed: facts.removed }
  const difference =
    facts.crmTotal === null
      ? null
      : facts.crmTotal + facts.came - facts.gone - facts.unread - facts.removed - facts.listTotal
  const swept = facts.crmTotal !== null
  const agrees = checks.every((check) => check.left === check.right)
  const pull = counts['pull']
  if (pull !== undefined) pull.duplicateEmail = facts.duplicateEmail
  return {
    counts,
    recordCount: facts.recordCount,
    balance: {
      balanced: swept ? agrees && difference === 0 && facts.missing === 0 && facts.extra === 0 : agrees ? null : false,
      crmTotal: facts.crmTotal,
      listTotal: facts.listTotal,
      explained,
      difference,
      missing: swept ? facts.missing : undefined,
      extra: swept ? facts.extra : undefined,
      checks,
    },
  }
}
