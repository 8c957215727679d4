import { causeOf, submissionCauseOf, type Cause } from './cause.ts'
import type { DeliveryState } from './delivery.ts'
import type { EditKind } from './edit.ts'
import type { EntryChanges, EntryKind, EntryWarning, RunKind } from './run.ts'
import type { RunUpload } from './upload.ts'
import { sameValue } from './values.ts'
import type { CrmValue } from './crm.ts'

export type TimelineKind =
  | EditKind
  | 'uploaded'
  | 'pulled'
  | 'swept'
  | 'pushed'
  | 'linked'
  | 'followed'
  | 'returned'
  | 'deletedInCrm'
  | 'verified'
  | 'changedDuring'
  | 'skipped'
  | 'rejected'
  | 'undone'
  | 'asked'
  | 'decided'
  | 'filledIn'
  | 'mailed'
  | 'notMailed'
  | 'bounced'
  | 'suppressed'
  | 'lifted'
  | 'optOutWritten'
  | 'noted'

const sentences: Record<TimelineKind, string> = {
  created: 'The record was made.',
  edited: 'Values were changed here.',
  submitted: 'A submitted form changed values here.',
  removed: 'The record was removed from the list here.',
  restored: 'The record was brought back.',
  merged: 'Two records of one person became one.',
  taken: 'A run took over values of the CRM, and left the record alone otherwise.',
  seen: 'A run found out what the CRM has of values that were changed here; it wrote none of them.',
  uploaded: 'An uploaded file changed values here.',
  pulled: 'A run took over values of the CRM.',
  swept: 'A comparison of keys took over values of the CRM.',
  pushed: 'A run wrote to the CRM.',
  linked: 'The record was linked to the person in the CRM who has its address.',
  followed: 'The record follows the person who took over in the CRM.',
  returned: 'The CRM shows the person again.',
  deletedInCrm: 'The person is no longer in the CRM.',
  verified: 'A verification compared the two sides.',
  changedDuring: 'The person came or went while a run was reading.',
  skipped: 'A run left the record alone.',
  rejected: 'A run could not do what the record needs.',
  undone: 'A run was taken back.',
  asked: 'It was asked who the record is in the CRM.',
  decided: 'Somebody said who the record is in the CRM.',
  filledIn: 'The person filled in a form.',
  mailed: 'A message was sent to the address of the record.',
  notMailed: 'A message was not sent to the record.',
  bounced: 'A message that was sent to the record came back for good.',
  suppressed: 'The address must not be mailed from then on.',
  lifted: 'A suppression of the address was lifted.',
  optOutWritten: 'What was said about e-mail was brought to the CRM.',
  noted: 'A note in the CRM says that a message was sent to the person.',
}

const rules = {
  matchedById: 'The record is linked to this person of the CRM by its id.',
  matchedByEmail: 'The person of the CRM was found by the e-mail address of the record.',
  createdLead: 'Nobody in the CRM had the address of the record, so a lead was created.',
  followedConversion: 'The lead was converted into this contact.',
  followedMerge: 'The person was merged into this one in the CRM.',
  merged: 'Both records belong to one person of the CRM.',
  duplicate: 'The records are equal in the columns by which duplicates were looked for.',
  severalMatches: 'Several people of the CRM may be the one, and the account asks which.',
  rowByEmail: 'The row of the file has the e-mail address of the record.',
  rowByExternalId: 'The row of the file has the external id of the record.',
  rowById: 'The row of the file has the id of the record.',
  decidedByPerson: 'Somebody chose this person of the CRM.',
} as const
export type TimelineRule = keyof typeof rules
export const timelineRules = Object.keys(rules) as [TimelineRule, ...TimelineRule[]]
export const timelineKinds = Object.keys(sentences) as [TimelineKind, ...TimelineKind[]]
export const ruleSentence = (rule: TimelineRule): string => rules[rule]

/** What happened: the cause of an entry that has a code, else what kind of event it is. */
export const eventCause = (kind: TimelineKind, code: string | null): { message: string; remedy: string | null } =>
  code === null
    ? { message: sentences[kind], remedy: null }
    : ((kind === 'filledIn' ? submissionCauseOf : causeOf)(code) satisfies Cause)

export type TimelineEntry = {
  kind: EntryKind
  code: string | null
  phase: string
  recordId: string | null
  warnings: EntryWarning[] | null
  runKind: RunKind
  /** how the rows of an upload find their record */
  match: RunUpload['options']['match'] | null
}

const ofPhase: Record<string, TimelineKind> = { push: 'pushed', sweep: 'swept', verify: 'verified', upload: 'uploaded' }

export const entryEventKind = ({ kind, code, phase, runKind }: TimelineEntry): TimelineKind => {
  if (phase === 'verify' && kind === 'skipped') return 'verified'
  if (kind === 'skipped' || kind === 'rejected' || kind === 'changedDuring') return kind
  if (kind === 'deleted') return 'deletedInCrm'
  if (runKind === 'undo') return 'undone'
  if (kind !== 'relinked') return ofPhase[phase] ?? 'pulled'
  if (code === 'converted' || code === 'merged') return 'followed'
  return code === 'seenAgain' ? 'returned' : 'linked'
}

const rowRules: Partial<Record<string, TimelineRule>> = {
  email: 'rowByEmail',
  externalId: 'rowByExternalId',
  id: 'rowById',
}
const codeRules: Partial<Record<string, TimelineRule>> = {
  converted: 'followedConversion',
  merged: 'followedMerge',
  linkedByEmail: 'matchedByEmail',
  existsNotUpdated: 'matchedByEmail',
  mergedIntoRecord: 'merged',
  needsDecision: 'severalMatches',
}

/** By which rule the run came to this record or this person; null where it came to nobody. */
export const entryRule = (
  { kind, code, phase, recordId, match }: TimelineEntry,
  linked: boolean,
): TimelineRule | null => {
  const known = codeRules[code ?? '']
  if (known !== undefined) return known
  if (phase === 'upload') return kind === 'updated' ? (rowRules[match ?? ''] ?? null) : null
  if (kind === 'created') return phase === 'push' ? 'createdLead' : null
  return recordId !== null && linked ? 'matchedById' : null
}

/** Entries of which `changes` are of another record, or were written nowhere: a skip or rejection is renewed, and says nothing of values. */
const writesNothing = ({ kind, warnings }: Pick<TimelineEntry, 'kind' | 'warnings'>): boolean =>
  kind === 'skipped' || kind === 'rejected' || (warnings ?? []).some(({ code }) => code === 'mergedIntoRecord')

/** One field in one event. `side`: where `before` became `after`; null: nowhere, it was only found that here is `before` and there is `after`. */
export type TimelineChange = Omit<EntryChanges[string], 'side'> & { side: 'here' | 'crm' | null }

/** What an entry did to values of its record, or of the person in the CRM. */
export const entryChanges = (
  entry: TimelineEntry & { changes: EntryChanges | null },
): Record<string, TimelineChange> => {
  const { phase, changes } = entry
  const asSide = (side: TimelineChange['side']): Record<string, TimelineChange> =>
    Object.fromEntries(
      Object.entries(changes ?? {}).map(([key, change]) => [key, { ...change, side: change.side ?? side }]),
    )
  if (phase === 'verify') return asSide(null)
  return writesNothing(entry) ? {} : asSide(phase === 'push' ? 'crm' : 'here')
}

/** What an event made of the value here. */
export const changeHere = ({
  side,
  here,
  ...change
}: TimelineChange): { before?: unknown; after?: unknown } | undefined => (side === 'here' ? change : here)

/** Changes of the record's own external id stand among those of its values. */
const externalIdKey = 'externalId'

/**
 * Values as they were before changes, which come newest first. `fits`: each change left what was there afterwards; where one does not, something is
 * missing between.
 */
export const rewind = (
  values: Readonly<Record<string, unknown>>,
  changes: Iterable<Record<string, TimelineChange>>,
): { values: Record<string, unknown>; fits: boolean } => {
  const state = { ...values }
  let fits = true
  for (const each of changes)
    for (const [key, change] of Object.entries(each)) {
      const here = key === externalIdKey ? undefined : changeHere(change)
      if (here === undefined) continue
      const now = state[key] as CrmValue | undefined
      fits &&= sameValue(now, here.after as CrmValue | undefined)
      if (here.before === undefined) delete state[key]
      else state[key] = here.before
    }
  return { values: state, fits }
}

/** What became of a mail to the record. */
export const deliveryEventKind = (state: DeliveryState): TimelineKind => {
  if (state === 'bounced') return 'bounced'
  return state === 'skipped' || state === 'rejected' ? 'notMailed' : 'mailed'
}
