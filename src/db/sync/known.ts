import type { CrmEntity, CrmPerson } from '../../domain/crm.ts'
import { decide, seen, type Decision, type SyncColumn } from '../../domain/decide.ts'
import { changesBetween } from '../../domain/edit.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { sameValue } from '../../domain/values.ts'
import type { Sql } from '../database.ts'
import type * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import type * as lanes from '../lane.ts'
import { optOutField, wantsNoMail, type Cleared } from '../optOut/fromCrm.ts'
import type { NewEntry } from '../run/record.ts'
import type { SyncPlan } from './plan.ts'
import { foresee } from './preview.ts'
import { linkedRows, unmark, writeRows, type RowChange, type SyncRow } from './rows.ts'
import { isFollowing, takesOver, type Shown } from './shown.ts'

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
  const there = new Set(await unmark(sql, { connectionId: plan.connectionId, entity }, back))
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

export const changedSince = ({ recordId, crmId, entity, changes }: Omit<NewEntry, 'kind' | 'code'>): NewEntry => ({
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
