import type { CrmEntity, CrmWarning } from '../../domain/crm.ts'
import { settle } from '../../domain/decide.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { changesBetween, type ValueChanges } from '../../domain/edit.ts'
import { changesOf, matchedOf, rebase, seenIn, uncompared, type Outcome } from '../../domain/push.ts'
import type { EntryWarning } from '../../domain/run.ts'
import type { Database, Sql } from '../database.ts'
import * as decisions from '../decision.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { listErased } from '../erasure/skip.ts'
import * as lanes from '../lane.ts'
import * as quarantine from '../quarantine.ts'
import { insertEntries, renewEntries, type NewEntry } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { countedByOthers, finishCreations } from './creation.ts'
import { settleGone } from './gone.ts'
import { mergeRecords, planMerge } from './merge.ts'
import { putOff, takeUp, type Delay } from './pending.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { foresee, isNewLead, newLeadId, type Foreseen } from './preview.ts'
import { linkedRows, lockedRows, writeRows, type RowChange, type SyncRow } from './rows.ts'
import { shownOf, type Shown } from './shown.ts'

type Batch = {
  sql: Sql
  plan: SyncPlan
  key: lanes.LaneKey
  counts: lanes.LaneCounts
  rows: Map<string, SyncRow>
  delays: Delay[]
  /** created and updated people, and records that were linked */
  done: NewEntry[]
  /** skips and rejections */
  reasons: NewEntry[]
  /** what became of records beside their entries */
  notes: edits.NewEdit[]
  /** for a run that applies a preview */
  shown: Shown | undefined
}

/** What the CRM answered, on the record as it is now. */
const applied = ({ plan }: Batch, row: SyncRow, outcome: Outcome): { change: RowChange; warnings: EntryWarning[] } => {
  const at = new Date().toISOString()
  const { columns = [], sent } = outcome
  const based = rebase(row, outcome, at)
  const now = { fields: { ...row.fields, ...based.fields }, agreed: based.agreed }
  const settled = sent && settle(now, { columns, ...sent }, at)
  const patch = { ...based.fields, ...settled?.patch }
  const email = emailKeyColumn in patch ? { emailKey: emailHexOf(plan.hashKey, patch[emailKeyColumn]) } : {}
  const agreed = settled?.agreed ?? now.agreed
  const open = outcome.link && uncompared({ fields: now.fields, agreed }, plan.bound, outcome.compared ?? new Set(), at)
  const change = { id: row.id, version: row.version, patch, agreed: { ...agreed, ...open }, ...email }
  return { change, warnings: settled?.warnings ?? [] }
}

/** A record that stays as it is gets no new version: whoever reads versions would take it for changed. */
const differs = (row: SyncRow, { patch, agreed }: RowChange): boolean =>
  Object.keys(patch).length > 0 || JSON.stringify(row.agreed) !== JSON.stringify(agreed)

const setLinks = async (sql: Sql, outcomes: Outcome[]): Promise<void> => {
  const links = outcomes.flatMap(({ record, link }) =>
    link === undefined ? [] : [{ record_id: record.id, entity: link.entity, crm_id: link.id }],
  )
  if (links.length === 0) return
  await sql`
    update records t set crm_entity = l.entity, crm_id = l.crm_id
    from jsonb_to_recordset(${JSON.stringify(links)}::text::jsonb) as l (record_id uuid, entity text, crm_id text)
    where t.id = l.record_id`
}

/** R1: whoever is on the list already is not linked twice, whatever was known when the record was read. */
const findTwins = async ({ sql, plan }: Batch, outcomes: Outcome[]): Promise<void> => {
  for (const entity of ['lead', 'contact'] as const) {
    const linking = outcomes.filter(({ link }) => link?.entity === entity)
    if (linking.length === 0) continue
    const ids = linking.map(({ link }) => link!.id)
    const known = await linkedRows(sql, plan, entity, ids)
    for (const outcome of linking) {
      const other = known.get(outcome.link!.id)
      if (other !== undefined && other.id !== outcome.record.id) outcome.into = other.id
    }
  }
}

/** What the ledger says of an outcome. */
export const entryOf = (outcome: Outcome, warnings: EntryWarning[] = [], here?: ValueChanges): NewEntry => {
  const { kind, code, record, link, crm } = outcome
  const entity: CrmEntity | null = link?.entity ?? record.entity
  const crmId = link?.id ?? record.crmId
  return {
    kind: kind === 'unchanged' || kind === 'delayed' ? 'relinked' : kind,
    code,
    recordId: record.id,
    crmId: isNewLead(crmId) ? null : crmId,
    ...(entity === null ? {} : { entity }),
    changes: changesOf(outcome, here),
    warnings: [...outcome.warnings, ...warnings],
    ...(crm === undefined ? {} : { crm }),
  }
}

const note = (batch: Batch, outcome: Outcome, here: ValueChanges, warnings: EntryWarning[]): void => {
  const { counts } = batch
  const { kind, link, decision, record } = outcome
  // what the CRM answers by itself, no preview can know
  const entry = entryOf(outcome, warnings, batch.plan.previewId === null ? here : undefined)
  counts.read += 1
  counts.conflicts += decision?.conflicts ?? 0
  if (link !== undefined && kind !== 'created') counts.relinked += 1
  const seen = seenIn(outcome)
  if (Object.keys(seen).length > 0) batch.notes.push({ recordId: record.id, kind: 'seen', changes: seen })
  if (kind === 'skipped' || kind === 'rejected') {
    batch.reasons.push(entry)
    // an entry that is renewed says nothing new
    if (Object.keys(here).length > 0) batch.notes.push({ recordId: record.id, kind: 'taken', changes: here })
  } else {
    if (kind === 'created' || kind === 'updated' || kind === 'unchanged') counts[kind] += 1
    if (kind !== 'unchanged' || link !== undefined) batch.done.push(entry)
  }
}

/** What the record and its person would be after this, for the later steps of a preview. */
const foreseenAfter = (row: SyncRow, change: RowChange, outcome: Outcome): Foreseen => {
  const { kind, link, sent, columns = [] } = outcome
  const isNew = kind === 'created' && link === undefined
  const went = columns.filter(({ key }) => sent?.send[key] !== undefined)
  const sentValues = went.map(({ key, field }) => [field.name, sent!.send[key]!.value] as const)
  const written = isNew ? { ...sent?.stored } : Object.fromEntries(sentValues)
  const made = isNew ? { entity: 'lead' as const, id: newLeadId(row.id) } : link
  const { patch, agreed } = change
  return { row, patch, agreed, written, ...(made && { link: made }) }
}

const merge = async (batch: Batch, { record, into, link }: Outcome): Promise<void> => {
  const { sql, plan, key, shown } = batch
  const rows = await lockedRows(sql, plan, [record.id, into!])
  const [from, target] = [rows.get(record.id), rows.get(into!)]
  if (from === undefined || target === undefined || from.removed) return
  const person = link ?? { entity: target.entity ?? plan.entity, id: target.crmId }
  const { changes } = planMerge(plan, from, target, 'all')
  const entry = { recordId: record.id, crmId: isNewLead(person.id) ? null : person.id, entity: person.entity, changes }
  const deed = { ...entry, kind: 'skipped' as const, code: 'mergedIntoRecord' }
  batch.counts.read += 1
  if (shown !== undefined && !shown.has(deed)) {
    batch.reasons.push({ ...entry, kind: 'skipped', code: 'changedSince' })
    return
  }
  await mergeRecords(sql, plan, from, target, 'all', key.runId)
  batch.reasons.push({
    ...deed,
    warnings: [
      { code: 'mergedIntoRecord', ids: [into!] },
      ...(target.removed ? [{ code: 'restored', ids: [into!] }] : []),
    ],
  })
  batch.delays.push({ recordId: into!, tries: 0, afterMs: 0 })
}

const writeAll = async (
  { sql, plan }: Batch,
  changes: RowChange[],
  plain: Outcome[],
  all: Outcome[],
): Promise<void> => {
  await writeRows(sql, plan.listId, changes)
  await setLinks(sql, plain)
  await finishCreations(
    sql,
    plan.connectionId,
    all.flatMap(({ record, link }) =>
      link === undefined ? [] : [{ recordId: record.id, entity: link.entity, crmId: link.id }],
    ),
  )
}

/** R7: of two lists that know one lead as theirs, the one that stores it first counts it as created. */
const creditCreations = async ({ sql, plan }: Batch, all: Outcome[]): Promise<Outcome[]> => {
  if (plan.previewId !== null) return all
  const made = all.flatMap(({ kind, record, link, claimedBy }) =>
    kind !== 'created' || link === undefined || claimedBy === undefined
      ? []
      : [{ emailKey: claimedBy, recordId: record.id, crmId: link.id }],
  )
  const others = await countedByOthers(sql, plan.connectionId, made)
  if (others.size === 0) return all
  const updates = plan.sync.push.updateExisting
  return all.map((outcome) => (others.has(outcome.record.id) ? matchedOf(outcome, updates) : outcome))
}

const settleAll = async (batch: Batch, given: Outcome[]): Promise<void> => {
  const { sql, plan, key, counts, rows, shown } = batch
  const outcomes = await creditCreations(batch, given)
  await findTwins(batch, outcomes)
  const merged = outcomes.filter(({ into }) => into !== undefined)
  const gone = outcomes.flatMap((outcome) => (outcome.gone === undefined ? [] : [outcome.gone]))
  const plain = outcomes.filter(
    ({ into, gone: left, kind }) => into === undefined && left === undefined && kind !== 'delayed',
  )
  const changes: RowChange[] = []
  const foreseen: Foreseen[] = []
  for (const outcome of plain) {
    const row = rows.get(outcome.record.id)
    if (row === undefined) continue
    const { change, warnings } = applied(batch, row, outcome)
    if (outcome.link !== undefined || differs(row, change))
      changes.push({ ...change, patch: { ...change.patch, ...outcome.kept } })
    if (plan.previewId !== null) foreseen.push(foreseenAfter(row, change, outcome))
    note(batch, outcome, changesBetween(row.fields, change.patch), warnings)
  }
  if (plan.previewId === null) await writeAll(batch, changes, plain, outcomes)
  else await foresee(sql, plan, foreseen)
  // before anything else happens to the same records: ids are in the order of what happened
  await insertEntries(sql, targetFor(plan, plan.entity), key.runId, key.phase, batch.done)
  if (plan.previewId === null) await edits.insert(sql, { ...plan, runId: key.runId }, batch.notes)
  for (const outcome of merged) await merge(batch, outcome)
  const { followed, again } = await settleGone(sql, { plan, key, ...(shown && { shown }) }, gone, counts)
  // whoever they became is written to next
  for (const recordId of [...followed.map((each) => each.recordId), ...again])
    batch.delays.push({ recordId, tries: 0, afterMs: 0 })
  for (const { record, kind, delay } of outcomes)
    if (kind === 'delayed') batch.delays.push({ recordId: record.id, tries: 0, afterMs: 0, ...delay })
}

/** R28: what the run itself says of columns that did not go out, with the number of records. */
const leftOutOf = (plan: SyncPlan, outcomes: Outcome[]): CrmWarning[] =>
  plan.leftOut.flatMap(({ key, name, code }) => {
    const count = outcomes.filter(({ warnings }) =>
      warnings.some((each) => each.code === code && each.field === key),
    ).length
    return count === 0 ? [] : [{ code, field: name, count }]
  })

export const subjectsOf = (outcomes: Pick<Outcome, 'record' | 'link'>[]) => ({
  recordIds: outcomes.map(({ record }) => record.id),
  crmIds: outcomes.flatMap(({ record, link }) => [record.crmId, link?.id]).filter((id) => id != null),
})

/**
 * Stores what a push came to for some records, in one transaction with counts, entries and cursor. The records are locked, so what was edited here
 * meanwhile is seen and kept. Throws leaseLost when another attempt at the lane has begun.
 */
export const storeOutcomes = (
  db: Database,
  plan: SyncPlan,
  key: lanes.LaneKey,
  all: Outcome[],
  step: { cursor: string | null; done: boolean },
  warnings: CrmWarning[] = [],
): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const counts = lanes.noLaneCounts()
    const said = [...warnings]
    const ids = all.map(({ record }) => record.id)
    const rows = await lockedRows(sql, plan, ids)
    const outcomes = all.filter(({ record }) => rows.has(record.id))
    const shown = await shownOf(sql, plan, true, subjectsOf(outcomes))
    const batch: Batch = { sql, plan, key, counts, rows, delays: [], done: [], reasons: [], notes: [], shown }
    await settleAll(batch, outcomes)
    const target = targetFor(plan, plan.entity)
    // erased meanwhile: nothing but that is told of it (R40)
    const erased = all.length - outcomes.length
    await listErased(sql, target, key.runId, key.phase, erased)
    counts.read += erased
    counts.skipped += erased
    for (const kind of ['skipped', 'rejected'] as const) {
      const listed = batch.reasons.filter((entry) => entry.kind === kind)
      const fresh = await renewEntries(sql, target, key.runId, key.phase, listed)
      counts[kind] += fresh
      // settled twice for one reason, after a merge: counted once
      counts.read -= listed.length - fresh
    }
    await takeUp(
      sql,
      key.runId,
      outcomes.flatMap(({ record }) =>
        (rows.get(record.id)?.version ?? record.version) === record.version ? [record.id] : [],
      ),
    )
    // an undo tries nothing of what is parked, and answers no question
    if (plan.previewId === null && plan.source?.as !== 'undo') {
      const released = await quarantine.settle(sql, plan, key.runId, outcomes)
      batch.delays.push(...released.map((recordId) => ({ recordId, tries: 0, afterMs: 0 })))
      // they were said to be left out
      if (released.length > 0) said.push({ code: 'parked', count: -released.length })
      await decisions.settle(sql, plan, key.runId, outcomes)
    }
    await putOff(sql, plan, key.runId, batch.delays)
    said.push(...leftOutOf(plan, outcomes))
    await addWarnings(sql, { runId: key.runId, listId: plan.listId }, said)
    return lanes.advance(sql, key, { ...step, counts })
  }) as Promise<lanes.Moved>
