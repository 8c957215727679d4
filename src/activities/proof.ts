import type { CallOptions, Crm, CrmEntity } from '../domain/crm.ts'
import type { ErrorCode } from '../domain/errors.ts'

/** R21: failures of one person, while others succeed, before it is given up. */
export const mostTries = 5

/** The CRM as a whole, or our own side, and nothing about one person. */
export const everybodys: ReadonlySet<ErrorCode> = new Set([
  'crmUnreachable',
  'crmBusy',
  'entityDisabled',
  'databaseUnavailable',
])

/** Rejects where the CRM does not answer others either. */
export type ProveOthers = (entity: CrmEntity) => Promise<unknown>

/**
 * Asks whether the CRM answers others: what fails while it does is the person's own (R21). Asked at every failure: one that falls into an outage of all
 * counts against nobody, else the first failure after it would give up who was under way. Those that fail at the same time share the question.
 */
export const proving = ({ crm, options }: { crm: Crm; options: CallOptions }): ProveOthers => {
  const asked = new Map<CrmEntity, Promise<unknown>>()
  return (entity) => {
    const under = asked.get(entity) ?? crm.total(entity, options).finally(() => asked.delete(entity))
    asked.set(entity, under)
    return under
  }
}
