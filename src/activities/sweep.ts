import { hashKeyOf } from '../db/emailKey.ts'
import { loadErased } from '../db/erasure/known.ts'
import * as lanes from '../db/lane.ts'
import * as runs from '../db/run/state.ts'
import { storeKeys } from '../db/sweep/compare.ts'
import { withCrm } from './crm.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { survey } from './import.ts'
import { working } from './run.ts'
import { readSegment, type SegmentResult } from './segment.ts'
import { settleDifferences } from './sweep/differences.ts'

export const sweepActivities = (deps: Dependencies) => ({
  /** Plans the key sweep: the lanes of the import, or new ones for a sweep of its own. */
  beginSweep: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'compare')
      const planned = await lanes.all(deps.db, runId, 'sweep')
      if (planned.length > 0) return { lanes: planned.map(({ lane }) => lane) }
      const read = await lanes.all(deps.db, runId, 'pull')
      const plan =
        read.length > 0
          ? { ranges: read.map(({ afterKey, upToKey }) => ({ after: afterKey, upTo: upToKey })) }
          : await withCrm(deps, accountId, run.connectionId!, (crm, connection) => survey(deps, run, crm, connection))
      return { lanes: await lanes.plan(deps.db, { accountId, runId, phase: 'sweep' }, plan) }
    }),

  sweepSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm) => {
        const lane = await lanes.claim(deps.db, accountId, runId, 'sweep', number)
        const key = { runId, phase: 'sweep' as const, lane: number, attempt: lane.attempt }
        const hashKey = await hashKeyOf(deps.db, deps.secrets, accountId)
        const erased = await loadErased(deps.db, accountId)
        const target = { accountId, listId: run.listId!, entity: run.entity!, hashKey, erased }
        return readSegment({
          lane,
          fetch: (range, signal) => crm.keys(run.entity!, range, { signal }),
          store: (page, count) => storeKeys(deps.db, target, key, page, count),
        })
      }),
    ),

  /** Settles what differs; errors as those of `sweep/differences.ts`. */
  settleDifferences: ({ accountId, runId }: RunInput): Promise<{ left: number; more: boolean }> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, (crm, connection) => settleDifferences(deps, run, crm, connection)),
    ),
})
