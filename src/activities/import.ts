import type { Crm, CrmEntity } from '../domain/crm.ts'
import { laneCount, laneOffsets, laneRanges } from '../domain/lane.ts'
import * as importPlan from '../db/import/plan.ts'
import { prepare, storePage } from '../db/import/page.ts'
import type { Connection } from '../db/connection.ts'
import { loadErased } from '../db/erasure/known.ts'
import * as lanes from '../db/lane.ts'
import type { LanePlan } from '../db/lane.ts'
import * as runs from '../db/run/state.ts'
import type { Run } from '../db/run/state.ts'
import { withCrm } from './crm.ts'
import type { Dependencies, RunInput } from './dependencies.ts'
import { readSegment, type SegmentResult } from './segment.ts'
import { working } from './run.ts'

const divide = async (crm: Crm, entity: CrmEntity, concurrency: number) => {
  const total = await crm.total(entity)
  const offsets = laneOffsets(total ?? 0, laneCount(total, concurrency))
  return { total, keys: await Promise.all(offsets.map((offset) => crm.keyAt(entity, offset))) }
}

/** What a read of all people goes by, found out before it begins: live fields, which are noted, key ranges, and the mark (R14). */
export const survey = async (deps: Dependencies, run: Run, crm: Crm, connection: Connection): Promise<LanePlan> => {
  const entity = run.entity!
  const [fields, mark, { total, keys }] = await Promise.all([
    crm.fields(entity),
    crm.latestChange(entity),
    divide(crm, entity, connection.concurrency),
  ])
  await importPlan.noteFields(deps.db, run, fields)
  const fixed = { mark: mark === null ? null : new Date(mark), total, crmUserId: connection.crmUserId }
  return { ranges: laneRanges(keys), fixed }
}

export const importActivities = (deps: Dependencies) => ({
  /** Fixes the mark and the lanes, once; a repeated call finds them. Answers the lanes that are to be read. */
  beginImport: ({ accountId, runId }: RunInput): Promise<{ lanes: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'read')
      const planned = await lanes.all(deps.db, runId, 'pull')
      if (planned.length > 0) return { lanes: planned.map(({ lane }) => lane) }
      const plan = await withCrm(deps, accountId, run.connectionId!, (crm, connection) =>
        survey(deps, run, crm, connection),
      )
      return { lanes: await lanes.plan(deps.db, { accountId, runId, phase: 'pull' }, plan) }
    }),

  /** Reads and stores up to a segment of one lane, from the cursor that was committed last. */
  importSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm) => {
        const { target: known, fields } = await importPlan.targetOf(deps.db, deps.secrets, run)
        const lane = await lanes.claim(deps.db, accountId, runId, 'pull', number)
        const target = { ...known, erased: await loadErased(deps.db, accountId) }
        const key = { runId, phase: 'pull' as const, lane: number, attempt: lane.attempt }
        return readSegment({
          lane,
          fetch: async (range, signal) => {
            const page = await crm.people(target.entity, fields, range, { signal })
            return { ...page, rows: prepare(target, page.rows) }
          },
          store: (page) => storePage(deps.db, target, key, page),
        })
      }),
    ),
})
