import type { CrmEntity, CrmFound } from './crm.ts'
import type { CrmSaid } from './errors.ts'
import type { Candidate } from './match.ts'

export type Heir = { entity: CrmEntity; id: string }

/**
 * A person who was linked and does not answer to its own key any more (R15, R16): taken over by somebody else in the CRM, perhaps by one of
 * several, or deleted.
 */
export type Gone = {
  id: string
  entity: CrmEntity
  /** who was marked as having taken the person over when this was found out, whether or not that one is there */
  heir: Heir | null
  fate:
    | { kind: 'deleted' }
    | { kind: 'converted' | 'merged'; to: { entity: CrmEntity; person: CrmFound } }
    | { kind: 'undecided'; as: 'converted' | 'merged'; candidates: Candidate[] }
    /** whoever took the person over, or may have, is there, and the CRM cannot deliver them */
    | { kind: 'unread'; crm: CrmSaid }
    /** not to be concluded from this run (R15): too many, or another CRM user */
    | { kind: 'doubtful' }
}
