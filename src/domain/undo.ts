import type { CrmEntity, CrmValue } from './crm.ts'
import type { Decision, Ours, SyncColumn } from './decide.ts'
import type { EntryChanges, EntryKind, EntryWarning, RunKind } from './run.ts'
import { isEdited, type AgreedValues } from './sync.ts'
import { isBlank, sameValue } from './values.ts'

/** A value that a run wrote over; what was absent before is blank when it goes back. */
type Written = { before: CrmValue; after: CrmValue }
type Writes = Record<string, Written>

/** What a run did to one record, by its entries: values that it wrote here and in the CRM, by column key. */
export type Deed = {
  here: Writes
  there: Writes
  /** the lead that it made */
  created: boolean
  /** linked to somebody else, marked as gone, or merged: never taken back */
  moved: boolean
  /** people with the same address to whom it wrote, too (R4) */
  others: string[]
  person: { entity: CrmEntity | null; id: string | null }
}

export type DeedEntry = {
  kind: EntryKind
  code: string | null
  crmEntity: CrmEntity | null
  crmId: string | null
  changes: EntryChanges | null
  warnings: EntryWarning[] | null
}

/** Kinds of entries that an undo goes by; skips only where they took something over. */
export const undoneKinds = ['created', 'updated', 'relinked', 'deleted', 'skipped'] as const
const tells = ({ kind, code }: DeedEntry): boolean =>
  kind !== 'skipped' || code === 'existsNotUpdated' || code === 'mergedIntoRecord'
const wrote = ({ kind, code }: DeedEntry): boolean => kind === 'updated' || code === 'existsNotUpdated'

const asValue = (value: unknown): CrmValue => (value ?? null) as CrmValue

/** Two changes of one value are one, where the second began with what the first has written. */
const add = (writes: Writes, key: string, { before, after }: Written): void => {
  const earlier = writes[key]
  const follows = earlier !== undefined && sameValue(earlier.after, before)
  writes[key] = { before: follows ? earlier.before : before, after }
}

/** The entries of one record in one direction of a run, in their order; undefined when they tell of nothing that an undo looks at. */
export const deedOf = (entries: readonly DeedEntry[], push: boolean): Deed | undefined => {
  const told = entries.filter(tells)
  const last = told.at(-1)
  if (last === undefined) return undefined
  const person = { entity: last.crmEntity, id: last.crmId }
  const deed: Deed = { here: {}, there: {}, created: false, moved: false, others: [], person }
  for (const entry of told) {
    deed.created ||= entry.kind === 'created'
    if (!wrote(entry)) {
      deed.moved ||= entry.kind !== 'created'
      continue
    }
    for (const [key, { before, after, side }] of Object.entries(entry.changes ?? {}))
      add(push && side === undefined ? deed.there : deed.here, key, { before: asValue(before), after: asValue(after) })
    for (const { code, ids = [] } of entry.warnings ?? []) if (code === 'alsoWritten') deed.others.push(...ids)
  }
  return deed
}

/** Keys of the list's columns: those that are kept by the CRM itself are never set back, and an opt-out stays (R34). */
export type Columns = { bound: ReadonlySet<string>; system: ReadonlySet<string> }

export type SetBack = {
  patch: Record<string, CrmValue>
  agreed: AgreedValues
  changes: EntryChanges
  /** what goes back in the CRM, and what has gone back there and is not known here to be held yet */
  send: Decision['send']
  back: Decision['send']
  /** what stays as it is, and why */
  left: EntryWarning[]
}

const isBack = (value: CrmValue | undefined, { before }: Written): boolean =>
  sameValue(value, before) || (isBlank(value) && isBlank(before))

/** What goes back here: values that still are what the run wrote, and that nobody has edited since. Each is held from then on. */
const setBackHere = (result: SetBack, ours: Ours, deed: Deed, { bound, system }: Columns, at: string): void => {
  for (const [key, written] of Object.entries(deed.here)) {
    if (system.has(key)) continue
    const own = ours.fields[key]
    const known = result.agreed[key]
    if (!bound.has(key)) result.left.push({ code: 'notRestored', field: key })
    else if (isBack(own, written)) continue
    else if (isEdited(known) || !sameValue(own, written.after)) result.left.push({ code: 'changedSince', field: key })
    else {
      const theirs = known === undefined ? written.after : (known.v ?? null)
      result.patch[key] = written.before
      result.changes[key] = { before: own, after: written.before }
      if (sameValue(theirs, written.before)) delete result.agreed[key]
      else result.agreed[key] = { v: theirs, h: true, at }
    }
  }
}

/** What goes back in the CRM: fields that still hold there what the run has stored. */
const setBackThere = (
  result: SetBack,
  ours: Ours,
  deed: Deed,
  columns: readonly SyncColumn[],
  theirs: Readonly<Record<string, CrmValue>>,
): void => {
  for (const [key, written] of Object.entries(deed.there)) {
    const field = columns.find((column) => column.key === key)?.field
    const value = field === undefined ? undefined : theirs[field.name]
    const change = { value: written.before, before: written.after, conflict: false }
    if (field === undefined || value === undefined || field.readOnly)
      result.left.push({ code: 'notRestored', field: key })
    else if (isBack(value, written)) {
      // by a request of ours whose answer was lost, or by somebody in the CRM: what is here is held either way
      if (ours.agreed[key] === undefined && sameValue(ours.fields[key], written.after)) result.back[key] = change
    } else if (sameValue(value, written.after)) result.send[key] = change
    else result.left.push({ code: 'changedSince', field: key })
  }
}

/** What can be set back of a deed, the record and its person being what they are now. Without a person nothing goes back in the CRM. Pure. */
export const setBack = (
  ours: Ours,
  deed: Deed,
  columns: Columns,
  person: { columns: readonly SyncColumn[]; values: Readonly<Record<string, CrmValue>> } | null,
  at = new Date().toISOString(),
): SetBack => {
  const result: SetBack = { patch: {}, agreed: { ...ours.agreed }, changes: {}, send: {}, back: {}, left: [] }
  setBackHere(result, ours, deed, columns, at)
  if (person !== null) setBackThere(result, ours, deed, person.columns, person.values)
  return result
}

const isEmpty = (values: object): boolean => Object.keys(values).length === 0

/** How a record is counted: whether anything went back, or why not. What went back before is unchanged. */
export const endOf = (
  { patch, send, back, left }: SetBack,
  { others, moved }: Deed,
): { kind: 'updated' | 'unchanged' | 'skipped'; code: string | null; warnings: EntryWarning[] } => {
  const warnings = [...left, ...(others.length > 0 ? [{ code: 'othersNotRestored', ids: others }] : [])]
  if (![patch, send, back].every(isEmpty))
    return { kind: 'updated', code: null, warnings: [...warnings, ...(moved ? [{ code: 'linkKept' }] : [])] }
  if (left.some(({ code }) => code === 'changedSince')) return { kind: 'skipped', code: 'changedSince', warnings }
  if (left.length > 0 || moved) return { kind: 'skipped', code: 'notRestored', warnings }
  return { kind: 'unchanged', code: null, warnings }
}

const started = 'Undo the sync that wrote the values.'
/** Why a run of another kind than a sync is not undone, and what to do instead. */
export const notUndoable: Record<Exclude<RunKind, 'sync'>, { detail: string; remedy: string }> = {
  import: { detail: 'An import is not undone.', remedy: 'Remove the list: the CRM is untouched by that.' },
  sweep: { detail: 'A sweep only marks who is gone from the CRM.', remedy: started },
  verify: { detail: 'A verification changes no values.', remedy: started },
  upload: {
    detail: 'An upload is not undone.',
    remedy:
      'Upload the rows as they were, or remove the records that it made; the CRM knows of an upload only after a sync.',
  },
  preview: { detail: 'A preview has written nothing.', remedy: 'Undo the sync that applied it.' },
  send: {
    detail: 'What was sent cannot be called back.',
    remedy: 'Revoke its previews, if it shows what it should not.',
  },
  notes: {
    detail: 'Notes in the CRM are not undone.',
    remedy: 'Delete them in the CRM, and revoke the previews that they link to.',
  },
  undo: {
    detail: 'An undo is not undone.',
    remedy: 'Edit the values that shall be otherwise; a sync then pushes them.',
  },
}
