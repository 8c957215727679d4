import { emailHexOf } from '../../db/emailKey.ts'
import { claimCreation, dropClaim, dropEarlier, earlierAddress, noteSent } from '../../db/sync/creation.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmChanges, CrmEntity, CrmField, CrmFound } from '../../domain/crm.ts'
import { decide, fit, type Decision, type SyncColumn } from '../../domain/decide.ts'
import { isFairleadError } from '../../domain/errors.ts'
import { changedSince, comparedWith, type Outcome } from '../../domain/push.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { leadRelationNamed } from '../../domain/settings.ts'
import type { Candidate } from '../../domain/match.ts'
import { isBlank, sameValue } from '../../domain/values.ts'
import { isUnsure } from '../proof.ts'
import type { Job, Question } from './job.ts'
import { isPushable } from '../../domain/counterpart.ts'
import { keptOf, writePerson } from './write.ts'

export type Draft = {
  columns: SyncColumn[]
  send: Decision['send']
  changes: CrmChanges
  /** of everything in `changes`, and what is read back */
  fields: CrmField[]
  warnings: EntryWarning[]
  missing: string[]
}

/** S1: every value of the record that a lead can have, ticked or not; `newLeadDefaults` where it leaves one blank. */
export const draft = (plan: SyncPlan, row: SyncRow): Draft => {
  const { columns, live } = plan.of.lead
  const send: Decision['send'] = {}
  const changes: CrmChanges = {}
  const warnings: EntryWarning[] = []
  const writable = columns.filter(({ field }) => isPushable(field))
  for (const { key, field } of writable) {
    const own = row.fields[key]
    if (isBlank(own)) continue
    const { value, cut } = fit(field, own)
    if (cut) warnings.push({ code: 'valueCut', field: field.name })
    send[key] = { value, before: null, conflict: false }
    changes[field.name] = value
  }
  const has = (name: string): boolean => Object.keys(changes).some((each) => each.toLowerCase() === name.toLowerCase())
  const more: CrmField[] = []
  for (const [said, value] of Object.entries(plan.sync.push.newLeadDefaults)) {
    if (has(said)) continue
    const field = live.find(({ name }) => name.toLowerCase() === said.toLowerCase())
    const name = field?.name ?? leadRelationNamed(said)
    // renamed or taken away since it was given (R24)
    if (name === undefined) warnings.push({ code: 'fieldMissing', field: said })
    else changes[name] = value
    if (field !== undefined && !columns.some((column) => column.field.name === field.name)) more.push(field)
  }
  const missing = live
    .filter(({ name, required, readOnly, address }) => required && !readOnly && !address && !has(name))
    .map(({ name }) => name)
  const homeless = Object.keys(row.fields).filter(
    (key) => !isBlank(row.fields[key]) && plan.columns.some((column) => column.key === key && isPushable(column.field)),
  )
  for (const key of homeless) {
    if (writable.some((column) => column.key === key)) continue
    const field = plan.columns.find((column) => column.key === key)!.field.name
    warnings.push({ code: 'noFieldOnLead', field })
  }
  return { columns: writable, send, changes, fields: [...plan.of.lead.fields, ...more], warnings, missing }
}

/** The outcome for a lead that is there because of this record. */
const createdOutcome = (plan: SyncPlan, row: SyncRow, made: Draft, stored: CrmFound): Outcome => {
  const { columns } = plan.of.lead
  // what the CRM filled in by itself is taken over like any change
  const decision = decide(
    columns.map((column) => ({ ...column, pulled: column.pulled && made.send[column.key] === undefined })),
    { fields: row.fields, agreed: {} },
    stored.values,
    { conflict: plan.sync.conflict, skewMs: 0 },
  )
  // passed over by a CRM that does not know the field any more (R24)
  const lost = made.fields.filter(({ name }) => name in made.changes && stored.values[name] === undefined)
  return {
    record: row,
    kind: 'created',
    code: null,
    warnings: [...made.warnings, ...lost.map(({ name }) => ({ code: 'fieldMissing', field: name }))],
    link: { entity: 'lead', id: stored.id },
    compared: comparedWith(columns, stored.values),
    ...keptOf(plan, stored),
    decision,
    columns,
    sent: { send: made.send, stored: stored.values },
  }
}

/** The lead that a preview would create: as it would be sent, everything else blank; what the CRM fills in by itself is not known. */
const foreseenLead = (plan: SyncPlan, row: SyncRow, made: Draft): Outcome => {
  const blank = made.columns.map(({ field }) => [field.name, null] as const)
  const values = { ...Object.fromEntries(blank), ...made.changes }
  const { link: _, ...outcome } = createdOutcome(plan, row, made, { id: '', values, etag: null, addressKey: null })
  const decision = outcome.decision!
  const changes = Object.fromEntries(Object.entries(decision.changes).filter(([, { after }]) => after !== null))
  return { ...outcome, decision: { ...decision, changes } }
}

export const isThere = async ({ crm, plan, options }: Question, email: string): Promise<boolean> => {
  const found = (['contact', 'lead'] as const).map((entity) =>
    crm.peopleByEmail(entity, plan.of[entity].fields, [email], options),
  )
  return (await Promise.all(found)).some(({ rows, hidden }) => rows.length + hidden.length > 0)
}

/** Whether a lead has what was sent to create it. */
export const hasAll = ({ columns, send }: Draft, { values }: CrmFound): boolean =>
  columns.every(({ key, field }) => {
    const stored = values[field.name]
    return send[key] === undefined || stored === undefined || sameValue(send[key].value, stored)
  })

const delayed = (row: SyncRow, afterMs: number): Outcome => ({
  record: row,
  kind: 'delayed',
  code: 'beingCreated',
  warnings: [],
  delay: { tries: 0, afterMs },
})

const writeTo = (question: Question, { row, resolvedAt }: Job, person: Candidate): Promise<Outcome> =>
  writePerson(question, { row, resolvedAt, kind: 'write', person, others: [], isNew: true })

/** Somebody created the person meanwhile: now it is found like any other. */
const link = async (
  question: Question,
  job: Job & { kind: 'create' },
  { entity, crmId }: { entity: CrmEntity; crmId: string },
): Promise<Outcome> => {
  const { crm, plan, options } = question
  const [person] = (await crm.peopleById(entity, plan.of[entity].fields, [crmId], options)).rows
  return person === undefined ? delayed(job.row, 1000) : writeTo(question, job, { entity, person })
}

/**
 * R7: creates a lead for a record that the CRM has nobody for, claimed by its address and recorded before the request goes out. What had no answer is
 * put off until the CRM can be believed about it, then looked for before it is sent again. Throws what a person is not to blame for.
 */
export const createPerson = async (question: Question, job: Job & { kind: 'create' }): Promise<Outcome> => {
  const { deps, crm, plan, runId, options } = question
  const { row, email } = job
  const made = draft(plan, row)
  if (made.missing.length > 0) {
    const warnings = made.missing.map((field) => ({ code: 'requiredMissing', field }))
    return { record: row, kind: 'rejected', code: 'requiredMissing', warnings }
  }
  if (job.found !== undefined && !hasAll(made, job.found))
    return writeTo(question, job, { entity: 'lead', person: job.found })
  if (plan.previewId !== null) return foreseenLead(plan, row, made)
  const { accountId, connectionId, hashKey } = plan
  const emailKey = emailHexOf(hashKey, email)
  const created = (stored: CrmFound): Outcome => ({
    ...createdOutcome(plan, row, made, stored),
    claimedBy: emailKey,
  })
  if (job.found !== undefined) return created(job.found)
  const applies = plan.source?.as === 'preview'
  const key = { accountId, connectionId, emailKey, recordId: row.id, runId }
  const earlier = await earlierAddress(deps.db, key, deps.creationWaitMs)
  if (earlier !== undefined) {
    if (earlier.waitMs > 0) return delayed(row, earlier.waitMs)
    const { rows } = await crm.peopleByEmail('lead', plan.of.lead.fields, [earlier.email], options)
    // the new address goes out as an edit
    if (rows[0] !== undefined && applies) return changedSince(row)
    if (rows[0] !== undefined) return writeTo(question, job, { entity: 'lead', person: rows[0] })
    await dropEarlier(deps.db, key, earlier.emailKey)
  }
  const claim = await claimCreation(deps.db, key, {
    resolvedMsAgo: Date.now() - job.resolvedAt,
    waitMs: deps.creationWaitMs,
  })
  if (claim.state === 'gone') return { record: row, kind: 'skipped', code: 'erased', warnings: [] }
  if (claim.state === 'busy') return delayed(row, 1000)
  if (claim.state === 'done' && applies) return changedSince(row)
  if (claim.state === 'done') return link(question, job, claim)
  if (claim.state === 'unsure') {
    if (claim.waitMs > 0) return delayed(row, claim.waitMs)
    // who came after the page was looked up is recognised when it is looked up again
    if (await isThere(question, email)) return delayed(row, 0)
  }
  let sent = false
  const sending = async (): Promise<void> => {
    await noteSent(deps.db, key, claim.token, email)
    sent = true
  }
  try {
    return created(await crm.createLead(made.fields, made.changes, { ...options, sending }))
  } catch (error) {
    if (!sent || (isFairleadError(error) && !isUnsure(error))) await dropClaim(deps.db, key, claim.token)
    if (isFairleadError(error) && error.code === 'leaseLost') return delayed(row, 1000)
    throw error
  }
}
