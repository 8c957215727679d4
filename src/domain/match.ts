import type { AmbiguousMatch } from './account.ts'
import type { CrmEntity, CrmFound } from './crm.ts'

/** Somebody in the CRM who has the record's address. */
export type Candidate = { entity: CrmEntity; person: CrmFound }

export type Match =
  | { kind: 'none' }
  /** `others`: everybody else with the address, for the warning, and to be written to when the account says `all` */
  | { kind: 'found'; best: Candidate; others: Candidate[] }
  | { kind: 'undecided'; candidates: Candidate[] }

const changedAt = ({ person }: Candidate): string => {
  const value = person.values['ModifyDate']
  return typeof value === 'string' ? value : ''
}

const byChange = (a: Candidate, b: Candidate): number => {
  const [left, right] = [changedAt(a), changedAt(b)]
  if (left !== right) return left > right ? -1 : 1
  return a.person.id < b.person.id ? -1 : 1
}

/**
 * R4: what a person has decided about a record outranks every rule. Whoever was chosen and has the address no more is asked about anew, where the
 * account asks at all.
 */
export const obeyDecision = (
  match: Match,
  chosen: { entity: CrmEntity; id: string } | undefined,
  rule: AmbiguousMatch,
): Match => {
  if (chosen === undefined || match.kind === 'none') return match
  const all = match.kind === 'found' ? [match.best, ...match.others] : match.candidates
  const best = all.find(({ entity, person }) => entity === chosen.entity && person.id === chosen.id)
  if (best !== undefined) return { kind: 'found', best, others: all.filter((each) => each !== best) }
  if (match.kind === 'undecided' || rule !== 'hold') return match
  return { kind: 'undecided', candidates: all.filter(({ entity }) => entity === match.best.entity) }
}

/**
 * R3, R4: contacts before leads; of several the one that changed last, of those the smallest id. `hold` leaves the choice among several people
 * of the kind that counts to a person.
 */
export const chooseMatch = (contacts: CrmFound[], leads: CrmFound[], rule: AmbiguousMatch): Match => {
  const all: Candidate[] = [
    ...contacts.map((person) => ({ entity: 'contact' as const, person })).sort(byChange),
    ...leads.map((person) => ({ entity: 'lead' as const, person })).sort(byChange),
  ]
  const [best, ...others] = all
  if (best === undefined) return { kind: 'none' }
  const rivals = others.filter(({ entity }) => entity === best.entity)
  if (rule === 'hold' && rivals.length > 0) return { kind: 'undecided', candidates: [best, ...rivals] }
  return { kind: 'found', best, others }
}
