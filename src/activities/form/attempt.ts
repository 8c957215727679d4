import type { Outcome } from '../../db/submission/settle.ts'
import type { Claimed } from '../../db/submission/claim.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Values } from '../../domain/form/values.ts'
import { isEverybodys, isGivenUp, looking, retryMs, type Proof } from '../proof.ts'
import { judged, type Refuse } from '../refusal.ts'
import type { Question } from '../sync/job.ts'
import { pushOne, type Item } from './push.ts'

/** The connection's `Refuse`, and what is known of whether the CRM works for others. */
export type Judging = { refuse: Refuse; proof: Proof }
type Failing = Pick<Question, 'deps' | 'plan' | 'crm' | 'options'>

/** What a failure means for a submission: it is put off, or rejected. Throws what everybody's submissions wait for. */
const judge = async (
  at: Failing,
  { submission, values, subject = submission.id }: { submission: Claimed; values: Values; subject?: string },
  { error, proof }: { error: FairleadError; proof: Proof },
): Promise<Outcome> => {
  const { code, kind, details } = error
  const { warnings, results } = submission
  const said = { submission, plan: at.plan, values, warnings, results, ...(details.crm && { crm: { ...details.crm } }) }
  if (kind === 'record') return { ...said, code, state: 'rejected', tries: submission.tries, afterMs: 0 }
  if (code === 'leaseLost') return { ...said, code, state: 'waiting', tries: submission.tries, afterMs: 500 }
  if (kind !== 'transient' || isEverybodys(error)) throw error
  await proof.others(at, { entity: 'lead', id: subject }, error)
  const tries = submission.tries + 1
  if (isGivenUp(error, tries)) return { ...said, code: 'crmFailed', state: 'rejected', tries, afterMs: 0 }
  return { ...said, code, state: 'waiting', tries, afterMs: retryMs(tries, at.deps.creationWaitMs) }
}

/**
 * What an attempt at one submission came to. A failure that may pass puts it off; one of its own rejects it. Throws what everybody's submissions wait
 * for: the CRM as a whole, or the connection.
 */
export const attempt = async (item: Item, { refuse, proof }: Judging): Promise<Outcome> => {
  const { submission, question } = item
  const crm = looking(question.crm, submission.tries, submission.crm)
  try {
    const outcome = await judged(refuse, question.options.signal, () =>
      pushOne({ ...item, question: { ...question, crm } }),
    )
    if (outcome.state === 'pushed') proof.worked()
    return outcome
  } catch (error) {
    if (!isFairleadError(error) || question.options.signal?.aborted === true) throw error
    return judge(question, item, { error, proof })
  }
}

/** The same for submissions that could not be looked up together: one failure. */
export const failedLook = (
  at: Failing,
  submissions: readonly Claimed[],
  failed: { error: FairleadError; proof: Proof },
): Promise<Outcome[]> =>
  Promise.all(
    submissions.map((submission) => judge(at, { submission, values: {}, subject: submissions[0]!.id }, failed)),
  )
