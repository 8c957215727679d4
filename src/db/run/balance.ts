import {
  addUp,
  comparesKeys,
  firstPhaseOf,
  noCounts,
  standsAside,
  type Balance,
  type PhaseCounts,
} from '../../domain/run.ts'
import type { Database } from '../database.ts'
import { factsOf, syncFactsOf, type Facts } from './facts.ts'
import type { Run } from './state.ts'

/** The sums of a run's lanes by phase. */
export const countsOf = async (
  db: Database,
  { id: runId, kind }: Pick<Run, 'id' | 'kind'>,
): Promise<Record<string, PhaseCounts>> => {
  const rows = await db.$client<(PhaseCounts & { phase: string })[]>`
    select phase, sum(read)::int as read, sum(created)::int as created, sum(updated)::int as updated, sum(unchanged)::int as unchanged,
      sum(skipped)::int as skipped, sum(rejected)::int as rejected, sum(deleted)::int as deleted, sum(relinked)::int as relinked, sum(conflicts)::int as conflicts, sum(without_email)::int as "withoutEmail",
      sum(opted_out)::int as "optedOut"
    from lanes where run_id = ${runId} group by phase`
  const counts: Record<string, PhaseCounts> = { [firstPhaseOf(kind)]: noCounts() }
  for (const { phase, ...sums } of rows) counts[phase] = sums
  return counts
}

type Ledger = { counts: Record<string, PhaseCounts>; balance: Balance; recordsAdded: number | null }
type Checks = NonNullable<Balance['checks']>

/** Sums that must agree whatever a run did. */
const checksOf = (
  counts: Record<string, PhaseCounts>,
  { createdRecords, createdLeads, listed }: Pick<Facts, 'createdRecords' | 'createdLeads' | 'listed'>,
): Checks => {
  const phases = Object.entries(counts)
  const sum = (pick: (phase: PhaseCounts) => number): number =>
    phases.reduce((total, [, phase]) => total + pick(phase), 0)
  const made = counts['push']?.created
  return [
    ...phases.map(([name, phase]) => ({
      name: `${name}: read = created + updated + unchanged + skipped + rejected`,
      left: phase.read,
      right: addUp(phase),
    })),
    {
      name: 'created = records that this run made',
      left: sum((phase) => phase.created) - (made ?? 0),
      right: createdRecords,
    },
    ...(made === undefined
      ? []
      : [{ name: 'push: created = leads that this run made', left: made, right: createdLeads }]),
    {
      name: 'skipped + rejected = entries with a reason',
      left: sum((phase) => phase.skipped + phase.rejected),
      right: listed,
    },
  ]
}

const agree = (checks: Checks): boolean => checks.every((check) => check.left === check.right)

/** A sync and an upload prove their own sums; only a comparison of keys says more. */
const balanceOfSync = async (db: Database, run: Run): Promise<Ledger> => {
  const counts = await countsOf(db, run)
  const facts = await syncFactsOf(db, run)
  const checks = checksOf(counts, facts)
  // an upload counts the records of its list page by page, a preview makes none
  const added = standsAside(run.kind) ? 0 : facts.createdRecords - facts.merged
  // an undo removes records that others may be removing, too: they are counted
  const recordsAdded = run.kind === 'undo' ? null : added
  const nothing = { crmTotal: null, listTotal: null, explained: {}, difference: null }
  return { counts, recordsAdded, balance: { ...nothing, balanced: agree(checks), checks } }
}

/** Draws up the ledger of a run. For an import, a sweep and a verification `balanced` is null when the key sweep has not been made. */
export const balanceOf = async (db: Database, run: Run): Promise<Ledger> => {
  if (!comparesKeys(run.kind)) return balanceOfSync(db, run)
  const counts = await countsOf(db, run)
  const facts = await factsOf(db, run)
  const checks = checksOf(counts, facts)
  const { came, gone, unread, unwanted, removed, erased, unresolved } = facts
  const explained = {
    cameDuring: came,
    goneDuring: gone,
    rejected: unread,
    notAdded: unwanted,
    removed,
    ...(erased > 0 && { erased }),
    ...(unresolved > 0 && { unresolved }),
  }
  const swept = facts.crmTotal !== null
  const difference =
    facts.crmTotal === null
      ? null
      : facts.crmTotal + came + unresolved - gone - unread - unwanted - removed - erased - facts.listTotal
  const agrees = agree(checks)
  const pull = counts['pull']
  if (pull !== undefined) pull.duplicateEmail = facts.duplicateEmail
  return {
    counts,
    recordsAdded: null,
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

/** Reasons that a later run may heal: a run with one of them is not done (section 4 of docs/rules.md). */
const healable = ['crmFailed', 'crmChanged', 'editedMeanwhile', 'massDeletion', 'differsHere']

/** The most frequent of them among a run's skips and rejections; null when there is none. */
export const unfinishedCode = async (db: Database, run: Run): Promise<string | null> => {
  const [found] = await db.$client<{ code: string }[]>`
    select code from entries where last_run_id = ${run.id}::uuid and kind in ('skipped', 'rejected')
      and code = any(string_to_array(${healable.join('\n')}::text, E'\n'))
    group by code order by count(*) desc, code limit 1`
  return found?.code ?? null
}
