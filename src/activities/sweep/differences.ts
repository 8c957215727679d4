import { Context } from '@temporalio/activity'
import type * as connections from '../../db/connection.ts'
import { loadErased } from '../../db/erasure/known.ts'
import * as importPlan from '../../db/import/plan.ts'
import * as lanes from '../../db/lane.ts'
import * as runs from '../../db/run/state.ts'
import { compare, countDeletedOf, doubted, type Differences } from '../../db/sweep/compare.ts'
import { sweptByUser } from '../../db/sweep/list.ts'
import {
  settleCame,
  settleDeleted,
  settleDoubted,
  settleMissing,
  settleReturned,
  settleUnwanted,
} from '../../db/sweep/settle.ts'
import { heirsOf } from '../../db/sync/heir.ts'
import { countDeleted } from '../../db/sync/late.ts'
import { storePull } from '../../db/sync/pull.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { absentOf, thereOf } from '../../domain/ask.ts'
import type { Crm } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { RunError } from '../../domain/run.ts'
import { needsConfirmation } from '../../domain/sweep.ts'
import type { Dependencies } from '../dependencies.ts'
import { runErrorOf } from '../run.ts'
import { planNow } from '../sync/begin.ts'
import { judgeFates } from '../sync/gone.ts'
import { findHeirs } from '../sync/heir.ts'
import { askKeys, askPeople, chunks } from '../ask.ts'

/** Differences are settled so many at a time. */
const batch = 20_000

/** What a run's differences are settled with. */
const openSettling = async (deps: Dependencies, run: runs.Run, crm: Crm, connection: connections.Connection) => {
  const { db } = deps
  const { accountId, id: runId } = run
  const entity = run.entity!
  const options = { signal: Context.current().cancellationSignal }
  const question = { crm, entity, options }
  const { target: known, fields } = await importPlan.targetOf(db, deps.secrets, run)
  const { attempt } = await lanes.claim(db, accountId, runId, 'sweep', 0)
  const key = { runId, phase: 'sweep' as const, lane: 0, attempt }
  const target = { ...known, erased: await loadErased(db, accountId) }
  const swept = { id: runId, startedAt: run.startedAt! }

  /** Of people who are not there, how many were taken over, as it is known, by somebody who is there (R16). */
  const countTakenOver = async (ids: string[]): Promise<number> => {
    const known = await heirsOf(db, target.connectionId, entity, ids)
    return (await findHeirs(known, (of, asked) => askKeys({ ...question, entity: of }, asked))).size
  }

  return {
    compare: (limit: number, after?: string) => compare(db, runId, target, limit, after),
    plan: async () => ({ ...(await planNow(deps, crm, run)), erased: target.erased }),

    /** People whom a mark and the keys contradict: the later of the two is right. */
    async marks(): Promise<void> {
      await settleReturned(db, key, target, swept)
      const doubts = await doubted(db, swept, target)
      const ids = doubts.people.map(({ id }) => id)
      for (const some of chunks('doubted', ids))
        await settleDoubted(db, key, target, doubts, await askKeys(question, some))
    },

    async missing({ sync: { pull } }: SyncPlan, ids: string[]): Promise<void> {
      const mark = run.mark?.toISOString() ?? null
      for (const some of chunks('missing', ids)) {
        if (!pull.enabled || !pull.addNew) await settleUnwanted(db, key, target, some)
        else await settleMissing(db, key, target, mark, await askPeople(question, fields, some))
      }
    },

    /** Lists those who are there; answers those who are not, and how many of them are newly gone (R15). */
    async absent({ at, extra }: Pick<Differences, 'at' | 'extra'>): Promise<{ absent: string[]; gone: number }> {
      const absent: string[] = []
      let gone = 0
      for (const some of chunks('extra', extra)) {
        const answer = await askKeys(question, some)
        const there = thereOf(answer)
        if (there.size > 0) await settleCame(db, key, target, [...there], at)
        const left = absentOf(answer)
        gone += left.length - (await countDeletedOf(db, target, left)) - (await countTakenOver(left))
        absent.push(...left)
      }
      return { absent, gone }
    },

    /** Marks them, or follows them to whoever took them over (R16). */
    async gone(plan: SyncPlan, ids: string[]): Promise<void> {
      for (const some of chunks('gone', ids)) {
        const fates = await judgeFates({ deps, crm, plan, runId, options }, entity, some)
        const gone = fates.filter(({ fate }) => fate.kind !== 'deleted')
        const deleted = fates.filter(({ fate }) => fate.kind === 'deleted')
        if (deleted.length > 0) await settleDeleted(db, key, target, deleted)
        const none = { rows: [], unreadable: [], warnings: [], next: null }
        if (gone.length > 0) await storePull(db, plan, key, crm.skewMs() ?? 0, { ...none, entity, gone })
      }
    },

    /** R15: why a person must agree before so many are marked; undefined where nobody must. Those whom the run has marked already count. */
    async doubts(gone: number, live: number): Promise<RunError | undefined> {
      const sweptBy = (await sweptByUser(db, accountId, run.listId!)) ?? run.crmUserId
      const otherUser = sweptBy !== null && sweptBy !== connection.crmUserId
      const marked = await countDeleted(db, runId)
      const of = live + marked
      const confirmed = run.settings.confirmDeletions ?? 0
      if (gone === 0 || !needsConfirmation({ gone: gone + marked, live: of, otherUser, confirmed })) return undefined
      const who = otherUser ? ', as its new user sees it' : ''
      const detail = `${gone} of ${of} records are gone from the CRM${who}; none${marked > 0 ? ' of them' : ''} was marked.`
      return { ...runErrorOf(new FairleadError('massDeletion', { detail }), null), gone, of }
    },
  }
}

type Settling = Awaited<ReturnType<typeof openSettling>>

/** R15: nobody counts as gone whom the CRM was not asked for, however many there are: where it matters the others are asked for, too. */
const doubtsOf = async (settle: Settling, found: Differences, gone: number): Promise<RunError | undefined> => {
  const unasked = found.extraTotal - found.extra.length
  const doubts = await settle.doubts(gone + unasked, found.live)
  if (doubts === undefined || unasked === 0) return doubts
  let all = gone
  for (let page = found; page.extra.length === batch;) {
    page = await settle.compare(batch, page.extra.at(-1))
    all += (await settle.absent(page)).gone
  }
  return settle.doubts(all, found.live)
}

/**
 * Compares the ids themselves and settles what differs, id by id (docs/rules.md): so many at a time. Answers how many differences are
 * left, and whether they are more of the same round. Throws massDeletion instead of marking when too many are gone (R15).
 */
export const settleDifferences = async (
  deps: Dependencies,
  run: runs.Run,
  crm: Crm,
  connection: connections.Connection,
): Promise<{ left: number; more: boolean }> => {
  const settle = await openSettling(deps, run, crm, connection)
  await settle.marks()
  const found = await settle.compare(batch)
  if (found.missingTotal + found.extraTotal === 0) return { left: 0, more: false }
  const plan = await settle.plan()
  const { absent, gone } = await settle.absent(found)
  const doubts = await doubtsOf(settle, found, gone)
  if (doubts !== undefined) {
    await runs.noteWaiting(deps.db, run.id, doubts)
    await settle.missing(plan, found.missing)
    throw new FairleadError('massDeletion', { detail: doubts.detail })
  }
  await settle.gone(plan, absent)
  // after those who were followed: whoever took them over is missing no more
  await settle.missing(plan, found.extra.length === 0 ? found.missing : (await settle.compare(batch)).missing)
  const after = await settle.compare(0)
  return {
    left: after.missingTotal + after.extraTotal,
    more: found.missingTotal > found.missing.length || found.extraTotal > found.extra.length,
  }
}
