import { emailHexOf } from '../../db/emailKey.ts'
import { claimCreation, dropClaim, dropEarlier, earlierAddress, noteSent } from '../../db/sync/creation.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmEntity, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import type { Candidate } from '../../domain/match.ts'
import { isUnsure } from '../proof.ts'
import { draft, isThere, type Draft } from '../sync/create.ts'
import type { Question } from '../sync/job.ts'

/** Created; somebody who is there after all; to be looked up again after so long; or not made, since the record was erased meanwhile. */
type Created =
  | { kind: 'created'; made: Draft; person: CrmFound }
  | { kind: 'found'; people: Candidate[] }
  | { kind: 'later'; afterMs: number }
  | { kind: 'erased' }
  | { kind: 'missing'; fields: string[] }

const person = async (
  { crm, plan, options }: Question,
  { entity, crmId }: { entity: CrmEntity; crmId: string },
): Promise<Created> => {
  const [found] = (await crm.peopleById(entity, plan.of[entity].fields, [crmId], options)).rows
  return found === undefined ? { kind: 'later', afterMs: 1000 } : { kind: 'found', people: [{ entity, person: found }] }
}

/**
 * R7: creates a lead of a submission that the CRM has nobody for, by the same claim as a list's push. Throws what a submission is not to blame for.
 */
export const createLead = async (
  question: Question,
  row: SyncRow,
  { email, resolvedAt }: { email: string; resolvedAt: number },
): Promise<Created> => {
  const { deps, crm, plan, runId, options } = question
  const made = draft(plan, row)
  if (made.missing.length > 0) return { kind: 'missing', fields: made.missing }
  const { accountId, connectionId, hashKey } = plan
  const key = { accountId, connectionId, emailKey: emailHexOf(hashKey, email), recordId: row.id, runId }
  const earlier = await earlierAddress(deps.db, key, deps.creationWaitMs)
  if (earlier !== undefined) {
    if (earlier.waitMs > 0) return { kind: 'later', afterMs: earlier.waitMs }
    await dropEarlier(deps.db, key, earlier.emailKey)
  }
  const resolvedMsAgo = Date.now() - resolvedAt
  const claim = await claimCreation(deps.db, key, { resolvedMsAgo, waitMs: deps.creationWaitMs })
  if (claim.state === 'gone') return { kind: 'erased' }
  if (claim.state === 'busy') return { kind: 'later', afterMs: 500 }
  if (claim.state === 'done') return person(question, claim)
  if (claim.state === 'unsure') {
    if (claim.waitMs > 0) return { kind: 'later', afterMs: claim.waitMs }
    if (await isThere(question, email)) return { kind: 'later', afterMs: 0 }
  }
  let sent = false
  const sending = async (): Promise<void> => {
    await noteSent(deps.db, key, claim.token, email)
    sent = true
  }
  try {
    return { kind: 'created', made, person: await crm.createLead(made.fields, made.changes, { ...options, sending }) }
  } catch (error) {
    if (!sent || (isFairleadError(error) && !isUnsure(error))) await dropClaim(deps.db, key, claim.token)
    if (error instanceof FairleadError && error.code === 'leaseLost') return { kind: 'later', afterMs: 500 }
    throw error
  }
}
