import type { CrmEntity, CrmPage, CrmPerson } from '../../domain/crm.ts'
import { decide, seen, type Decision, type SyncColumn } from '../../domain/decide.ts'
import type { Gone } from '../../domain/gone.ts'
import { changesBetween } from '../../domain/edit.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { sameValue } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { isErased, withoutErased } from '../erasure/known.ts'
import { hashesOf, skipErased, skipUnreadable } from '../erasure/skip.ts'
import { insertNew } from '../import/page.ts'
import * as lanes from '../lane.ts'
import { liftCleared, optOutField, suppressing, toldBy, wantsNoMail, type Cleared } from '../optOut/fromCrm.ts'
import { insertEntries, rejectUnreadable, renewEntries, type NewEntry } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { settleGone } from './gone.ts'
import { forgetLate, keepLate } from './late.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { entryOfNew, foresee, foreseeNew, lockPreview } from './preview.ts'
import { linkedRows, lockPeople, writeRows, type RowChange, type SyncRow } from './rows.ts'
import { isFollowing, shownOf, takesOver, type Shown } from './shown.ts'

export type PullPage = Omit<CrmPage<CrmPerson>, 'next'> & {
  next: string | null
  entity: CrmEntity
  /** asked by id and not there any more */
  gone: Gone[]
  /** the ids that were asked for: an earlier run owes them no more */
  late?: string[]
}

/**
 * `heirs`: the people are those whom records came to follow, read again after that. `expected`: those who take others of the page over, and are
 * read again so.
 */
export type Context = {
  plan: SyncPlan
  key: lanes.LaneKey
  skewMs: number
  entity: CrmEntity
  shown?: Shown
  heirs?: boolean
  expected?: ReadonlySet<string>
}
type Found = { person: CrmPerson; row: SyncRow; decision: Decision }

/** Read again within the transaction this often when people here edit the same records; then the row is kept for the next run. */
const rounds = 5

/** People who were taken to be gone and are there. */
const relink = async (sql: Sql, { plan, entity }: Context, rows: SyncRow[]): Promise<NewEntry[]> => {
  const returned = rows.filter(({ state, removed }) => state !== null && !removed)
  const back = returned.map(({ crmId }) => crmId!)
  if (back.length === 0) return []
  const seenAgain = ({ id, crmId }: SyncRow): NewEntry => ({
    kind: 'relinked',
    code: 'seenAgain',
    recordId: id,
    crmId,
    entity,
  })
  if (plan.previewId !== null) {
    await foresee(
      sql,
      plan,
      returned.map((row) => ({ row, state: null })),
    )
    return returned.map(seenAgain)
  }
  await lockPeople(sql, plan.connectionId)
  const gone = await sql<{ id: string }[]>`
    delete from crm_people where connection_id = ${plan.connectionId}::uuid and entity = ${entity}
      and crm_id = any(string_to_array(${back.join('\n')}::text, E'\n')) returning crm_id as id`
  const there = new Set(gone.map(({ id }) => id))
  return returned.filter(({ crmId }) => there.has(crmId!)).map(seenAgain)
}

const changeOf = ({ row, decision }: Found, hashKey: SyncPlan['hashKey']): RowChange => ({
  id: row.id,
  version: row.version,
  patch: decision.patch,
  agreed: decision.agreed,
  ...(emailKeyColumn in decision.patch ? { emailKey: emailHexOf(hashKey, decision.patch[emailKeyColumn]) } : {}),
})

const sameAgreed = ({ row, decision }: Found): boolean => JSON.stringify(row.agreed) === JSON.stringify(decision.agreed)

/** The CRM has other values, and what is there already is not to be updated. */
const isHeldBack = ({ sync }: SyncPlan, { row, person, decision }: Found, columns: readonly SyncColumn[]): boolean =>
  !sync.pull.updateExisting &&
  columns.some(({ key, field, pulled, isOurs }) => {
    const theirs = person.values[field.name]
    if (pulled || isOurs || theirs === undefined || key in decision.patch) return false
    return row.agreed[key] === undefined && !sameValue(row.fields[key], theirs)
  })

/** What the ledger lists of a person who is on the list; undefined where nothing is to be told. */
const entryOf = (context: Context, found: Found): NewEntry | undefined => {
  const { plan, entity } = context
  const { row, person, decision } = found
  const entry = { recordId: row.id, crmId: person.id, entity }
  if (row.removed) return { ...entry, kind: 'skipped', code: 'removedHere' }
  const { changes } = decision
  const tells = Object.keys(changes).length > 0
  if (isHeldBack(plan, found, plan.of[entity].columns))
    return { ...entry, kind: 'skipped', code: 'notUpdated', ...(tells && { changes }) }
  return tells ? { ...entry, kind: 'updated', code: null, changes } : undefined
}

/** S8: whether this run has told of everything that a preview has shown of a person, or that it is otherwise by now. */
const isTold = async (sql: Sql, { key, shown, entity }: Context, row: SyncRow): Promise<boolean> => {
  const told = await sql<{ kind: string; code: string | null }[]>`
    select kind, code from entries where last_run_id = ${key.runId}::uuid and record_id = ${row.id}::uuid`
  return shown!
    .of(entity, row.crmId!)
    .filter(({ kind }) => kind !== 'relinked')
    .every((deed) =>
      told.some(({ kind, code }) => code === 'changedSince' || (kind === deed.kind && code === deed.code)),
    )
}

/**
 * S8: whether a preview has shown what is about to be done. Nothing to do is right for somebody whom a record came to follow, and of whom everything
 * shown is told.
 */
const isShown = async (sql: Sql, context: Context, row: SyncRow, entry: NewEntry | undefined): Promise<boolean> => {
  const { shown, entity, heirs } = context
  if (shown === undefined) return true
  // somebody else was to be followed, and the person is there again
  if (heirs !== true && shown.ofRecord(row.id).some(isFollowing)) return false
  if (entry !== undefined && shown.has(entry)) return true
  if (entry?.changes !== undefined) return false
  const of = shown.of(entity, row.crmId!)
  if (entry === undefined && of.every(({ kind }) => kind === 'relinked')) return true
  return takesOver(shown, row) && isTold(sql, context, row)
}

const changedSince = ({ recordId, crmId, entity, changes }: Omit<NewEntry, 'kind' | 'code'>): NewEntry => ({
  kind: 'skipped',
  code: 'changedSince',
  crmId,
  ...(entity && { entity }),
  ...(recordId !== undefined && { recordId }),
  ...(changes && { changes }),
})

/** Answers the ids of the records that stand as they were decided about: all of them in a preview, which writes none. */
const write = async (sql: Sql, plan: SyncPlan, changed: Found[]): Promise<Set<string>> => {
  if (plan.previewId === null) {
    const changes = changed.map((found) => changeOf(found, plan.hashKey))
    return writeRows(sql, plan.listId, changes)
  }
  const foreseen = changed.map(({ row, decision: { patch, agreed } }) => ({ row, patch, agreed, state: null }))
  await foresee(sql, plan, foreseen)
  return new Set(changed.map(({ row }) => row.id))
}

export type Sums = {
  entries: NewEntry[]
  notes: edits.NewEdit[]
  skips: NewEntry[]
  owed: string[]
  cleared: Cleared[]
  /** people whom others of the page go into: what is told if they are not read again after that */
  deferred: Map<string, NewEntry>
}

/** People who are on the list: decides and writes until nobody else's edit is in between. */
export const storeKnown = async (
  sql: Sql,
  context: Context,
  people: CrmPerson[],
  counts: lanes.LaneCounts,
  sums: Sums,
): Promise<CrmPerson[]> => {
  const { plan, entity, skewMs } = context
  const { columns } = plan.of[entity]
  const rule = { conflict: plan.sync.conflict, skewMs }
  let left = people
  let unknown: CrmPerson[] = []
  for (let round = 0; left.length > 0 && round < rounds; round += 1) {
    const rows = await linkedRows(
      sql,
      plan,
      entity,
      left.map(({ id }) => id),
    )
    if (round === 0) unknown = left.filter(({ id }) => !rows.has(id))
    const changed: Found[] = []
    const settled: SyncRow[] = []
    for (const person of left) {
      const row = rows.get(person.id)
      if (row === undefined) continue
      const found = { person, row, decision: decide(columns, row, person.values, rule) }
      const entry = entryOf(context, found)
      if (!(await isShown(sql, context, row, entry))) {
        const since = changedSince(entry ?? { recordId: row.id, crmId: person.id, entity })
        if (context.expected?.has(person.id) === true) sums.deferred.set(person.id, since)
        else sums.skips.push(since)
        continue
      }
      settled.push(row)
      const writes = Object.keys(found.decision.patch).length > 0
      if (!row.removed && (writes || !sameAgreed(found))) changed.push(found)
      else if (entry !== undefined) sums.skips.push(entry)
      else counts.unchanged += 1
    }
    const back = await relink(sql, context, settled)
    counts.relinked += back.length
    sums.entries.push(...back)
    const written = await write(sql, plan, changed)
    for (const found of changed) {
      const { row, decision } = found
      if (!written.has(row.id)) continue
      counts.conflicts += decision.conflicts
      if (optOutField(found.person) === undefined && wantsNoMail(row.fields)) {
        const key = emailHexOf(plan.hashKey, row.fields[emailKeyColumn])
        if (key !== '') sums.cleared.push({ key, id: found.person.id })
      }
      const told = seen(columns, row, decision)
      if (Object.keys(told).length > 0) sums.notes.push({ recordId: row.id, kind: 'seen', changes: told })
      const entry = entryOf(context, found)
      if (entry === undefined) counts.unchanged += 1
      else if (entry.kind === 'skipped') {
        sums.skips.push(entry)
        // an entry that is renewed says nothing new
        if (Object.keys(decision.changes).length > 0)
          sums.notes.push({ recordId: row.id, kind: 'taken', changes: changesBetween(row.fields, decision.patch) })
      } else {
        counts.updated += 1
        sums.entries.push(entry)
      }
    }
    left = changed.filter(({ row }) => !written.has(row.id)).map(({ person }) => person)
  }
  sums.owed.push(...left.map(({ id }) => id))
  sums.skips.push(...left.map(({ id }) => ({ kind: 'skipped' as const, code: 'editedMeanwhile', crmId: id })))
  return unknown
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

const heirsOf = (gone: readonly Gone[]) => gone.flatMap(({ fate }) => ('to' in fate ? [fate.to] : []))

/** What a preview has shown of the people of a page, of those who took them over, and of their records. */
const shownTo = async (sql: Sql, plan: SyncPlan, { rows, gone, entity }: PullPage): Promise<Shown | undefined> => {
  const people = [...rows, ...gone].map(({ id }) => id)
  const known = await linkedRows(sql, plan, entity, people)
  const crmIds = [...people, ...heirsOf(gone).map(({ person }) => person.id)]
  return shownOf(sql, plan, false, { crmIds, recordIds: [...known.values()].map(({ id }) => id) })
}

/** Somebody whom an erased person took over is gone like any other: nobody is brought back by it (R40). */
const withoutHeir =
  ({ erased, hashKey }: SyncPlan) =>
  (gone: Gone): Gone => {
    if (!('to' in gone.fate)) return gone
    const { entity, person } = gone.fate.to
    return isErased({ erased, hashKey, entity }, person) ? { ...gone, fate: { kind: 'deleted' } } : gone
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
    const heirs = heirsOf(gone).filter((each) => each.entity === entity)
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
    for (const { entity: of, person } of await settleGone(sql, context, gone, counts)) {
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
