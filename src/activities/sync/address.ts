import type { SyncPlan } from '../../db/sync/plan.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { Outcome } from '../../domain/push.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isBlank } from '../../domain/values.ts'
import type { Job } from './job.ts'

/** Values of a record that do not go out, by column key: addresses without a system usage (R28), and what another column is in the CRM already. */
export const leftOutOf = ({ leftOut }: SyncPlan, { fields }: Pick<SyncRow, 'fields'>): EntryWarning[] =>
  leftOut.flatMap(({ key, code }) => (isBlank(fields[key]) ? [] : [{ code, field: key }]))

/** R28, `unmappedAddress: reject`: nothing of the record is written. */
export const refusesValues = (plan: SyncPlan, row: SyncRow): boolean =>
  plan.sync.unmappedAddress === 'reject' && leftOutOf(plan, row).some(({ code }) => code === 'addressNotMapped')

/** The same, for a record that is to be created or linked; one that is linked is refused only when something would be sent. */
export const refusesAddress = (plan: SyncPlan, job: Job): boolean =>
  (job.kind === 'create' || (job.kind === 'write' && job.isNew)) && refusesValues(plan, job.row)

export const refusedAddress = (plan: SyncPlan, row: SyncRow): Outcome => ({
  record: row,
  kind: 'rejected',
  code: 'addressNotMapped',
  warnings: leftOutOf(plan, row),
})

/** A record that was created, updated or linked says what did not go out; one that stays as it is says nothing. */
export const withLeftOut = (plan: SyncPlan, outcome: Outcome): Outcome => {
  const { kind, link, record, warnings } = outcome
  if (kind !== 'created' && kind !== 'updated' && link === undefined) return outcome
  const left = leftOutOf(plan, record as SyncRow)
  return left.length === 0 ? outcome : { ...outcome, warnings: [...warnings, ...left] }
}
