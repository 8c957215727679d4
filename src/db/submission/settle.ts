import type { CrmEntity, CrmValue } from '../../domain/crm.ts'
import { keptOf } from '../../domain/list.ts'
import type { SubmissionResult } from '../../domain/form/submission.ts'
import { recordAfter, type Values } from '../../domain/form/values.ts'
import { changesBetween } from '../../domain/edit.ts'
import type { EntryWarning } from '../../domain/run.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { inTransaction } from '../record/edit.ts'
import { finishCreations } from '../sync/creation.ts'
import { mergeRecords } from '../sync/merge.ts'
import type { SyncPlan } from '../sync/plan.ts'
import { linkedRows, lockedRows, writeRows, type RowChange, type SyncRow } from '../sync/rows.ts'
import type { Claimed } from './claim.ts'

/** The person whom the record of the list is, as the CRM has them now. */
export type Person = { entity: CrmEntity; id: string; values: Record<string, CrmValue> }

/** What an attempt at a submission came to. */
export type Outcome = {
  submission: Claimed
  /** null when its list can go nowhere */
  plan: SyncPlan | null
  state: 'pushed' | 'rejected' | 'waiting'
  code: string | null
  crm?: Record<string, unknown>
  warnings: EntryWarning[]
  results: SubmissionResult[]
  tries: number
  afterMs: number
  /** by column key */
  values: Values
  /** whom the record is linked to, where somebody was found or made */
  person?: Person
}

type Settled = Outcome & { person: Person; plan: SyncPlan }

const writtenOf = ({ results, person }: Settled): Set<string> =>
  new Set(
    results.filter(({ entity, id }) => entity === person.entity && id === person.id).flatMap(({ fields }) => fields),
  )

const changeOf = (row: SyncRow, outcome: Settled, isNew: boolean): RowChange => {
  const { plan, person, values } = outcome
  const { columns } = plan.of[person.entity]
  const at = new Date().toISOString()
  const linked = { columns, stored: person.values, values, written: writtenOf(outcome), isNew }
  const { patch, agreed } = recordAfter(row, linked, at)
  return { id: row.id, version: row.version, patch, agreed }
}

const differs = (row: SyncRow, { patch, agreed }: RowChange): boolean =>
  Object.keys(patch).length > 0 || JSON.stringify(row.agreed) !== JSON.stringify(agreed)

const writeOne = async (sql: Sql, plan: SyncPlan, row: SyncRow, outcome: Settled, isNew: boolean): Promise<void> => {
  const change = changeOf(row, outcome, isNew)
  if (!isNew && !differs(row, change)) return
  const kept = keptOf(plan, outcome.person.values)
  await writeRows(sql, plan.listId, [{ ...change, patch: { ...change.patch, ...kept } }])
  if (Object.keys(change.patch).length > 0)
    await edits.insert(sql, plan, [
      {
        recordId: row.id,
        kind: 'submitted',
        changes: changesBetween(row.fields, change.patch),
        submissionId: outcome.submission.id,
      },
    ])
}

/** R1: one CRM person is one record of a list. Answers the record that stands for the submission from now on. */
const link = async (sql: Sql, rows: Map<string, SyncRow>, outcome: Settled): Promise<string> => {
  const { plan, person, submission } = outcome
  const row = rows.get(submission.recordId)
  if (row === undefined || row.removed) return submission.recordId
  // R15: whoever was deleted in the CRM and asks again is somebody new there
  const isGone = row.state === 'deletedInCrm'
  if (row.crmId !== null && !isGone) {
    if (row.crmId === person.id && row.entity === person.entity) await writeOne(sql, plan, row, outcome, false)
    return row.id
  }
  const other = (await linkedRows(sql, plan, person.entity, [person.id])).get(person.id)
  if (other !== undefined) {
    const both = await lockedRows(sql, plan, [row.id, other.id])
    const [from, into] = [both.get(row.id), both.get(other.id)]
    if (from === undefined || into === undefined) return row.id
    await mergeRecords(sql, plan, from, into, 'all')
    if (!into.removed) await sql`update lists set record_count = record_count - 1 where id = ${plan.listId}::uuid`
    const merged = (await lockedRows(sql, plan, [into.id])).get(into.id)
    if (merged !== undefined) await writeOne(sql, plan, merged, outcome, false)
    return into.id
  }
  await sql`
    update records set crm_entity = ${person.entity}, crm_id = ${person.id} where id = ${row.id}::uuid`
  await writeOne(sql, plan, isGone ? { ...row, agreed: {} } : row, outcome, true)
  return row.id
}

/** Those that are still this attempt's, locked. */
const lockMine = async (sql: Sql, claimId: string, outcomes: readonly Outcome[]): Promise<Set<string>> => {
  const ids = outcomes.map(({ submission }) => submission.id).join('\n')
  const rows = await sql<{ id: string }[]>`
    select id::text from submissions
    where id = any(string_to_array(${ids}::text, E'\n')::uuid[]) and claim_id = ${claimId}::uuid and state = 'pushing' order by id for update`
  return new Set(rows.map(({ id }) => id))
}

/**
 * Stores what attempts came to, in one transaction: states, links of records, what both sides agree on, finished creations. What another attempt has
 * taken up meanwhile is left to it.
 */
export const settle = (db: Database, accountId: string, claimId: string, outcomes: readonly Outcome[]): Promise<void> =>
  inTransaction(db, accountId, async (sql) => {
    const mine = await lockMine(sql, claimId, outcomes)
    const records = new Map<string, string>()
    const own = outcomes.filter(({ submission }) => mine.has(submission.id))
    const linked = own.filter((outcome): outcome is Settled => outcome.person !== undefined && outcome.plan !== null)
    for (const plan of new Set(linked.map((outcome) => outcome.plan))) {
      const ofPlan = linked.filter((outcome) => outcome.plan === plan)
      const rows = await lockedRows(
        sql,
        plan,
        ofPlan.map(({ submission }) => submission.recordId),
      )
      for (const outcome of ofPlan) records.set(outcome.submission.id, await link(sql, rows, outcome))
      const done = ofPlan.map(({ submission: { recordId }, person }) => ({
        recordId,
        entity: person.entity,
        crmId: person.id,
      }))
      await finishCreations(sql, plan.connectionId, done)
    }
    const settled = own.map(({ submission, state, code, crm, warnings, results, tries, afterMs }) => ({
      id: submission.id,
      record_id: records.get(submission.id) ?? submission.recordId,
      state,
      code,
      crm,
      warnings,
      results,
      tries,
      after_ms: Math.round(afterMs),
    }))
    if (settled.length === 0) return
    await sql`
      update submissions s set state = u.state, code = u.code, crm = u.crm, warnings = u.warnings, results = u.results, tries = u.tries,
        record_id = u.record_id, claim_id = null, due_at = now() + make_interval(secs => u.after_ms / 1000.0),
        settled_at = case when u.state in ('pushed', 'rejected') then now() end
      from jsonb_to_recordset(${JSON.stringify(settled)}::text::jsonb)
        as u (id uuid, record_id uuid, state text, code text, crm jsonb, warnings jsonb, results jsonb, tries int, after_ms int)
      where s.id = u.id`
  })
