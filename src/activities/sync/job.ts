import type { SyncPlan } from '../../db/sync/plan.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmFound, CrmWarning } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { Candidate } from '../../domain/match.ts'
import type { Outcome } from '../../domain/push.ts'
import type { Deed } from '../../domain/undo.ts'
import type { Dependencies } from '../dependencies.ts'

export type Question = {
  deps: Dependencies
  crm: Crm
  plan: SyncPlan
  runId: string
  options: CallOptions
  /** told what is found out on the way */
  say?: (found: CrmWarning[]) => void
}

/** What is to be done for a record: write to a person, of whom it may not have known before, or create one. */
export type Job = { row: SyncRow; resolvedAt: number } & (
  | { kind: 'write'; person: Candidate; others: Candidate[]; isNew: boolean }
  /** `found`: a lead that an earlier request of the record without an answer may have made */
  | { kind: 'create'; email: string; found?: CrmFound }
  /** `person`: null where nothing goes back in the CRM */
  | { kind: 'restore'; deed: Deed; person: Candidate | null }
  | { kind: 'settled'; outcome: Outcome }
)

export const emailOf = (row: SyncRow): string | null => normaliseEmail(row.fields[emailKeyColumn])

/** There is nothing to be sent. */
export const settled = (
  row: SyncRow,
  outcome: Omit<Outcome, 'record' | 'warnings'> & { warnings?: Outcome['warnings'] },
): Job => ({
  row,
  resolvedAt: Date.now(),
  kind: 'settled',
  outcome: { record: row, warnings: [], ...outcome },
})
