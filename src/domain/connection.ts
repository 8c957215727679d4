import type { CrmSaid, ErrorCode } from './errors.ts'

/** `checking` only before the first success; `needsReconfirm` holds work (C4); `reset` is C3. */
export type ConnectionState = 'disconnected' | 'checking' | 'connected' | 'needsReconfirm' | 'reset'

export type ConnectionProblem = { code: ErrorCode; detail: string; remedy: string; crm?: CrmSaid; at: string }

/** C3: the CRM is the same if at least 95 of 100 sampled ids exist with an equal CreateDate. */
export const isSameCrm = (sampled: number, equal: number): boolean => sampled === 0 || equal >= sampled * 0.95
