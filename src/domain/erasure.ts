import type { CrmEntity } from './crm.ts'

/**
 * R40: how many rows of each were erased or made anonymous. `crmUntouched`: always true, since the CRM is not ours to erase in. `hashes`: keyed hashes that
 * keep the person from coming back.
 */
export type ErasureProof = {
  records: number
  entries: number
  edits: number
  submissions: number
  deliveries: number
  previews: number
  notes: number
  suppressions: number
  optOuts: number
  decisions: number
  hashes: number
  crmUntouched: true
}

/** Who is to be erased: by address, as a person of the CRM, or as a record. */
export type ErasureSubject = { email: string } | { crm: { entity: CrmEntity; id: string } } | { recordId: string }
