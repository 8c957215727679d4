import type { CallOptions, Crm, CrmEntity } from '../domain/crm.ts'
import type { ErrorCode, FairleadError } from '../domain/errors.ts'

/** R21: failures of one person, while others succeed, before it is given up. */
export const mostTries = 5

/** The CRM as a whole, or our own side, and nothing about one person. */
export const everybodys: ReadonlySet<ErrorCode> = new Set([
  'crmUnreachable',
  'crmBusy',
  'entityDisabled',
  'databaseUnavailable',
])

/** Throws the cause where the CRM does not answer others either. */
export type ProveOthers = (entity: CrmEntity, cause: FairleadError) => Promise<void>

/**
 * Asks whether the CRM answers others: what fails while it does is the person's own (R21). Asked at every failure: one that falls into an outage of all
 * counts against nobody, else the first failure after it would give up who was under way. Those that fail at the same time share the question.
 */
export const proving = ({ crm, options }: { crm: Crm; options: CallOptions }): ProveOthers => {
  const asked = new Map<CrmEntity, Promise<unknown>>()
  return async (entity, cause) => {
    const under = asked.get(entity) ?? crm.total(entity, options).finally(() => asked.delete(entity))
    asked.set(entity, under)
    try {
      await under
    } catch {
      throw cause
    }
  }
}
