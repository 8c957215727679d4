import { loadErased } from '../../db/erasure/known.ts'
import * as lanes from '../../db/lane.ts'
import type { LanePlan } from '../../db/lane.ts'
import * as lists from '../../db/list.ts'
import * as runs from '../../db/run/state.ts'
import { countIds } from '../../db/sync/late.ts'
import { planOf } from '../../db/sync/plan.ts'
import { storeVerified } from '../../db/sync/verify.ts'
import { withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { survey } from '../import.ts'
import { working } from '../run.ts'
import { readSegment, type SegmentResult } from '../segment.ts'
import { settingsOf } from './begin.ts'
import { fetchOf } from './pull.ts'

export const verifyActivities = (deps: Dependencies) => ({
  /** Plans the comparison of all values, once; a repeated call finds it. */
  beginVerify: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'read')
      const planned = await lanes.all(deps.db, runId, 'verify')
      if (planned.length > 0) return { lanes: planned.map(({ lane }) => lane) }
      const list = await lists.get(deps.db, accountId, run.listId!)
      const sync = await settingsOf(deps, list)
      const { ranges, fixed } = await withCrm(deps, accountId, run.connectionId!, (crm, connection) =>
        survey(deps, run, crm, connection),
      )
      const { others } = await countIds(deps.db, { accountId, listId: list.id }, run.entity!)
      const plan: LanePlan = {
        ranges: [...ranges, ...(others > 0 ? [{ after: null, upTo: null, kind: 'others' as const }] : [])],
        fixed: { ...fixed!, settings: { ...run.settings, sync } },
      }
      return { lanes: await lanes.plan(deps.db, { accountId, runId, phase: 'verify' }, plan) }
    }),

  /** Reads and compares up to a segment of one lane. */
  verifySegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm) => {
        const planned = await planOf(deps.db, deps.secrets, run)
        const lane = await lanes.claim(deps.db, accountId, runId, 'verify', number)
        const plan = { ...planned, erased: await loadErased(deps.db, accountId) }
        const key = { runId, phase: 'verify' as const, lane: number, attempt: lane.attempt }
        return readSegment({
          lane,
          fetch: fetchOf({ deps, crm, plan, runId }, lane, null),
          store: (page) => storeVerified(deps.db, plan, key, page),
        })
      }),
    ),
})
