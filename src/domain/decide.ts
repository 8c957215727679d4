import type { ConflictRule } from './account.ts'
import type { CrmField, CrmValue } from './crm.ts'
import type { EditChanges } from './edit.ts'
import type { EntryChanges, EntryWarning } from './run.ts'
import type { Agreed, AgreedValues } from './sync.ts'
import { isBlank, sameValue } from './values.ts'

/** A column as a sync treats it for people of one entity. */
export type SyncColumn = {
  key: string
  field: CrmField
  /** it means the field by its standard field alone, and never takes a value from there */
  isOurs?: boolean
  /** the CRM's value is taken over */
  pulled: boolean
  /** the CRM's value is taken over where there is none yet: for a column that was added (S5) */
  fills?: boolean
  /** the value here is written to people who are in the CRM */
  pushed: boolean
  /** a blank here clears the CRM's value (R9) */
  clears: boolean
}

/** `records.fields` and `records.agreed` of one record. */
export type Ours = { fields: Record<string, CrmValue>; agreed: AgreedValues }

export type Rule = {
  conflict: ConflictRule
  /** the CRM's clock minus ours, in milliseconds */
  skewMs: number
}

export type Decision = {
  /** column key → value taken over here */
  patch: Record<string, CrmValue>
  /** the whole of `agreed` afterwards, as long as nothing is sent */
  agreed: AgreedValues
  /** column key → value that must go out, and what the CRM has instead */
  send: Record<string, { value: CrmValue; before: CrmValue; conflict: boolean }>
  /** of `patch`, for the entry */
  changes: EntryChanges
  warnings: EntryWarning[]
  conflicts: number
}

/** A value as the CRM can keep it: text longer than the field is cut (R8). */
export const fit = (field: CrmField, value: CrmValue): { value: CrmValue; cut: boolean } =>
  typeof value === 'string' && field.maxLength !== null && value.length > field.maxLength
    ? { value: value.slice(0, field.maxLength).replace(/[\uD800-\uDBFF]$/, ''), cut: true }
    : { value, cut: false }

/** R13, latestWins: our edit is later than the CRM's change, both by the CRM's clock. */
const isLater = (editedAt: string, modifyDate: CrmValue | undefined, { conflict, skewMs }: Rule): boolean =>
  conflict === 'latestWins' && typeof modifyDate === 'string' && Date.parse(editedAt) + skewMs > Date.parse(modifyDate)

/**
 * R8–R13 for one person: what is taken over from the CRM, what must go out, who won where both sides changed. `theirs` are the CRM's values by
 * field name; a name that is missing is absent and leaves everything as it is. Pure: the caller stores `patch` and `agreed`, sends `send`,
 * and settles what was sent by what the CRM answers.
 */
export const decide = (
  columns: readonly SyncColumn[],
  ours: Ours,
  theirs: Readonly<Record<string, CrmValue>>,
  rule: Rule,
): Decision => {
  const decision: Decision = {
    patch: {},
    agreed: { ...ours.agreed },
    send: {},
    changes: {},
    warnings: [],
    conflicts: 0,
  }
  const take = (key: string, value: CrmValue, conflict?: 'crmWins'): void => {
    decision.patch[key] = value
    const before = ours.fields[key]
    decision.changes[key] = { ...(before === undefined ? {} : { before }), after: value, ...(conflict && { conflict }) }
  }
  for (const { key, field, pulled, fills = false, pushed, clears } of columns) {
    const value = theirs[field.name]
    if (value === undefined) continue
    const own = ours.fields[key]
    const edited = ours.agreed[key]
    if (edited === undefined) {
      if ((pulled || (fills && own === undefined)) && !sameValue(own, value)) take(key, value)
      continue
    }
    const fitted = fit(field, own ?? null)
    if (sameValue(fitted.value, value)) {
      delete decision.agreed[key]
      if (!sameValue(own, value)) take(key, value)
      continue
    }
    if (edited.h === true) {
      // held: set back on purpose, until the CRM changes it again
      if (pulled && !sameValue(edited.v ?? null, value)) {
        delete decision.agreed[key]
        take(key, value)
      }
      continue
    }
    const send = (conflict: boolean): void => {
      if (!pushed || (isBlank(own) && !clears)) return
      decision.send[key] = { value: fitted.value, before: value, conflict }
      if (fitted.cut) decision.warnings.push({ code: 'valueCut', field: field.name })
    }
    const yieldTo = (conflict?: 'crmWins'): void => {
      delete decision.agreed[key]
      take(key, value, conflict)
    }
    if (edited.n === true || edited.v === undefined) {
      // compared for the first time: what is ticked goes out, the rest follows the CRM
      if (pushed && !(isBlank(own) && !clears)) send(false)
      else if (pulled) yieldTo()
    } else if (!pulled || sameValue(edited.v ?? null, value)) send(pulled && edited.w === true)
    else {
      decision.conflicts += 1
      if (isLater(edited.at, theirs['ModifyDate'], rule)) {
        decision.agreed[key] = { ...edited, v: value, w: true }
        send(true)
      } else yieldTo('crmWins')
    }
  }
  return decision
}

/**
 * What the CRM was found to have of values that were edited here, where nothing is taken over or sent: the same as here by now, or another value that
 * our later edit stands against. `before`: what both sides agreed on.
 */
export const seen = (columns: readonly SyncColumn[], ours: Ours, { agreed, patch, send }: Decision): EditChanges => {
  const changes: EditChanges = {}
  for (const { key, field } of columns) {
    const before = ours.agreed[key]
    if (before === undefined || key in patch || key in send) continue
    const now = agreed[key]
    if (now !== undefined && (now.v === undefined || sameValue(now.v, before.v))) continue
    changes[key] = {
      ...(before.v === undefined ? {} : { before: before.v }),
      after: now === undefined ? fit(field, ours.fields[key] ?? null).value : now.v!,
      side: 'crm',
      ...(now !== undefined && { conflict: 'oursWins' }),
    }
  }
  return changes
}

/** What was sent of a record, and what the CRM answered. */
export type Sent = {
  columns: readonly SyncColumn[]
  send: Decision['send']
  stored: Readonly<Record<string, CrmValue>>
  /** the CRM's values were set back, and those here stay as they are */
  holds?: boolean
}

/** What is agreed on of a value that was set back in the CRM: it is held here, unless somebody has edited it. */
const hold = (
  own: CrmValue | undefined,
  value: CrmValue,
  known: Agreed | undefined,
  at: string,
): Agreed | undefined => {
  if (sameValue(own, value)) return undefined
  return known === undefined || known.h === true ? { v: value, h: true, at } : { ...known, v: value }
}

/**
 * After the CRM has answered: what it stored is the agreed value (R11). A value that was edited here again meanwhile stays, with that as the
 * value agreed on before. Answers what to change on the record as it is now, and what the CRM made of our values.
 */
export const settle = (
  now: Ours,
  { columns, send, stored, holds = false }: Sent,
  at = new Date().toISOString(),
): { patch: Record<string, CrmValue>; agreed: AgreedValues; warnings: EntryWarning[] } => {
  const patch: Record<string, CrmValue> = {}
  const agreed = { ...now.agreed }
  const warnings: EntryWarning[] = []
  for (const { key, field } of columns) {
    const sent = send[key]
    if (sent === undefined) continue
    const value = stored[field.name]
    if (holds) {
      const held = hold(now.fields[key], value ?? sent.value, agreed[key], at)
      if (held === undefined) delete agreed[key]
      else agreed[key] = held
      if (value !== undefined && !sameValue(sent.value, value))
        warnings.push({ code: 'valueRewritten', field: field.name })
      continue
    }
    if (value === undefined) {
      // nothing is agreed on until the CRM says it: the field may be gone (R24)
      agreed[key] ??= { at }
      continue
    }
    const own = now.fields[key]
    if (!sameValue(fit(field, own ?? null).value, sent.value)) {
      agreed[key] = { v: value, at: agreed[key]?.at ?? at }
      continue
    }
    delete agreed[key]
    if (!sameValue(own, value)) patch[key] = value
    if (!sameValue(sent.value, value)) warnings.push({ code: 'valueRewritten', field: field.name })
  }
  return { patch, agreed, warnings }
}
