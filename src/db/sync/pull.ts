import type { CrmEntity, CrmPage, CrmPerson } from '../../domain/crm.ts'
import { decide, seen, type Decision, type SyncColumn } from '../../domain/decide.ts'
import type { Gone } from '../../domain/gone.ts'
import { changesBetween } from '../../domain/edit.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { truthy } from '../../domain/truthy.ts'
import { sameValue } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { insertNew } from '../import/page.ts'
import * as lanes from '../lane.ts'
import { insertEntries, rejectUnreadable, renewEntries, type NewEntry } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { settleGone } from './gone.ts'
import { forgetLate, keepLate } from './late.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { linkedRows, lockPeople, writeRows, type RowChange, type SyncRow } from './rows.ts'

export type PullPage = Omit<CrmPage<CrmPerson>, 'next'> & {
  next: string | null
  entity: CrmEntity
  /** asked by id and not there any more */
  gone: Gone[]
  /** the ids that were asked for: an earlier run owes them no more */
  late?: string[]
}

export type Context = { plan: SyncPlan; key: lanes.LaneKey; skewMs: number; entity: CrmEntity }
type Found = { person: CrmPerson; row: SyncRow; decision: Decision }

/** Read again within the transaction this often when people here edit the same records; then the row is kept for the next run. */
const rounds = 5

const relink = async (sql: Sql, { plan, entity }: Context, rows: SyncRow[]): Promise<NewEntry[]> => {
  const back = rows.filter(({ state, removed }) => state !== null && !removed).map(({ crmId }) => crmId!)
  if (back.length === 0) return []
  await lockPeople(sql, plan.connectionId)
  const gone = await sql<{ id: string }[]>`
    delete from crm_people where connection_id = ${plan.connectionId}::uuid and entity = ${entity}
      and crm_id = any(string_to_array(${back.join('\n')}::text, E'\n')) returning crm_id as id`
  const there = new Set(gone.map(({ id }) => id))
  return rows
    .filter(({ crmId }) => there.has(crmId!))
    .map(({ id, crmId }) => ({ kind: 'relinked', code: 'seenAgain', recordId: id, crmId, entity }))
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
  columns.some(({ key, field, pulled }) => {
    const theirs = person.values[field.name]
    if (pulled || theirs === undefined || key in decision.patch) return false
    return row.agreed[key] === undefined && !sameValue(row.fields[key], theirs)
  })

export type Sums = { entries: NewEntry[]; notes: edits.NewEdit[]; skips: NewEntry[]; owed: string[] }

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
    const back = await relink(sql, context, [...rows.values()])
    counts.relinked += back.length
    sums.entries.push(...back)
    const changed: Found[] = []
    for (const person of left) {
      const row = rows.get(person.id)
      if (row === undefined) continue
      const entry = { recordId: row.id, crmId: person.id, entity }
      if (row.removed) {
        sums.skips.push({ ...entry, kind: 'skipped', code: 'removedHere' })
        continue
      }
      const found = { person, row, decision: decide(columns, row, person.values, rule) }
      const writes = Object.keys(found.decision.patch).length > 0
      if (writes || !sameAgreed(found)) changed.push(found)
      else if (isHeldBack(plan, found, columns)) sums.skips.push({ ...entry, kind: 'skipped', code: 'notUpdated' })
      else counts.unchanged += 1
    }
    const written = await writeRows(
      sql,
      plan.listId,
      changed.map((found) => changeOf(found, plan.hashKey)),
    )
    for (const found of changed) {
      const { person, row, decision } = found
      if (!written.has(row.id)) continue
      counts.conflicts += decision.conflicts
      const { changes } = decision
      const entry = { recordId: row.id, crmId: person.id, entity, changes }
      const told = seen(columns, row, decision)
      if (Object.keys(told).length > 0) sums.notes.push({ recordId: row.id, kind: 'seen', changes: told })
      if (isHeldBack(plan, found, columns)) {
        sums.skips.push({ ...entry, kind: 'skipped', code: 'notUpdated' })
        // an entry that is renewed says nothing new
        if (Object.keys(changes).length > 0)
          sums.notes.push({ recordId: row.id, kind: 'taken', changes: changesBetween(row.fields, decision.patch) })
      } else if (Object.keys(changes).length === 0) counts.unchanged += 1
      else {
        counts.updated += 1
        sums.entries.push({ ...entry, kind: 'updated', code: null })
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
  const { plan, key, entity } = context
  if (people.length === 0) return
  if (!plan.sync.pull.addNew) {
    sums.skips.push(...people.map(({ id }) => ({ kind: 'skipped' as const, code: 'notAdded', crmId: id })))
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
const flush = async (sql: Sql, { plan, key, entity }: Context, sums: Sums): Promise<void> => {
  await insertEntries(sql, targetFor(plan, entity), key.runId, key.phase, sums.entries.splice(0))
  await edits.insert(sql, { ...plan, runId: key.runId }, sums.notes.splice(0))
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
    const context = { plan, key, skewMs, entity }
    const target = targetFor(plan, entity)
    const counts = { ...lanes.noLaneCounts(), read: page.rows.length }
    counts.withoutEmail = page.rows.filter(({ values }) => !values['Email']).length
    counts.optedOut = page.rows.filter(
      (row) => truthy(row.values['DoNotEmail']) || truthy(row.values['DoNotSolicit']),
    ).length
    const sums: Sums = { entries: [], notes: [], skips: [], owed: [] }
    // other lists may be telling this one whom it owes at this moment
    if ((page.late?.length ?? 0) > 0 || page.gone.length > 0) await lockPeople(sql, plan.connectionId)
    if (page.late !== undefined) await forgetLate(sql, plan.listId, entity, page.late)
    const unknown = await storeKnown(sql, context, page.rows, counts, sums)
    await storeUnknown(sql, context, unknown, counts, sums)
    await flush(sql, context, sums)
    for (const { entity: of, person } of await settleGone(sql, context, page.gone, counts)) {
      counts.read += 1
      await storeKnown(sql, { ...context, entity: of }, [person], counts, sums)
    }
    await flush(sql, context, sums)
    const skipped = await renewEntries(sql, target, key.runId, key.phase, sums.skips)
    counts.skipped += skipped
    // read twice in this run, by two lanes: counted once
    counts.read -= sums.skips.length - skipped
    const rejected = await rejectUnreadable(sql, target, key.runId, key.phase, page.unreadable)
    counts.rejected += rejected
    counts.read += rejected
    if (entity === plan.own) await keepLate(sql, plan, entity, sums.owed)
    await addWarnings(sql, { runId: key.runId, listId: plan.listId }, page.warnings)
    return lanes.advance(sql, key, { cursor: page.next, done: page.next === null, counts })
  }) as Promise<lanes.Moved>
