import { pageGiven } from '../../db/run/given.ts'
import * as lanes from '../../db/lane.ts'
import * as lists from '../../db/list.ts'
import * as runs from '../../db/run/state.ts'
import { hasPutOff } from '../../db/sync/pending.ts'
import { planOf } from '../../db/sync/plan.ts'
import { storeOutcomes } from '../../db/sync/push.ts'
import { lockedRows, type SyncRow } from '../../db/sync/rows.ts'
import { pageCreated, storeRemoved, storeSetBack } from '../../db/sync/undo.ts'
import type { CrmWarning } from '../../domain/crm.ts'
import type { Gone } from '../../domain/gone.ts'
import type { RunSource } from '../../domain/run.ts'
import { undoneKinds, type Deed } from '../../domain/undo.ts'
import { withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { working } from '../run.ts'
import { readSegment, type SegmentResult } from '../segment.ts'
import { readFields, settingsOf } from './begin.ts'
import { begunOn, chainsOf, deedsOf, type Chains } from './deed.ts'
import { settled, type Job } from './job.ts'
import { readLinked } from './linked.ts'
import { columnsOf } from './restore.ts'
import { isLate, openPush, sendPutOff, type PushResult } from './push.ts'
import { sendPage, type Page, type Push } from './send.ts'

/** Entries that are read together. */
const pageSize = 500

const sourceOf = ({ settings: { source } }: runs.Run): RunSource => {
  if (source === undefined) throw new Error('an undo without a run to be undone')
  return source
}

/** What an undo says of people who are not there: they are marked by syncs and sweeps. */
const codeOf = ({ fate }: Gone): string => {
  if (fate.kind === 'deleted') return 'deletedInCrm'
  return fate.kind === 'doubtful' ? 'massDeletion' : 'notRestored'
}

const jobOf = (row: SyncRow, deed: Deed, found: Job | undefined): Job => {
  if (deed.created) return settled(row, { kind: 'skipped', code: 'leadNotDeleted' })
  if (Object.keys(deed.there).length === 0) return { row, resolvedAt: Date.now(), kind: 'restore', deed, person: null }
  if (found?.kind === 'write') return { row, resolvedAt: Date.now(), kind: 'restore', deed, person: found.person }
  if (found?.kind !== 'settled') return settled(row, { kind: 'skipped', code: 'notRestored' })
  const { gone } = found.outcome
  return gone === undefined ? found : settled(row, { kind: 'skipped', code: codeOf(gone) })
}

const isThere = (row: SyncRow, { there, created, person }: Deed): boolean =>
  !created && Object.keys(there).length > 0 && row.entity === person.entity && row.crmId === person.id

/** Records that the run has pushed, with their people as they are now. */
const lookAt = async (push: Push, chains: Chains): Promise<Page> => {
  const deeds = deedsOf(chains, true)
  const rows = await lockedRows(push.deps.db.$client, push.plan, [...deeds.keys()])
  const known = [...deeds].flatMap(([id, deed]) => {
    const row = rows.get(id)
    return row === undefined ? [] : [{ row, deed }]
  })
  const warnings: CrmWarning[] = []
  const asked = known.filter(({ row, deed }) => isThere(row, deed)).map(({ row }) => row)
  const found = new Map<string, Job>()
  for (const entity of ['lead', 'contact'] as const) {
    const people = asked.filter((row) => row.entity === entity)
    for (const [id, job] of await readLinked(push, entity, people, warnings)) found.set(id, job)
  }
  const jobs = known.map(({ row, deed }) => jobOf(row, deed, found.get(row.id)))
  return { rows: known.map(({ row }) => row), jobs, warnings }
}

/** Everything that the run has pushed, in the order of its entries. */
const sendGiven = async (push: Push, source: RunSource, cursor: string): Promise<PushResult> => {
  const { deps, plan, key } = push
  const of = { accountId: plan.accountId, listId: plan.listId, source }
  let count = 0
  for (let after = cursor; ;) {
    const page = await pageGiven(deps.db, of, { push: true, kinds: undoneKinds }, after, pageSize)
    const chains = await begunOn(deps, plan, source, true, page)
    const found = await lookAt(push, chains)
    const step = ({ id }: SyncRow) => ({ cursor: chains.get(id)![0]!.id, done: false })
    const stop = found.rows.length > 0 && (await sendPage(push, found, step))
    count += found.rows.length
    if (stop) return { done: false, rows: count, stop }
    if (page.length < pageSize) {
      await storeOutcomes(deps.db, plan, key, [], { cursor: null, done: true })
      return { done: true, rows: count, stop: false, last: !(await hasPutOff(deps.db, push.runId)) }
    }
    after = page.at(-1)!.id
    if (isLate(push)) return { done: false, rows: count, stop: false }
  }
}

/** Records that were put off, looked at once more. */
const lookAgain =
  (source: RunSource) =>
  async (push: Push, putOff: Page['rows']): Promise<Page> => {
    const ids = putOff.map(({ id }) => id)
    const page = await lookAt(push, await chainsOf(push.deps, push.plan, source, true, ids))
    const tries = new Map(putOff.map((row) => [row.id, row.tries ?? 0]))
    return { ...page, rows: page.rows.map((row) => ({ ...row, tries: tries.get(row.id)! })) }
  }

const sum = (counts: runs.Run['counts']): number =>
  Object.values(counts ?? {}).reduce((all, { created, updated }) => all + created + updated, 0)

export const undoActivities = (deps: Dependencies) => ({
  /** Plans the undo: what was pushed and, from lane 1, what is put off on the way; what was pulled and, in lane 1, records that were made. */
  beginUndo: ({ accountId, runId }: RunInput): Promise<{ push: number[]; pull: number[] }> =>
    working(deps, { accountId, runId }, async (run) => {
      const { runId: undone } = sourceOf(run)
      const { counts } = await runs.get(deps.db, accountId, undone)
      const pushed = (counts?.['push']?.read ?? 0) > 0
      // what was pulled goes back without the CRM
      if (pushed) await withCrm(deps, accountId, run.connectionId!, (crm) => readFields(deps, crm, run, pushed))
      const sync =
        run.settings.sync ?? (await settingsOf(deps, await lists.get(deps.db, accountId, run.listId!), run.segmentId))
      const given = { after: undone, upTo: null, kind: 'given' as const }
      const fixed = { total: sum(counts), settings: { ...run.settings, sync } }
      const ranges = pushed ? [given, given] : []
      const push = await lanes.plan(deps.db, { accountId, runId, phase: 'push' }, { ranges, fixed })
      const pull = await lanes.plan(deps.db, { accountId, runId, phase: 'pull' }, { ranges: [given, given] })
      return { push, pull }
    }),

  /** Sets back what the run has written in the CRM, up to a segment of records, from the cursor that was committed last. */
  undoPushSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<PushResult> =>
    working(deps, { accountId, runId }, (run) =>
      withCrm(deps, accountId, run.connectionId!, async (crm, connection) => {
        const source = sourceOf(run)
        const plan = await planOf(deps.db, deps.secrets, run)
        await runs.enter(deps.db, runId, 'push')
        const lane = await lanes.claim(deps.db, accountId, runId, 'push', number)
        if (lane.done) return { done: true, rows: 0, stop: false }
        const push = openPush(deps, crm, { plan, run, lane, width: connection.concurrency })
        if (number === 0) return sendGiven(push, source, lane.cursor ?? lane.afterKey!)
        return sendPutOff(push, lookAgain(source))
      }),
    ),

  /** Sets back what the run has taken over here, and removes the records that it made, up to a segment of one lane. */
  undoPullSegment: ({ accountId, runId, lane: number }: RunInput & { lane: number }): Promise<SegmentResult> =>
    working(deps, { accountId, runId }, async (run) => {
      const source = sourceOf(run)
      const plan = await planOf(deps.db, deps.secrets, run)
      const lane = await lanes.claim(deps.db, accountId, runId, 'pull', number)
      const key = { runId, phase: 'pull' as const, lane: number, attempt: lane.attempt }
      const of = { accountId, listId: plan.listId, source }
      const nextOf = (rows: { id: string }[]): string | null =>
        rows.length < pageSize ? null : (rows.at(-1)?.id ?? null)
      const columns = columnsOf(plan)
      if (number === 1) {
        const undone = await runs.get(deps.db, accountId, source.runId)
        return readSegment({
          lane,
          fetch: async ({ after }) => {
            const rows = await pageCreated(deps.db, undone, after!, pageSize)
            return { rows, next: nextOf(rows) }
          },
          store: ({ rows, next }) => storeRemoved(deps.db, columns, rows, { plan, key, next }),
        })
      }
      return readSegment({
        lane,
        fetch: async ({ after }) => {
          const rows = await pageGiven(deps.db, of, { push: false, kinds: undoneKinds }, after, pageSize)
          const deeds = deedsOf(await begunOn(deps, plan, source, false, rows), false)
          return { rows, deeds, next: nextOf(rows) }
        },
        store: ({ deeds, next }) => storeSetBack(deps.db, columns, deeds, { plan, key, next }),
      })
    }),
})
