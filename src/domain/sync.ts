import type { AmbiguousMatch, ConflictRule, UnmappedAddress } from './account.ts'
import type { CrmValue } from './crm.ts'

/** S1, S2: which records go out, and which columns of records that are in the CRM already. Columns by their key. */
export type PushSettings = {
  enabled: boolean
  addNew: boolean
  updateExisting: boolean
  /** ticked columns: only these are written to people who are in the CRM already */
  fields: string[]
  /** of the ticked columns, those whose blank clears the CRM's value too (R9) */
  clearFields: string[]
  /** lead field → value for new leads where the record leaves it blank (S1) */
  newLeadDefaults: Record<string, string | number | boolean>
}

/** S3, S4: whom and what a sync takes over. */
export type PullSettings = { enabled: boolean; addNew: boolean; updateExisting: boolean; excludedFields: string[] }

export type SyncSettings = { push: PushSettings; pull: PullSettings }

/** What a run keeps to, as it was when the run began (S6). `widenedAt`: ISO time of the widening that its full read settles. */
export type RunSync = SyncSettings & {
  conflict: ConflictRule
  ambiguousMatch: AmbiguousMatch
  /** R28; `push` where it is missing */
  unmappedAddress?: UnmappedAddress
  widenedAt: string | null
}

/** Nothing goes out unless it is ticked; everything comes in unless it is unticked. */
export const defaultSync = (): SyncSettings => ({
  push: { enabled: false, addNew: false, updateExisting: false, fields: [], clearFields: [], newLeadDefaults: {} },
  pull: { enabled: true, addNew: true, updateExisting: true, excludedFields: [] },
})

/**
 * `records.agreed`, one per value that was edited here since both sides agreed on it: what they agreed on (`v`; missing when it was absent), or
 * `n` where the two have never been compared (R13); `w` where the CRM changed it to `v` meanwhile and our later edit won; and when the value here
 * was edited last (`at`, ISO, our clock). `h`: nobody edited it, an undo has set one side back: the value here and the CRM's, which is `v`, differ
 * on purpose, and it is neither pushed nor pulled until either side changes again.
 */
export type Agreed = { v?: CrmValue; n?: true; w?: true; h?: true; at: string }
export type AgreedValues = Record<string, Agreed>

/** Somebody changed it here since both sides agreed; a held value is nobody's edit. */
export const isEdited = (agreed: Agreed | undefined): boolean => agreed !== undefined && agreed.h !== true

/** What both sides agreed on before a value is edited here, for the first time or again: a held value is an ordinary edit from then on. */
export const agreedBefore = (known: Agreed | undefined, before: CrmValue | undefined, at: string): Agreed => {
  if (known === undefined) return before === undefined ? { at } : { v: before, at }
  const { v, n, w } = known
  return { ...(v !== undefined && { v }), ...(n && { n }), ...(w && { w }), at }
}
