import { loadErased } from '../../db/erasure/known.ts'
import * as lanes from '../../db/lane.ts'
import type { Lane } from '../../db/lane.ts'
import { absentOf } from '../../domain/ask.ts'
import { pageIds } from '../../db/sync/late.ts'
import { otherThan, planOf, type SyncPlan } from '../../db/sync/plan.ts'
import { pageShownPeople } from '../../db/sync/shown.ts'
import { storePull, type PullPage } from '../../db/sync/pull.ts'
import * as lists from '../../db/list.ts'
import type { Crm, CrmEntity, KeyRange, ReadOptions } from '../../domain/crm.ts'
import type { RunSource } from '../../domain/run.ts'
import { askPeople } from '../ask.ts'
import { withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { working } from '../run.ts'
import { readSegment, type SegmentResult } from '../segment.ts'
import { sinceOf } from './begin.ts'
import { judgeGone } from './gone.ts'
import { pageRetried } from './retry.ts'

/** People that are read by id come so many at a time. */
const askAtOnce = 500

type Reader = { deps: Dependencies; crm: Crm; plan: SyncPlan; runId: string }

/** People by id, and what became of those who are not there. */
const readPeople = async (
  { deps, crm, plan, runId }: Reader,
  entity: CrmEntity,
  ids: string[],
  signal: AbortSignal,
): Promise<Omit<PullPage, 'next'>> => {
  const options = { signal }
  const answer = await askPeople({ crm, entity, options }, plan.of[entity].fields, ids)
  const { found: rows, unreadable, warnings } = answer
  const gone = await judgeGone({ deps, crm, plan, runId, options }, entity, absentOf(answer))
  return { rows, unreadable, warnings, entity, gone }
}

/** Owed people, and those of the other entity. */
const readIds = async (
  reader: Reader,
  entity: CrmEntity,
  kind: 'late' | 'others',
  after: string | null,
  signal: AbortSignal,
): Promise<PullPage> => {
  const ids = await pageIds(reader.deps.db, reader.plan, kind, entity, after, askAtOnce)
  const next = ids.length < askAtOnce ? null : (ids.at(-1) ?? null)
  return { ...(await readPeople(reader, entity, ids, signal)), next, late: ids }
}

/** People whom a run is to try again. */
const readRetried = async (
  reader: Reader,
  source: RunSource,
  after: string | null,
  signal: AbortSignal,
): Promise<PullPage> => {
  const { entity, ids, next } = await pageRetried(reader.deps, { ...reader.plan, settings: { source } }, after)
  return { ...(await readPeople(reader, entity ?? reader.plan.entity, ids, signal)), next, late: ids }
}

/** Whom a preview has shown (S8). */
const readShown = async (
  reader: Reader,
  entity: CrmEntity,
  after: string | null,
  signal: AbortSignal,
): Promise<PullPage> => {
  const { ids, next } = await pageShownPeople(reader.deps.db, reader.plan, entity, after, askAtOnce)
  return { ...(await readPeople(reader, entity, ids, signal)), next }
}

export const fetchOf = (reader: Reader, { kind, lane }: Lane, since: string | null) => {
  const { crm, plan } = reader
  const { entity: own } = plan
  return async (range: KeyRange, signal: AbortSignal): Promise<PullPage> => {
    if (kind === 'late') return readIds(reader, own, 'late', range.after, signal)
    if (kind === 'others') return readIds(reader, otherThan[own], 'others', range.after, signal)
    if (kind === 'given')
      return plan.source?.as === 'retry'
        ? readRetried(reader, plan.source, range.after, signal)
        : readShown(reader, lane === 0 ? own : otherThan[own], range.after, signal)
    const options: ReadOptions = { signal }
    if (kind !== 'people' && since !== null)
      options.changed = { since, of: kind === 'addresses' ? 'address' : 'person' }
    const page = await crm.people(own, plan.of[own].fields, range, options)
    return { ...page, entity: own, gone: [] }
  }
}

export const pullActivities = (deps: Dependencies) => ({
  /** Reads and stores up to a segment of one lane of a sync, from the cursor that was committed last. */
  pullSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm) => {
        const planned = await planOf(deps.db, deps.secrets, run)
        const list = await lists.getEver(deps.db, accountId, run.listId!)
        const lane = await lanes.claim(deps.db, accountId, runId, 'pull', number)
        const plan = { ...planned, erased: await loadErased(deps.db, accountId) }
        const key = { runId, phase: 'pull' as const, lane: number, attempt: lane.attempt }
        return readSegment({
          lane,
          fetch: fetchOf({ deps, crm, plan, runId }, lane, sinceOf(list)),
          store: (page) => storePull(deps.db, plan, key, crm.skewMs() ?? 0, page),
        })
      }),
    ),
})
