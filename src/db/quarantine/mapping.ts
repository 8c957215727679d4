import { createHash } from 'node:crypto'
import type { EntityPlan, SyncPlan } from '../sync/plan.ts'

const entityFacts = ({ columns, live }: EntityPlan): string[][] => [
  columns.map(({ key, field }) => `${key} ${field.name}`).sort((a, b) => (a < b ? -1 : 1)),
  live
    .map((each) => [each.name, each.type, each.maxLength, each.required, each.readOnly, each.picklist].join(' '))
    .sort((a, b) => (a < b ? -1 : 1)),
]

/** R23: a fingerprint of all that a rejection can depend on besides the record itself: what is pushed, its columns, and the CRM's fields. */
export const mappingOf = ({ sync, of, leftOut }: SyncPlan): string => {
  const { push, ambiguousMatch, unmappedAddress = 'push' } = sync
  const unmapped = leftOut.map(({ key, code }) => `${key} ${code}`)
  const facts = [push, ambiguousMatch, unmappedAddress, unmapped, entityFacts(of.lead), entityFacts(of.contact)]
  return createHash('sha256').update(JSON.stringify(facts)).digest('base64url')
}
