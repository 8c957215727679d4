import type { CrmSaid } from './errors.ts'
import type { RunSync } from './sync.ts'
import type { RunUpload } from './upload.ts'

export type RunKind = 'import' | 'sync' | 'sweep' | 'verify' | 'upload' | 'preview' | 'undo' | 'send' | 'notes'
export type RunState = 'queued' | 'running' | 'held' | 'succeeded' | 'incomplete' | 'failed' | 'cancelled'
export type RunTrigger = 'api' | 'schedule' | 'system'
export type EntryKind = 'created' | 'updated' | 'skipped' | 'rejected' | 'deleted' | 'relinked' | 'changedDuring'

/**
 * Field name → before and after, on the side that was written: here in a pull, in the CRM in a push; what was not there before is missing.
 * `conflict` says who won where both sides had changed the field (R13); the loser's value is `before`. `side: 'here'`: a push took it over here.
 * `sent`: what went out, where the CRM made something else of it. `here`: what a push made of the value here besides.
 */
export type EntryChange = {
  before?: unknown
  after?: unknown
  conflict?: 'crmWins' | 'oursWins'
  side?: 'here'
  sent?: unknown
  here?: { before?: unknown; after: unknown }
}
export type EntryChanges = Record<string, EntryChange>
export type EntryWarning = { code: string; field?: string; fields?: string[]; ids?: string[] }
/** What an upload made of a row of its file: 1-based line, header of the cell at fault, sentence, and the cells as they were read. */
export type EntryRow = { line: number; column?: string; message: string; cells: string[] }
export type RunWarning = { code: string; message: string; count: number; field?: string }
export type RunError = {
  code: string
  detail: string
  remedy: string
  crm?: CrmSaid
  since?: string
  gone?: number
  of?: number
}
/** The run whose entries this one goes by: it does what a preview has shown, tries again what was rejected, or takes back what was written. */
export type RunSource = { runId: string; as: 'preview' | 'retry' | 'undo'; code?: string; entryIds?: string[] }
/** P2: the segment as it was when the run began. `members`: its records that a push could look at, those that were not linked or were edited here. */
export type RunSegment = { id: string; name: string; version: number; members: number }
/** What is sent: a version of the message, fixed when the run begins. `goesOn`: mails that an earlier run has left or failed to send. */
export type RunMessage = { version: number; goesOn?: true }
/** confirmDeletions: how many records a person has agreed to see marked as gone */
export type RunSettings = {
  fields?: string[]
  confirmDeletions?: number
  sync?: RunSync
  upload?: RunUpload
  source?: RunSource
  segment?: RunSegment
  message?: RunMessage
}

/** read = created + updated + unchanged + skipped + rejected; the others stand beside the sum. */
export type PhaseCounts = {
  read: number
  created: number
  updated: number
  unchanged: number
  skipped: number
  rejected: number
  deleted?: number
  relinked?: number
  conflicts?: number
  withoutEmail?: number
  duplicateEmail?: number
  optedOut?: number
}

/**
 * The proof: crmTotal (keys that the sweep saw) + cameDuring − goneDuring − rejected = listTotal (live records of the list's entity).
 * `difference` is what remains of that equation; `missing` and `extra` count the ids on one side only, which a sum alone could hide.
 */
export type Balance = {
  balanced: boolean | null
  crmTotal: number | null
  listTotal: number | null
  explained: Record<string, number>
  difference: number | null
  missing?: number
  extra?: number
  checks?: { name: string; left: number; right: number }[]
}

/** How long entries and edits are kept (O6). */
export const entryDays = 90

export const activeStates: readonly RunState[] = ['queued', 'running', 'held']
/** Uploads and previews take no list's place (R19): they run beside its syncs. */
export const standsAside = (kind: RunKind): boolean => kind === 'upload' || kind === 'preview'

/** Their entries are their own: other runs of the list renew what the run before them has listed. */
export const renewsNone = (kind: RunKind): boolean => standsAside(kind) || ['undo', 'send', 'notes'].includes(kind)

/** These runs see everybody, and their ledger compares the keys of both sides. */
export const comparesKeys = (kind: RunKind): boolean => ['import', 'sweep', 'verify'].includes(kind)

export const isOver = (state: RunState): boolean => !activeStates.includes(state)

/** The phase that a run begins with: its counts are shown also before anything was counted. */
export const firstPhaseOf = (kind: RunKind): 'pull' | 'upload' | 'send' | 'notes' =>
  kind === 'upload' || kind === 'send' || kind === 'notes' ? kind : 'pull'

export const noCounts = (): PhaseCounts => ({ read: 0, created: 0, updated: 0, unchanged: 0, skipped: 0, rejected: 0 })

export const addUp = (counts: PhaseCounts): number =>
  counts.created + counts.updated + counts.unchanged + counts.skipped + counts.rejected
