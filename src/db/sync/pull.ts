import type { CrmEntity, CrmPage, CrmPerson } from '../../domain/crm.ts'
import type { Gone } from '../../domain/gone.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { withoutErased } from '../erasure/known.ts'
import { hashesOf, skipErased, skipUnreadable } from '../erasure/skip.ts'
import { insertNew } from '../import/page.ts'
import * as lanes from '../lane.ts'
import { liftCleared, optOutField, suppressing, toldBy } from '../optOut/fromCrm.ts'
import { insertEntries, rejectUnreadable, renewEntries } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { settleGone, withoutHeir } from './gone.ts'
import { changedSince, storeKnown, type Context, type Sums } from './known.ts'
import { forgetLate, keepLate } from './late.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { entryOfNew, foreseeNew, lockPreview } from './preview.ts'
import { linkedRows, lockPeople } from './rows.ts'
import { shownOf, type Shown } from './shown.ts'

export type PullPage = Omit<CrmPage<CrmPerson>, 'next'> & {
  next: string | null
  entity: CrmEntity
  /** asked by id and not there any more */
  gone: Gone[]
  /** the ids that were asked for: an earlier run owes them no more */
  late?: string[]
}

/** People who are not on the list: made when that is ticked. */
const storeUnknown = async (
  sql: Sql,
  context: Context,
  people: CrmPerson[],
  counts: lanes.LaneCounts,
  sums: Sums,
): Promise<void> => {
  const { plan, key, entity, shown } = context
  if (shown !== undefined) {
    const entries = people.map((person) => entryOfNew(plan, entity, person))
    sums.skips.push(...entries.filter((entry) => !shown.has(entry)).map(changedSince))
    return storeUnknown(
      sql,
      { ...context, shown: undefined },
      people.filter((_, at) => shown.has(entries[at]!)),
      counts,
      sums,
    )
  }
  if (people.length === 0) return
  if (!plan.sync.pull.addNew) {
    sums.skips.push(...people.map(({ id }) => ({ kind: 'skipped' as const, code: 'notAdded', crmId: id })))
    return
  }
  if (plan.previewId !== null) {
    await foreseeNew(sql, plan, entity, people)
    counts.created += people.length
    sums.entries.push(...people.map((person) => entryOfNew(plan, entity, person)))
    return
  }
  const made = await insertNew(sql, targetFor(plan, entity), key.runId, people)
  counts.created += made
  if (made < people.length) {
    // somebody else put them there since they were looked for: they are compared like the others
    const twice = await storeKnown(sql, context, people, counts, sums)
    counts.unchanged -= made
    if (twice.length > 0) throw new Error('a record that was there is gone')
  }
}

/** Before anything else happens to the same records: ids are in the order of what happened. */
const flush = async (sql: Sql, { plan, key, entity }: Context, counts: lanes.LaneCounts, sums: Sums): Promise<void> => {
  const target = targetFor(plan, entity)
  await insertEntries(sql, target, key.runId, key.phase, sums.entries.splice(0))
  const skips = sums.skips.splice(0)
  const skipped = await renewEntries(sql, target, key.runId, key.phase, skips)
  counts.skipped += skipped
  // read twice in this run, by two lanes or after others came: counted once
  counts.read -= skips.length - skipped
  const notes = sums.notes.splice(0)
  if (plan.previewId === null) await edits.insert(sql, { ...plan, runId: key.runId }, notes)
}

const followedIn = (gone: readonly Gone[]) => gone.flatMap(({ fate }) => ('to' in fate ? [fate.to] : []))

/** What a preview has shown of the people of a page, of those who took them over, and of their records. */
const shownTo = async (sql: Sql, plan: SyncPlan, { rows, gone, entity }: PullPage): Promise<Shown | undefined> => {
  const people = [...rows, ...gone].map(({ id }) => id)
  const known = await linkedRows(sql, plan, entity, people)
  const crmIds = [...people, ...followedIn(gone).map(({ person }) => person.id)]
  return shownOf(sql, plan, false, { crmIds, recordIds: [...known.values()].map(({ id }) => id) })
}

/**
 * Stores a page of a pull and moves its lane on, all or nothing: an unchanged page costs one read and no write besides. Throws leaseLost when
 * another attempt at the lane has begun.
 */
export const storePull = (
  db: Database,
  plan: SyncPlan,
  key: lanes.LaneKey,
  skewMs: number,
  page: PullPage,
): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const { entity } = page
    const previews = plan.previewId !== null
    const shown = plan.source?.as === 'preview' ? await shownTo(sql, plan, page) : undefined
    const gone = page.gone.map(withoutHeir(plan))
    const heirs = followedIn(gone).filter((each) => each.entity === entity)
    const expected = new Set(heirs.map(({ person }) => person.id))
    const context: Context = { plan, key, skewMs, entity, shown, expected }
    const target = targetFor(plan, entity)
    const { people: rows, erased } = withoutErased({ ...plan, entity }, page.rows)
    const { unreadable, erased: unread } = await skipUnreadable(sql, target, key.runId, key.phase, page.unreadable)
    const counts = { ...lanes.noLaneCounts(), read: page.rows.length + unread }
    counts.skipped = unread + (await skipErased(sql, target, key.runId, key.phase, hashesOf(target, erased)))
    counts.withoutEmail = rows.filter(({ values }) => !values['Email']).length
    const optedOut = rows.filter((row) => optOutField(row) !== undefined)
    counts.optedOut = optedOut.length
    const sums: Sums = { entries: [], notes: [], skips: [], owed: [], cleared: [], deferred: new Map() }
    // other lists may be telling this one whom it owes at this moment
    if (previews) await lockPreview(sql, plan.previewId!)
    else if ((page.late?.length ?? 0) > 0 || page.gone.length > 0) await lockPeople(sql, plan.connectionId)
    if (page.late !== undefined && !previews) await forgetLate(sql, plan.listId, entity, page.late)
    const unknown = await storeKnown(sql, context, rows, counts, sums)
    await storeUnknown(sql, context, unknown, counts, sums)
    await flush(sql, context, counts, sums)
    const { followed } = await settleGone(sql, context, gone, counts)
    for (const { entity: of, person } of followed) {
      counts.read += 1
      if (of === entity && sums.deferred.delete(person.id)) counts.unchanged += 1
      await storeKnown(sql, { ...context, entity: of, heirs: true }, [person], counts, sums)
      await flush(sql, context, counts, sums)
    }
    sums.skips.push(...sums.deferred.values())
    await flush(sql, context, counts, sums)
    const rejected = await rejectUnreadable(sql, target, key.runId, key.phase, unreadable)
    counts.rejected += rejected
    counts.read += rejected
    if (entity === plan.own && !previews) await keepLate(sql, plan, entity, sums.owed)
    if (!previews) {
      const told = toldBy(
        optedOut,
        optedOut.map(({ values }) => emailHexOf(plan.hashKey, values['Email'])),
      )
      if (told.length > 0) await suppressing(sql, target, key.runId, told)
      await liftCleared(sql, target, key.runId, sums.cleared)
    }
    await addWarnings(sql, { runId: key.runId, listId: plan.listId }, page.warnings)
    return lanes.advance(sql, key, { cursor: page.next, done: page.next === null, counts })
  }) as Promise<lanes.Moved>
