import * as accounts from '../../db/account.ts'
import { markUncompared } from '../../db/column.ts'
import * as connections from '../../db/connection.ts'
import * as importPlan from '../../db/import/plan.ts'
import * as lanes from '../../db/lane.ts'
import type { Lane, LanePlan } from '../../db/lane.ts'
import * as lists from '../../db/list.ts'
import { isUsed as isParking } from '../../db/quarantine.ts'
import * as runs from '../../db/run/state.ts'
import { countIds } from '../../db/sync/late.ts'
import { chooseMembers } from '../../db/sync/member.ts'
import { otherThan, planOf, type SyncPlan } from '../../db/sync/plan.ts'
import * as settings from '../../db/sync/settings.ts'
import type { Crm, CrmChanged, CrmEntity, CrmField } from '../../domain/crm.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { laneCount, laneOffsets, laneRanges } from '../../domain/lane.ts'
import type { RunSource } from '../../domain/run.ts'
import type { RunSync } from '../../domain/sync.ts'
import { beat } from '../beat.ts'
import { withCrm } from '../crm.ts'
import type { Dependencies, RunInput } from '../dependencies.ts'
import { runErrorOf, working } from '../run.ts'
import { isRetry, retriedRanges } from './retry.ts'

/** R14: how far before the mark a pull reads again. */
const overlapMs = 15 * 60_000

type Ranges = LanePlan['ranges']
const open = (kind: Lane['kind']): Ranges => [{ after: null, upTo: null, kind }]

/** People, all or those that changed, in ranges that are read side by side. */
const divide = async (
  crm: Crm,
  entity: CrmEntity,
  concurrency: number,
  kind: 'people' | 'changes' | 'addresses',
  changed?: CrmChanged,
): Promise<{ total: number | null; ranges: Ranges }> => {
  const options = changed === undefined ? {} : { changed }
  const total = await crm.total(entity, options)
  const offsets = laneOffsets(total ?? 0, laneCount(total, concurrency))
  const keys = await Promise.all(offsets.map((offset) => crm.keyAt(entity, offset, options)))
  return { total, ranges: laneRanges(keys).map((range) => ({ ...range, kind })) }
}

type List = lists.List

/** S6: what the run keeps to from now on. */
export const settingsOf = async (
  { db }: Dependencies,
  list: List,
  segmentId: string | null = null,
): Promise<RunSync> => {
  const { push, pull } = await settings.get(db, list.accountId, list.id, segmentId)
  const { conflict, ambiguousMatch, unmappedAddress } = await accounts.get(db, list.accountId)
  return { push, pull, conflict, ambiguousMatch, unmappedAddress, widenedAt: list.widenedAt?.toISOString() ?? null }
}

/** S8: the settings that the preview went by; its application settles no widening. */
const settingsShown = async ({ db }: Dependencies, accountId: string, { runId }: RunSource): Promise<RunSync> => {
  const { settings: shown } = await runs.get(db, accountId, runId)
  if (shown.sync === undefined) throw new Error('the preview has not begun')
  return { ...shown.sync, widenedAt: null }
}

/** R14: since when a pull reads; null without a mark. */
export const sinceOf = ({ mark }: Pick<List, 'mark'>): string | null =>
  mark === null ? null : new Date(mark.getTime() - overlapMs).toISOString()

const rangesOf = async (
  { db }: Dependencies,
  crm: Crm,
  list: List,
  own: CrmEntity,
  concurrency: number,
  addresses: boolean,
): Promise<{ total: number | null; ranges: Ranges }> => {
  const ids = await countIds(db, { accountId: list.accountId, listId: list.id }, own)
  const byId: Ranges = [...(ids.late > 0 ? open('late') : []), ...(ids.others > 0 ? open('others') : [])]
  // everybody, where more is pulled than before
  const since = list.widenedAt === null ? sinceOf(list) : null
  if (since === null) {
    const { total, ranges } = await divide(crm, own, concurrency, 'people')
    return { total, ranges: [...ranges, ...byId] }
  }
  const people = await divide(crm, own, concurrency, 'changes', { since, of: 'person' })
  const homes: Ranges = addresses ? open('addresses') : []
  const owed = ids.late + ids.others
  return { total: people.total === null ? null : people.total + owed, ranges: [...people.ranges, ...homes, ...byId] }
}

/**
 * The CRM's fields are read anew when they were not read for so long, and by every run of a list of which one is gone; what vanishes meanwhile is
 * noticed by the reads themselves (R24).
 */
const fieldsForMs = 15 * 60_000

/**
 * Fields of both entities; those of the other may be missing where the CRM does not offer it and nothing is pushed. While records of the list are
 * parked, they are read anew: a CRM that was mended is noticed at once (R23). Answers those of the list's own entity, none for a plain list.
 */
export const readFields = async (deps: Dependencies, crm: Crm, run: runs.Run, pushes: boolean): Promise<CrmField[]> => {
  const own = run.entity
  const anew = pushes && (await isParking(deps.db, run.listId!))
  const known = async (entity: CrmEntity): Promise<CrmField[] | undefined> => {
    if (anew) return undefined
    const found = await connections.findFields(deps.db, run.accountId, entity)
    return found !== undefined && Date.now() - found.readAt.getTime() < fieldsForMs ? found.fields : undefined
  }
  const readOther = async (other: CrmEntity): Promise<void> => {
    if ((await known(other)) !== undefined) return
    try {
      await connections.upsertFields(deps.db, run.accountId, run.connectionId!, other, await crm.fields(other))
    } catch (error) {
      if (pushes || !isFairleadError(error) || error.code !== 'entityDisabled') throw error
    }
  }
  const readOwn = async (own: CrmEntity): Promise<CrmField[]> => {
    const bound = await importPlan.boundColumns(deps.db, run.listId!)
    const fields = bound.some(({ staleAt }) => staleAt !== null) ? undefined : await known(own)
    if (fields !== undefined) {
      await importPlan.markStale(deps.db, run, fields)
      return fields
    }
    const live = await crm.fields(own)
    await importPlan.noteFields(deps.db, run, live)
    return live
  }
  if (own === null) {
    await Promise.all([readOther('lead'), readOther('contact')])
    return []
  }
  const [fields] = await Promise.all([readOwn(own), readOther(otherThan[own])])
  return fields
}

/** How people of both entities are read and written by the list's settings of this moment: for a run that keeps to none of its own. */
export const planNow = async (deps: Dependencies, crm: Crm, run: runs.Run): Promise<SyncPlan> => {
  const list = await lists.getEver(deps.db, run.accountId, run.listId!)
  await readFields(deps, crm, run, false)
  const sync = run.settings.sync ?? (await settingsOf(deps, list, run.segmentId))
  return planOf(deps.db, deps.secrets, { ...run, settings: { ...run.settings, sync } })
}

/** A segment whose filter fits no more: the run ends with the place that is to be mended. */
const refused = async ({ db }: Dependencies, run: runs.Run, error: unknown): Promise<never> => {
  if (isFairleadError(error) && error.kind === 'request')
    await runs.noteWaiting(db, run.id, runErrorOf(error, run.error))
  throw error
}

/** What is fixed without a CRM that is asked: a push alone reads nobody. */
const pushOnly = (fixed: LanePlan['fixed']): LanePlan => ({ ranges: [], fixed: { ...fixed, mark: null, total: null } })

export const beginActivities = (deps: Dependencies) => ({
  /** Fixes the settings, the mark and what is read, once; a repeated call finds them. Answers the lanes, and whether anything is pushed. */
  beginSync: ({ accountId, runId }: RunInput): Promise<{ lanes: number[]; push: boolean }> =>
    working(deps, { accountId, runId }, async (run) => {
      await runs.enter(deps.db, runId, 'read')
      const begun = run.settings.sync
      const { source } = run.settings
      if (begun !== undefined) {
        const planned = await lanes.all(deps.db, runId, 'pull')
        return { lanes: planned.map(({ lane }) => lane), push: begun.push.enabled }
      }
      // what has to be compared is pending from now on, also for the members of a segment
      await markUncompared(deps.db, run.listId!, () => beat({ phase: 'read' }))
      const { push } = await settings.get(deps.db, accountId, run.listId!, run.segmentId)
      const own = run.entity
      // a preview changes nothing
      if (own === null && run.kind !== 'preview') await lists.bindTo(deps.db, run.listId!, run.connectionId!)
      const plan = await withCrm(deps, accountId, run.connectionId!, async (crm, connection): Promise<LanePlan> => {
        const fields = await readFields(deps, crm, run, push.enabled)
        // a field that is back has widened the pull
        const list = await lists.get(deps.db, accountId, run.listId!)
        const sync =
          source?.as === 'preview'
            ? await settingsShown(deps, accountId, source)
            : await settingsOf(deps, list, run.segmentId)
        const fixed = { crmUserId: connection.crmUserId, settings: { ...run.settings, sync } }
        if (source?.as === 'preview') {
          // lane 0 is people of the list's own entity, lane 1 those of the other
          const ranges = sync.pull.enabled ? [...open('given'), ...open('given')] : []
          return { ranges, fixed: { ...fixed, mark: null, total: null } }
        }
        if (isRetry(run))
          return {
            ranges: sync.pull.enabled ? await retriedRanges(deps, run) : [],
            fixed: { ...fixed, mark: null, total: null },
          }
        if (!sync.pull.enabled || own === null) return pushOnly(fixed)
        const addresses = fields.some(({ name }) => name.startsWith('Address/'))
        const [mark, { total, ranges }] = await Promise.all([
          crm.latestChange(own, { addresses }),
          rangesOf(deps, crm, list, own, connection.concurrency, addresses),
        ])
        return { ranges, fixed: { ...fixed, total, mark: mark === null ? null : new Date(mark) } }
      })
      const choose = (tx: Parameters<typeof chooseMembers>[0]) => chooseMembers(tx, deps.secrets, run)
      const members = run.segmentId === null || source !== undefined ? {} : { choose }
      const planned = await lanes
        .plan(deps.db, { accountId, runId, phase: 'pull' }, { ...plan, ...members })
        .catch((error: unknown) => refused(deps, run, error))
      const { settings: fixed } = await runs.get(deps.db, accountId, runId)
      return { lanes: planned, push: fixed.sync?.push.enabled ?? false }
    }),
})
