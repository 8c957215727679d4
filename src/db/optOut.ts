import { endsWith, type ConsentBy, type SuppressionReason, type SuppressionSource } from '../domain/suppression.ts'
import type * as audits from './audit.ts'
import type { Transaction } from './outbox.ts'
import { insertIn, liftIn, lockActive, type Inserted, type Suppression } from './suppression.ts'

type Address = {
  accountId: string
  /** as it was given */
  email: string
  /** of `email` (db/emailKey.ts) */
  emailKey: Buffer
  actor: audits.Actor
}

/**
 * R34: suppresses an address at once and, unless it is a bounce or a decision of our own, puts DoNotEmail on its way to everybody in the CRM who has it,
 * all in the caller's transaction. The same again changes nothing. `operator` of db/audit.ts is the actor where no key is.
 */
export const optOut = async (
  tx: Transaction,
  {
    accountId,
    actor,
    ...row
  }: Address & { reason: SuppressionReason; source: SuppressionSource; evidence: string | null },
): Promise<Inserted> => (await insertIn(tx, accountId, [row], actor))[0]!

/**
 * R34: the person's own new consent, or an administrator's word with evidence, ends the suppressions that it can end; then the CRM is told that the
 * address may be mailed. Bounces, and what the CRM itself said, stay. Answers what it has ended.
 */
export const consent = async (
  tx: Transaction,
  { accountId, emailKey, actor, evidence, by }: Address & { evidence: string; by: ConsentBy },
): Promise<Suppression[]> => {
  const all = await lockActive(tx, accountId, emailKey)
  const ended = all.filter((each) => endsWith(by, each))
  return liftIn(tx, accountId, { all, ended, evidence, overCrm: by === 'person' }, actor)
}
