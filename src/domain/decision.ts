import type { CrmEntity } from './crm.ts'

/** `match`: several people have the record's address (R4). `successor`: several may have taken over from the person that it was (R16). */
export type DecisionKind = 'match' | 'successor'

/** A person of the CRM who may be meant, as they were when the question came up; values by column key. */
export type DecisionCandidate = { entity: CrmEntity; id: string; values: Record<string, unknown> }
