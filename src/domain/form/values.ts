import type { CrmField, CrmValue, FieldType } from '../crm.ts'
import { fit, type SyncColumn } from '../decide.ts'
import { isPushable } from '../counterpart.ts'
import { normaliseEmail } from '../email.ts'
import { emailKeyColumn } from '../list.ts'
import { isWritable, type RecordColumn } from '../record.ts'
import type { EntryWarning } from '../run.ts'
import type { Agreed, AgreedValues } from '../sync.ts'
import { readTyped } from '../typed.ts'
import { isBlank, sameValue } from '../values.ts'
import type { FormDefinition, FormPolicy } from './definition.ts'
import { answerTo, type Answers } from './submission.ts'

export type Values = Record<string, CrmValue>

/** Several choices are one text, as the CRM keeps those of a picklist. */
const said = (answer: Answers[string], type: FieldType): unknown => {
  if (Array.isArray(answer)) return answer.join(', ')
  if (typeof answer === 'string') return type === 'text' ? answer : answer.trim()
  if (typeof answer === 'boolean' && type === 'boolean') return answer
  return type === 'number' ? answer : String(answer)
}

/** Column key → what was answered; what was left blank says nothing (R8, R29). An answer that its column cannot hold stays with the submission, with a warning. */
export const valuesOf = (
  { fields }: Pick<FormDefinition, 'fields'>,
  answers: Answers,
  columns: readonly RecordColumn[],
): { values: Values; warnings: EntryWarning[] } => {
  const values: Values = {}
  const warnings: EntryWarning[] = []
  for (const { name, column: key } of fields) {
    const answer = answerTo(answers, name)
    const column = columns.find((each) => each.key === key)
    if (answer === undefined || key === null) continue
    const type = key === emailKeyColumn ? 'email' : (column?.type ?? 'text')
    const given = said(answer, type)
    if (typeof given === 'string' && given.trim() === '') continue
    const [value] = column === undefined || !isWritable(column) ? [undefined] : readTyped(type, given)
    if (value === undefined) warnings.push({ code: 'answerNotKept', field: name })
    else if (!isBlank(value)) values[key] = value
  }
  return { values, warnings }
}

/** R29: what of the answers is written to a person who is in the CRM. A value that the CRM does not tell is left as it is. */
export const changesFor = (
  columns: readonly Pick<SyncColumn, 'key' | 'field'>[],
  values: Values,
  theirs: Readonly<Values>,
  policy: FormPolicy,
): { changes: Values; fields: CrmField[]; warnings: EntryWarning[] } => {
  const changes: Values = {}
  const fields: CrmField[] = []
  const warnings: EntryWarning[] = []
  for (const { key, field } of columns) {
    const own = values[key]
    // they were found by it
    if (key === emailKeyColumn || isBlank(own) || !isPushable(field) || policy === 'createOnly') continue
    const their = theirs[field.name]
    if (their === undefined) {
      warnings.push({ code: 'fieldMissing', field: field.name })
      continue
    }
    if (policy === 'blanksOnly' && !isBlank(their)) continue
    const { value, cut } = fit(field, own)
    if (sameValue(value, their)) continue
    if (cut) warnings.push({ code: 'valueCut', field: field.name })
    changes[field.name] = value
    fields.push(field)
  }
  return { changes, fields, warnings }
}

type Now = { fields: Readonly<Values>; agreed: AgreedValues }
export type Linked = {
  columns: readonly SyncColumn[]
  /** the person as the CRM has it now, by field name */
  stored: Readonly<Values>
  /** what the submission said, by column key */
  values: Values
  /** names of the fields that were written */
  written: ReadonlySet<string>
  /** nothing of the two has been compared before */
  isNew: boolean
}

/**
 * What becomes of the record, so that the list's own sync does not push the submission a second time: what both sides have is agreed on, what the policy
 * left in the CRM is held here, and what was edited here since stays to be pushed. `now` is the record as it is.
 */
export const recordAfter = (
  now: Now,
  { columns, stored, values, written, isNew }: Linked,
  at: string,
): { patch: Values; agreed: AgreedValues } => {
  const patch: Values = {}
  const agreed: AgreedValues = { ...now.agreed }
  for (const { key, field, pulled, fills = false } of columns) {
    const theirs = stored[field.name]
    const own = now.fields[key]
    const given = values[key]
    if (theirs === undefined) {
      if (isNew && !isBlank(own) && !field.readOnly) agreed[key] ??= { n: true, at }
      continue
    }
    if (sameValue(fit(field, own ?? null).value, theirs)) {
      delete agreed[key]
      if (!sameValue(own, theirs) && own !== undefined) patch[key] = theirs
      continue
    }
    // one address in two spellings: each side keeps its own (R2)
    const isSpelling = key === emailKeyColumn && normaliseEmail(own) === normaliseEmail(theirs)
    const isOurs = given !== undefined && (sameValue(own, given) || isSpelling)
    if (isOurs && written.has(field.name)) {
      // the CRM stored it in its own way
      delete agreed[key]
      patch[key] = theirs
    } else if (isOurs) {
      agreed[key] = { v: theirs, h: true, at }
    } else if (written.has(field.name) && !isNew) {
      const known: Agreed | undefined = agreed[key]
      // what nobody edited here is what the CRM had, taken over by a sync meanwhile
      if (known === undefined && pulled) patch[key] = theirs
      else agreed[key] = { v: theirs, at: known?.at ?? at }
    } else if (isNew && isBlank(own)) {
      if (pulled || fills) patch[key] = theirs
    } else if (isNew && field.readOnly) {
      patch[key] = theirs
    } else if (isNew) agreed[key] = written.has(field.name) ? { v: theirs, at } : { n: true, at }
  }
  return { patch, agreed }
}
