import { permits, type Role } from './account.ts'
import { FairleadError, misplaced } from './errors.ts'

export const suppressionReasons = ['unsubscribed', 'bounced', 'complained', 'optedOut', 'manual'] as const
export type SuppressionReason = (typeof suppressionReasons)[number]

/** Who says so: the person, the CRM, an administrator, or a program or user of the API on their own account. */
export const suppressionSources = ['person', 'crm', 'admin', 'api'] as const
export type SuppressionSource = (typeof suppressionSources)[number]

/** What only the person does, whoever reports it (R34). */
const ofPerson: ReadonlySet<SuppressionReason> = new Set(['unsubscribed', 'complained', 'optedOut'])

/**
 * R34: whether it goes to the CRM as DoNotEmail. What the person has said does, whoever reports it. A bounce says nothing about the person's will; `manual`
 * is a decision about our own mail, unless the person asked for it; what the CRM said it knows.
 */
export const isOptOut = ({ reason, source }: { reason: SuppressionReason; source: SuppressionSource }): boolean =>
  source !== 'crm' && (ofPerson.has(reason) || (reason === 'manual' && source === 'person'))

/** Who gives an address free again: the person, or an administrator with evidence. */
export type ConsentBy = 'person' | 'admin'

/** R34: what a new consent ends. A bounce is no matter of consent, and what the CRM said it takes back itself. */
export const endsWith = (
  by: ConsentBy,
  { reason, source }: { reason: SuppressionReason; source: SuppressionSource },
): boolean =>
  source !== 'crm' && reason !== 'bounced' && (by === 'admin' || source === 'person' || ofPerson.has(reason))

/** Who is meant where nobody is named. */
export const sourceOf = (reason: SuppressionReason): SuppressionSource => (ofPerson.has(reason) ? 'person' : 'api')

/** R34: what a person or an administrator has decided needs an administrator to be undone. */
const needsAdmin: ReadonlySet<SuppressionSource> = new Set(['person', 'admin'])

/** Errors: invalidInput for `crm`, which the CRM alone says; forbidden for `admin` by a lower role. */
export const checkSource = (source: SuppressionSource, role: Role, path = 'source'): void => {
  if (source === 'crm') throw misplaced(path, 'The CRM alone says that.')
  if (source === 'admin' && !permits(role, 'admin')) {
    throw new FairleadError('forbidden', {
      detail: `The source admin needs the role admin; the key has the role ${role}.`,
    })
  }
}

/** R34: who may lift a suppression by hand. Errors: suppressionOfCrm, forbidden. */
export const checkLift = (source: SuppressionSource, role: Role): void => {
  if (source === 'crm') throw new FairleadError('suppressionOfCrm')
  if (needsAdmin.has(source) && !permits(role, 'admin')) {
    const detail = `Lifting a suppression of the source ${source} needs the role admin; the key has the role ${role}.`
    throw new FairleadError('forbidden', { detail })
  }
}
