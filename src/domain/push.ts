import type { CrmEntity, CrmValue } from './crm.ts'
import type { EditChanges, ValueChanges } from './edit.ts'
import { decide, seen, type Decision, type Ours, type Sent, type SyncColumn } from './decide.ts'
import type { CrmSaid } from './errors.ts'
import type { Gone } from './gone.ts'
import type { Candidate } from './match.ts'
import type { EntryChanges, EntryWarning } from './run.ts'
import type { AgreedValues } from './sync.ts'
import { isBlank, sameValue } from './values.ts'

/** The record as the push read it; what it does is decided by this. */
export type Seen = Ours & { id: string; version: number; entity: CrmEntity | null; crmId: string | null }

/** What a push came to for one record. */
export type Outcome = {
  record: Seen
  kind: 'created' | 'updated' | 'unchanged' | 'skipped' | 'rejected' | 'delayed'
  code: string | null
  warnings: EntryWarning[]
  /** the person that the record is linked to from now on */
  link?: { entity: CrmEntity; id: string }
  /** of somebody created: the hashed address by which that was claimed, in hexadecimal */
  claimedBy?: string
  /** with a link: the columns whose value the CRM has told */
  compared?: ReadonlySet<string>
  /** what is always read of a person, where the list has no columns for it, by column key */
  kept?: Record<string, CrmValue>
  /** values taken over here, and what was decided about the edits */
  decision?: Decision
  columns?: readonly SyncColumn[]
  /** column key → what was sent, and the CRM's answer by field name */
  sent?: Omit<Sent, 'columns'>
  crm?: CrmSaid
  /** the person does not answer to the record's key any more */
  gone?: Gone
  /** R1: the record of this list that the person has already */
  into?: string
  delay?: { tries: number; afterMs: number }
  /** R4: who of these it is, a person decides */
  candidates?: Candidate[]
  /** what the entry shows, where nothing of it was done */
  told?: EntryChanges
}

/** S8: what would be done now is not what a preview has shown, so nothing is. */
export const changedSince = (record: Seen, told: EntryChanges = {}): Outcome => ({
  record,
  kind: 'skipped',
  code: 'changedSince',
  warnings: [],
  told,
})

/** Columns that the CRM has told a value of. */
export const comparedWith = (
  columns: readonly SyncColumn[],
  theirs: Readonly<Record<string, CrmValue>>,
): ReadonlySet<string> => new Set(columns.filter(({ field }) => theirs[field.name] !== undefined).map(({ key }) => key))

/** Values of a record that was just linked which the CRM did not tell of, its field being missing there: compared for the first time later (R13, R24). */
export const uncompared = (
  now: Ours,
  bound: Iterable<string>,
  compared: ReadonlySet<string>,
  at: string,
): AgreedValues =>
  Object.fromEntries(
    [...bound]
      .filter((key) => !compared.has(key) && !isBlank(now.fields[key]) && now.agreed[key] === undefined)
      .map((key) => [key, { n: true as const, at }]),
  )

/** R13: nothing of a record that was just found in the CRM has been compared before. */
export const neverCompared = (columns: readonly SyncColumn[], ours: Ours, at: string): Ours => ({
  fields: ours.fields,
  agreed: Object.fromEntries(
    columns
      .filter(({ key, field }) => !field.readOnly && !isBlank(ours.fields[key]))
      .map(({ key }) => [key, { n: true, at }]),
  ),
})

/**
 * What the CRM answers of values that were not sent, its dates above all, is taken over at once: our own write does not come back as a change (R11).
 * What it keeps to itself is no news for the entry.
 */
export const withReply = (
  decision: Decision,
  columns: readonly SyncColumn[],
  ours: Ours,
  stored: Readonly<Record<string, CrmValue>>,
): Decision => {
  const rest = columns.filter(({ key }) => decision.send[key] === undefined && decision.agreed[key] === undefined)
  const before: Ours = { fields: { ...ours.fields, ...decision.patch }, agreed: {} }
  const { patch, changes } = decide(rest, before, stored, { conflict: 'crmWins', skewMs: 0 })
  const told = rest.filter(({ key, field }) => key in changes && !field.readOnly).map(({ key }) => [key, changes[key]!])
  return {
    ...decision,
    patch: { ...decision.patch, ...patch },
    changes: { ...decision.changes, ...Object.fromEntries(told) },
  }
}

/** What a decision takes over here. */
const takenOver = (decision: Decision | undefined): ValueChanges => {
  const taken: ValueChanges = {}
  for (const [key, { before, after }] of Object.entries(decision?.changes ?? {}))
    taken[key] = before === undefined ? { after } : { before, after }
  return taken
}

/** For the entry: what was written in the CRM, as it stored it, and what became of the record here (`here`, as it was changed in the end). */
export const changesOf = (
  { decision, columns = [], sent, told }: Outcome,
  here: ValueChanges = takenOver(decision),
): EntryChanges => {
  if (told !== undefined) return told
  const changes: EntryChanges = {}
  for (const [key, change] of Object.entries(here)) {
    const conflict = decision?.changes[key]?.conflict
    changes[key] = { ...change, ...(conflict && { conflict }), side: 'here' }
  }
  for (const [key, { value, before, conflict }] of Object.entries(sent?.send ?? {})) {
    const field = columns.find((column) => column.key === key)?.field.name
    const stored = field === undefined ? undefined : sent!.stored[field]
    const rewritten = stored !== undefined && !sameValue(stored, value)
    changes[key] = {
      before,
      after: rewritten ? stored : value,
      ...(rewritten && { sent: value }),
      ...(conflict && { conflict: 'oursWins' as const }),
      ...(key in here && { here: here[key]! }),
    }
  }
  return changes
}

/** R7: a lead that is there because of this record and that another list has counted as created: here it is found, and nothing of it was written (R5). */
export const matchedOf = (outcome: Outcome, updates: boolean): Outcome => {
  const { sent: _, ...unsent } = outcome
  const matched = { ...outcome, told: changesOf(unsent) }
  if (!updates) return { ...matched, kind: 'skipped', code: 'existsNotUpdated' }
  const takes = Object.keys(outcome.decision?.changes ?? {}).length > 0
  return { ...matched, kind: takes ? 'updated' : 'unchanged', code: 'linkedByEmail' }
}

/** What the push saw in the CRM of values that were edited here and not sent. */
export const seenIn = ({ record, decision, columns = [], link }: Outcome): EditChanges =>
  decision === undefined || link !== undefined ? {} : seen(columns, record, decision)

/** The record may have been edited since it was read: what holds of the decision for the record as it is now. */
export const rebase = (now: Ours & { version: number }, outcome: Outcome, at: string): Ours => {
  const { record, decision, columns = [], link, sent } = outcome
  if (decision === undefined && link === undefined) return { fields: {}, agreed: now.agreed }
  const decided: Ours = { fields: decision?.patch ?? {}, agreed: decision?.agreed ?? {} }
  if (now.version === record.version) return decided
  const patch: Record<string, CrmValue> = {}
  const agreed = { ...now.agreed }
  for (const { key, field } of columns) {
    const untouched = sameValue(now.fields[key], record.fields[key]) || now.fields[key] === record.fields[key]
    if (untouched) {
      if (key in decided.fields) patch[key] = decided.fields[key]!
      const kept = decided.agreed[key]
      if (kept !== undefined) agreed[key] = kept
      // what was marked meanwhile is still to be compared
      else if (key in record.agreed || agreed[key]?.n !== true) delete agreed[key]
    } else if (link !== undefined && agreed[key] === undefined) {
      // edited while the record was being linked: what the CRM has is what both sides agree on
      const theirs = sent?.stored[field.name]
      agreed[key] = { ...(theirs === undefined ? {} : { v: theirs }), at }
    }
  }
  return { fields: patch, agreed }
}
