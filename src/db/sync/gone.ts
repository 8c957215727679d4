import type { CrmFound } from '../../domain/crm.ts'
import type { Gone } from '../../domain/gone.ts'
import type { Candidate } from '../../domain/match.ts'
import { goesAsShown } from '../../domain/preview.ts'
import type { EntryChanges, EntryWarning } from '../../domain/run.ts'
import type { Sql } from '../database.ts'
import { ask, close } from '../decision/ask.ts'
import { isErased } from '../erasure/known.ts'
import type * as lanes from '../lane.ts'
import { insertEntries, rejectUnreadable, renewEntries, type NewEntry } from '../run/record.ts'
import { keepLate } from './late.ts'
import { mergeRecords, planMerge } from './merge.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { foresee } from './preview.ts'
import { linkedRows, lockedRows, lockPeople, type SyncRow } from './rows.ts'
import type { Shown } from './shown.ts'

type Context = { plan: SyncPlan; key: lanes.LaneKey; shown?: Shown }

/** Somebody whom an erased person took over is gone like any other: nobody is brought back by it (R40). */
export const withoutHeir =
  ({ erased, hashKey }: SyncPlan) =>
  (gone: Gone): Gone => {
    const { fate } = gone
    const isKept = ({ entity, person }: Candidate): boolean => !isErased({ erased, hashKey, entity }, person)
    if ('to' in fate) return isKept(fate.to) ? gone : { ...gone, fate: { kind: 'deleted' } }
    if (fate.kind !== 'undecided') return gone
    const candidates = fate.candidates.filter(isKept)
    return { ...gone, fate: candidates.length > 0 ? { ...fate, candidates } : { kind: 'deleted' } }
  }

/** What was found out of a person for one list holds for the others: their next sync reads the person by id, and follows. */
const tellOthers = (sql: Sql, { plan }: Context, { id, entity }: Gone) => sql`
  insert into late_rows (list_id, entity, crm_id, account_id)
  select r.list_id, r.crm_entity, r.crm_id, r.account_id
  from lists l join records r on r.list_id = l.id and r.crm_entity = ${entity} and r.crm_id = ${id}
  where l.connection_id = ${plan.connectionId}::uuid and l.id <> ${plan.listId}::uuid and l.removed_at is null and r.removed_at is null
  on conflict do nothing`

/** Answers whether the person is marked: of whom it was found out since the question who took them over is asked for again. */
const mark = async (
  sql: Sql,
  { plan, key }: Context,
  { id, entity, heir, fate }: Gone,
  row: SyncRow | undefined,
): Promise<boolean> => {
  const state = 'to' in fate ? fate.kind : 'as' in fate ? fate.as : 'deletedInCrm'
  const to = 'to' in fate ? fate.to : null
  if (plan.previewId !== null) {
    if (row !== undefined) await foresee(sql, plan, [{ row, state }])
    return true
  }
  const { count } = await sql`
    insert into crm_people (connection_id, entity, crm_id, account_id, state, successor_entity, successor_id, run_id)
    values (${plan.connectionId}::uuid, ${entity}, ${id}, ${plan.accountId}::uuid, ${state}, ${to?.entity ?? null}, ${to?.person.id ?? null}, ${key.runId}::uuid)
    on conflict (connection_id, entity, crm_id) do update set state = excluded.state, successor_entity = excluded.successor_entity,
      successor_id = excluded.successor_id, run_id = excluded.run_id, since = now()
      where crm_people.successor_id is null
        or (crm_people.successor_entity = excluded.successor_entity and crm_people.successor_id = excluded.successor_id)
        or (crm_people.successor_entity = ${heir?.entity ?? null}::text and crm_people.successor_id = ${heir?.id ?? null}::text)`
  return count > 0
}

/** R16: the record follows the person; where that person is on the list already, the two become one. Answers the record that is left. */
const follow = async (
  sql: Sql,
  { plan, key }: Context,
  row: SyncRow,
  {
    id,
    entity,
    fate,
  }: Gone & { fate: { kind: 'converted' | 'merged'; to: { entity: 'lead' | 'contact'; person: CrmFound } } },
): Promise<string> => {
  const { to } = fate
  const other = (await linkedRows(sql, plan, to.entity, [to.person.id])).get(to.person.id)
  const entry = { kind: 'relinked' as const, code: fate.kind, recordId: row.id, crmId: to.person.id, entity: to.entity }
  const warnings = [{ code: 'was', ids: [id] }]
  if (other === undefined) {
    if (plan.previewId !== null)
      await foresee(sql, plan, [{ row, link: { entity: to.entity, id: to.person.id }, state: null }])
    else
      await sql`
      update records set crm_entity = ${to.entity}, crm_id = ${to.person.id}, version = version + 1, updated_at = now() where id = ${row.id}::uuid`
    await insertEntries(sql, targetFor(plan, entity), key.runId, key.phase, [{ ...entry, warnings }])
    return row.id
  }
  const rows = await lockedRows(sql, plan, [row.id, other.id])
  const [from, into] = [rows.get(row.id), rows.get(other.id)]
  if (from === undefined || into === undefined) return row.id
  const changes = await mergeRecords(sql, plan, from, into, 'edited', key.runId)
  const back = into.removed ? [{ code: 'restored', ids: [into.id] }] : []
  const both = [...warnings, { code: 'mergedIntoRecord', ids: [into.id] }, ...back]
  await insertEntries(sql, targetFor(plan, entity), key.runId, key.phase, [{ ...entry, changes, warnings: both }])
  return into.id
}

/** S8: whether a preview has shown the values that go into another record. */
const isShownMerge = async (
  sql: Sql,
  plan: SyncPlan,
  row: SyncRow | undefined,
  other: SyncRow,
  shown: EntryChanges,
): Promise<boolean> => {
  if (row === undefined || row.removed) return true
  const rows = await lockedRows(sql, plan, [row.id, other.id])
  const [from, into] = [rows.get(row.id), rows.get(other.id)]
  if (from === undefined || into === undefined) return true
  const { changes } = planMerge(plan, from, into, 'edited')
  return goesAsShown(shown, changes, into.fields)
}

const said = (warnings: EntryWarning[] | null, code: string): boolean =>
  warnings?.some((warning) => warning.code === code) ?? false

/** S8: whether a preview has shown that this became of the person. */
const isShown = async (
  sql: Sql,
  { plan, shown }: Context,
  { id, entity, fate }: Gone,
  row: SyncRow | undefined,
): Promise<boolean> => {
  if (shown === undefined) return true
  const entries = [...shown.of(entity, id), ...(row === undefined ? [] : shown.ofRecord(row.id))]
  if (fate.kind === 'deleted') return entries.some(({ kind }) => kind === 'deleted' && row?.state !== 'deletedInCrm')
  if (fate.kind === 'undecided') return entries.some(({ code }) => code === 'needsDecision')
  if (!('to' in fate)) return false
  const { to } = fate
  const other = (await linkedRows(sql, plan, to.entity, [to.person.id])).get(to.person.id)
  const found = entries.find(
    ({ kind, code, crmId, crmEntity, warnings }) =>
      kind === 'relinked' &&
      code === fate.kind &&
      crmId === to.person.id &&
      crmEntity === to.entity &&
      said(warnings, 'mergedIntoRecord') === (other !== undefined) &&
      said(warnings, 'restored') === (other?.removed ?? false),
  )
  if (found === undefined || other === undefined) return found !== undefined
  return isShownMerge(sql, plan, row, other, found.changes ?? {})
}

type Followed = { entity: 'lead' | 'contact'; person: CrmFound; recordId: string }

/**
 * People who do not answer to their own key any more: marked, or followed to whom they became (R15, R16). Answers the people that records were
 * re-linked to, whose values are to be compared, with the records; and the records to look at again, since another list has meanwhile found out who
 * took their people over. Counts stand beside the sum, but for those that are left for later.
 */
export const settleGone = async (
  sql: Sql,
  context: Context,
  gone: Gone[],
  counts: lanes.LaneCounts,
): Promise<{ followed: Followed[]; again: string[] }> => {
  const { plan, key, shown } = context
  const followed: Followed[] = []
  const again: string[] = []
  const previews = plan.previewId !== null
  if (gone.length > 0 && !previews) await lockPeople(sql, plan.connectionId)
  for (const each of gone.map(withoutHeir(plan))) {
    const { id, entity, fate } = each
    const row = (await linkedRows(sql, plan, entity, [id])).get(id)
    const target = targetFor(plan, entity)
    const subject = { crmId: id, entity, ...(row === undefined ? {} : { recordId: row.id }) }
    const skip = async (code: string, warnings: NewEntry['warnings'] = []): Promise<void> => {
      const entry: NewEntry = { ...subject, kind: 'skipped', code, warnings }
      const skipped = await renewEntries(sql, target, key.runId, key.phase, [entry])
      counts.skipped += skipped
      counts.read += skipped
    }
    if (fate.kind === 'unread') {
      const rejected = await rejectUnreadable(sql, target, key.runId, key.phase, [{ id, crm: fate.crm }])
      counts.rejected += rejected
      counts.read += rejected
      continue
    }
    if (!(await isShown(sql, context, each, row))) {
      await skip('changedSince')
      continue
    }
    if (fate.kind === 'doubtful') {
      await skip('massDeletion')
      if (entity === plan.own && !previews) await keepLate(sql, plan, entity, [id])
      continue
    }
    if (fate.kind === 'deleted' && row?.state === 'deletedInCrm') continue
    // without a record nobody can look for who took them over: the lists that have one do
    if (fate.kind === 'deleted' && row === undefined) {
      if (!previews) await tellOthers(sql, context, each)
      continue
    }
    if (!(await mark(sql, context, each, row))) {
      if (entity === plan.own) await keepLate(sql, plan, entity, [id])
      if (row !== undefined) again.push(row.id)
      continue
    }
    if ('to' in fate && !previews) await tellOthers(sql, context, each)
    if (row?.removed === true && shown !== undefined && shown.ofRecord(row.id).length > 0) await skip('changedSince')
    if (row === undefined || row.removed) continue
    if (fate.kind === 'undecided') {
      const { candidates } = fate
      await skip('needsDecision', [{ code: 'candidates', ids: candidates.map(({ person }) => person.id) }])
      const person = { entity, id }
      if (!previews) await ask(sql, plan, key.runId, [{ recordId: row.id, kind: 'successor', person, candidates }])
      continue
    }
    if (!previews) await close(sql, [row.id])
    if (fate.kind === 'deleted') {
      counts.deleted += 1
      await insertEntries(sql, target, key.runId, key.phase, [{ ...subject, kind: 'deleted', code: 'deletedInCrm' }])
    } else {
      counts.relinked += 1
      followed.push({ ...fate.to, recordId: await follow(sql, context, row, { ...each, fate }) })
    }
  }
  return { followed, again }
}
