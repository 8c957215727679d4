import { emailHexOf } from '../../db/emailKey.ts'
import { claimCreation, dropClaim, noteSent } from '../../db/sync/creation.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmChanges, CrmFound } from '../../domain/crm.ts'
import { decide, fit, type Decision, type SyncColumn } from '../../domain/decide.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Outcome } from '../../domain/push.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isBlank, sameValue } from '../../domain/values.ts'
import type { Job, Question } from './resolve.ts'
import { isPushable } from '../../domain/counterpart.ts'
import { writePerson } from './write.ts'

type Draft = {
  columns: SyncColumn[]
  send: Decision['send']
  changes: CrmChanges
  warnings: EntryWarning[]
  missing: string[]
}

/** S1: every value of the record that a lead can have, ticked or not; `newLeadDefaults` where it leaves one blank. */
const draft = (plan: SyncPlan, row: SyncRow): Draft => {
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
  for (const [name, value] of Object.entries(plan.sync.push.newLeadDefaults)) {
    if (!has(name)) changes[live.find((field) => field.name.toLowerCase() === name.toLowerCase())?.name ?? name] = value
  }
  const missing = live
    .filter(({ name, required, readOnly, address }) => required && !readOnly && !address && !has(name))
    .map(({ name }) => name)
  const homeless = Object.keys(row.fields).filter(
    (key) =>
      !isBlank(row.fields[key]) &&
      plan.of[plan.own].columns.some((column) => column.key === key && isPushable(column.field)),
  )
  for (const key of homeless) {
    if (writable.some((column) => column.key === key)) continue
    const field = plan.of[plan.own].columns.find((column) => column.key === key)!.field.name
    warnings.push({ code: 'noFieldOnLead', field })
  }
  return { columns: writable, send, changes, warnings, missing }
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
  return {
    record: row,
    kind: 'created',
    code: null,
    warnings: made.warnings,
    link: { entity: 'lead', id: stored.id },
    decision,
    columns,
    sent: { send: made.send, stored: stored.values },
  }
}

const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/** The CRM may have carried the request out, or may still do so. */
const isUnsure = (error: FairleadError): boolean => {
  const { status, code } = error.details.crm ?? {}
  if (error.code === 'crmUnreachable') return !neverConnected.has(code ?? '')
  return ['crmTimeout', 'crmAnswer', 'leaseLost'].includes(error.code) || (error.code === 'crmFailed' && status === 502)
}

const isThere = async ({ crm, plan, options }: Question, email: string): Promise<boolean> => {
  const found = (['contact', 'lead'] as const).map((entity) =>
    crm.peopleByEmail(entity, plan.of[entity].fields, [email], options),
  )
  return (await Promise.all(found)).some(({ rows, hidden }) => rows.length + hidden.length > 0)
}

/** Whether a lead has what was sent to create it. */
const hasAll = ({ columns, send }: Draft, { values }: CrmFound): boolean =>
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

const writeTo = (question: Question, { row, resolvedAt }: Job, person: CrmFound): Promise<Outcome> =>
  writePerson(question, { row, resolvedAt, kind: 'write', person: { entity: 'lead', person }, others: [], isNew: true })

/** Somebody created the person meanwhile: now it is found like any other. */
const link = async (question: Question, job: Job & { kind: 'create' }, crmId: string): Promise<Outcome> => {
  const { crm, plan, options } = question
  const [person] = (await crm.peopleById('lead', plan.of.lead.fields, [crmId], options)).rows
  return person === undefined ? delayed(job.row, 1000) : writeTo(question, job, person)
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
  if (job.found !== undefined)
    return hasAll(made, job.found) ? createdOutcome(plan, row, made, job.found) : writeTo(question, job, job.found)
  const { accountId, connectionId, hashKey } = plan
  const key = { accountId, connectionId, emailKey: emailHexOf(hashKey, email), recordId: row.id, runId }
  const claim = await claimCreation(deps.db, key, {
    resolvedMsAgo: Date.now() - job.resolvedAt,
    waitMs: deps.creationWaitMs,
  })
  if (claim.state === 'busy') return delayed(row, 1000)
  if (claim.state === 'done') return link(question, job, claim.crmId)
  if (claim.state === 'unsure') {
    if (claim.waitMs > 0) return delayed(row, claim.waitMs)
    // who came after the page was looked up is recognised when it is looked up again
    if (await isThere(question, email)) return delayed(row, 0)
  }
  const sending = (): Promise<void> => noteSent(deps.db, key, claim.token)
  try {
    const stored = await crm.createLead(plan.of.lead.fields, made.changes, { ...options, sending })
    return createdOutcome(plan, row, made, stored)
  } catch (error) {
    if (!isFairleadError(error)) throw error
    if (error.code === 'leaseLost') return delayed(row, 1000)
    if (!isUnsure(error)) await dropClaim(deps.db, key, claim.token)
    throw error
  }
}
