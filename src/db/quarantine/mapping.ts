import { createHash } from 'node:crypto'
import type { Sql } from '../database.ts'
import type { EntityPlan, SyncPlan } from '../sync/plan.ts'

const entityFacts = ({ columns, live }: EntityPlan): string[][] => [
  columns.map(({ key, field }) => `${key} ${field.name}`).sort((a, b) => (a < b ? -1 : 1)),
  live
    .map((each) => [each.name, each.type, each.maxLength, each.required, each.readOnly, each.picklist].join(' '))
    .sort((a, b) => (a < b ? -1 : 1)),
]

/**
 * R23: a fingerprint of all that a rejection can depend on besides the record itself: what is pushed, its columns, and the CRM's fields; with the list
 * or segment whose settings those are.
 */
export const mappingOf = ({ holderId, sync, of, leftOut }: SyncPlan): string => {
  const { push, ambiguousMatch, unmappedAddress = 'push' } = sync
  const unmapped = leftOut.map(({ key, code }) => `${key} ${code}`)
  const facts = [push, ambiguousMatch, unmappedAddress, unmapped, entityFacts(of.lead), entityFacts(of.contact)]
  return `${holderId}:${createHash('sha256').update(JSON.stringify(facts)).digest('base64url')}`
}

/**
 * Whether the mapping of a parked record `k` is what it was. Where it was parked by the settings of another one, list or segment, a change of those is that
 * one's to see: else two that take turns would try everybody each time.
 */
export const isMappedAsThen = (sql: Sql, plan: SyncPlan): ReturnType<Sql> => sql`
  (k.mapping = ${mappingOf(plan)} or k.mapping <> '' and split_part(k.mapping, ':', 1) <> ${plan.holderId})`
