import type { CallOptions, Crm, CrmEntity } from '../domain/crm.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'

/** R21: failures of one person, while others succeed, before it is given up. */
export const mostTries = 5

const everybodys: ReadonlySet<ErrorCode> = new Set(['leaseLost', 'entityDisabled', 'databaseUnavailable'])

/**
 * What nobody is to blame for: it waits for all, and goes on when that is over. A 503 or a connection that is dropped may be one person's, which is to be
 * proven; a pause that the CRM asks for is not.
 */
export const isEverybodys = ({ code, details: { crm, retryAfterMs } }: FairleadError): boolean =>
  everybodys.has(code) || crm?.status === 429 || (crm?.status === 503 && retryAfterMs !== undefined)

const neverConnected = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'])

/** The CRM may have carried the request out, or may still do so. */
export const isUnsure = (error: FairleadError): boolean => {
  const { status, code } = error.details.crm ?? {}
  if (error.code === 'crmUnreachable') return !neverConnected.has(code ?? '')
  return ['crmTimeout', 'crmAnswer', 'leaseLost'].includes(error.code) || (error.code === 'crmFailed' && status === 502)
}

/**
 * So many failures are the end in any case: where nothing shows that the CRM takes changes, and of what it may have done without an answer. An hour and a
 * half, by `retryMs` with the defaults.
 */
export const hopeless = 60

/**
 * R21: whether a person who has failed so often is given up. That the CRM can be read proves nothing: it may take no changes from anybody. So it must have
 * taken one `withinMs`, a time that is shorter than the person's tries took together, by `retryMs`.
 */
export const isEnough = (failures: number, crm: Crm, withinMs: number): boolean =>
  failures >= hopeless || (failures >= mostTries && crm.wroteMsAgo() < withinMs)

/** R7: the CRM for the look after the last try, which may have been carried out: whoever is there by now is found, and nobody is created. */
export const looking = (crm: Crm): Crm => ({ ...crm, createLead: () => Promise.reject(new FairleadError('crmFailed')) })

/** Half of it by chance, so that those who failed together do not come back together. */
const jittered = (ms: number): number => ms * (0.5 + Math.random() / 2)

/** How long everybody waits: half a second, then twice as long each time. */
export const backOffMs = (tries: number, mostMs: number): number =>
  jittered(Math.min(mostMs, 500 * 2 ** Math.min(Math.max(0, tries - 1), 12)))

/** When one person is tried again: soon after a hitch; all tries together take more than one and a half times `waitMs`, how late the CRM may be. */
export const retryMs = (failures: number, waitMs: number): number =>
  jittered([500, waitMs / 4, waitMs, 2 * waitMs][failures - 1] ?? waitMs)

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
