import type { CallOptions, Crm, CrmEntity } from '../domain/crm.ts'
import { FairleadError, type ErrorCode, type CrmSaid } from '../domain/errors.ts'

/** R21: failures of one person, while others succeed, before it is given up. */
export const mostTries = 5

const everybodys: ReadonlySet<ErrorCode> = new Set(['leaseLost', 'entityDisabled', 'databaseUnavailable'])

/**
 * What nobody is to blame for: it waits for all, and goes on when that is over. A 503 or a connection that is dropped may be one person's, which is to be
 * proven; a pause that the CRM asks for is not.
 */
export const isEverybodys = ({ code, details: { crm, retryAfterMs } }: FairleadError): boolean =>
  everybodys.has(code) || crm?.status === 429 || (crm?.status !== undefined && retryAfterMs !== undefined)

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

/** The CRM for a try after the last one: whoever is there by now is found, and nobody is created. `said`: by the CRM at the last one. */
export const looking = (crm: Crm, failures: number, said?: CrmSaid | null): Crm => {
  if (failures < mostTries) return crm
  return { ...crm, createLead: () => Promise.reject(new FairleadError('crmFailed', said ? { crm: said } : {})) }
}

/** Half of it by chance, so that those who failed together do not come back together. */
const jittered = (ms: number): number => ms * (0.5 + Math.random() / 2)

/** How long everybody waits: half a second, then twice as long each time. */
export const backOffMs = (tries: number, mostMs: number): number =>
  jittered(Math.min(mostMs, 500 * 2 ** Math.min(Math.max(0, tries - 1), 12)))

/**
 * When one person is tried again: soon after a hitch, and then so late that a CRM that takes no changes for some minutes, although it can be read, has
 * nobody given up. `waitMs`: how late the CRM may be.
 */
export const retryMs = (failures: number, waitMs: number): number =>
  jittered([500, waitMs / 4, waitMs, 2 * waitMs][failures - 1] ?? waitMs)

/** So many who fail, and nobody in between who does not, are not those of single people. */
const mostFailures = 5

type Asking = { crm: Crm; options: CallOptions }

export type Proof = {
  /** Throws the cause where the CRM does not work for others either. */
  others: (asking: Asking, subject: { entity: CrmEntity; id: string }, cause: FairleadError) => Promise<void>
  /** Something was written. */
  worked: () => void
}

/**
 * Asks whether the CRM works for others: what fails while it does is the person's own (R21). It is asked at every failure: one that falls into an outage
 * of all counts against nobody, else the first failure after it would give up who was under way. Those that fail at the same time share the question. That
 * the CRM can be read proves nothing where `most` fail one after the other: then it is everybody's, too.
 * Those before them count, so that an end is reached all the same.
 */
export const proving = (most = mostFailures): Proof => {
  const asked = new Map<CrmEntity, Promise<unknown>>()
  const failing = new Set<string>()
  return {
    async others({ crm, options }, { entity, id }, cause) {
      if (failing.add(id).size >= most) throw cause
      const under = asked.get(entity) ?? crm.total(entity, options).finally(() => asked.delete(entity))
      asked.set(entity, under)
      try {
        await under
      } catch {
        throw cause
      }
    },
    worked() {
      failing.clear()
    },
  }
}
