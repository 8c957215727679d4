import type { CallOptions, Crm, CrmEntity } from '../domain/crm.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'

/** R21: failures of one person, while others succeed, before it is given up. */
export const mostTries = 5

const everybodys: ReadonlySet<ErrorCode> = new Set(['leaseLost', 'entityDisabled', 'databaseUnavailable'])

/**
 * What nobody is to blame for: it waits for all, and goes on when that is over. A 503 or a connection that is dropped may be one person's, which is to be
 * proven; a pause that was asked for is not.
 */
export const isEverybodys = ({ code, details }: FairleadError): boolean =>
  everybodys.has(code) || details.crm?.status === 429

const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/** The CRM may have carried the request out, or may still do so. */
export const isUnsure = (error: FairleadError): boolean => {
  const { status, code } = error.details.crm ?? {}
  if (error.code === 'crmUnreachable') return !neverConnected.has(code ?? '')
  return ['crmTimeout', 'crmAnswer', 'leaseLost'].includes(error.code) || (error.code === 'crmFailed' && status === 502)
}

/** R7, R21: whether a person is given up after so many failures. What the CRM may have done all the same is looked for once more, by `looking`. */
export const isGivenUp = (error: FairleadError, failures: number): boolean =>
  failures >= mostTries + (isUnsure(error) ? 1 : 0)

/** The CRM for a try after the last one: whoever is there by now is found, and nobody is created. */
export const looking = (crm: Crm, failures: number): Crm =>
  failures < mostTries ? crm : { ...crm, createLead: () => Promise.reject(new FairleadError('crmFailed')) }

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
