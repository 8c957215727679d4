import type { Outcome } from '../../db/submission/settle.ts'
import type { Claimed } from '../../db/submission/claim.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Values } from '../../domain/form/values.ts'
import { isEverybodys, isGivenUp, looking, proving, type ProveOthers } from '../proof.ts'
import { judged, type Refuse } from '../refusal.ts'
import type { Question } from '../sync/job.ts'
import { pushOne, type Item } from './push.ts'

/** Half a second, then twice as long each time, half of it by chance, so that those who failed together do not come back together. */
export const backOffMs = (tries: number, mostMs: number): number =>
  Math.min(mostMs, 500 * 2 ** Math.min(Math.max(0, tries - 1), 12)) * (0.5 + Math.random() / 2)

type Failing = { submission: Claimed; plan: SyncPlan; values: Values; proveOthers: ProveOthers }

/** What a failure means for a submission: it is put off, or rejected. Throws what everybody's submissions wait for. */
const judge = async ({ submission, plan, values, proveOthers }: Failing, error: FairleadError): Promise<Outcome> => {
  const { code, kind, details } = error
  const { warnings, results } = submission
  const said = { submission, plan, values, warnings, results, ...(details.crm && { crm: { ...details.crm } }) }
  if (kind === 'record') return { ...said, code, state: 'rejected', tries: submission.tries, afterMs: 0 }
  if (code === 'leaseLost') return { ...said, code, state: 'waiting', tries: submission.tries, afterMs: 500 }
  if (kind !== 'transient' || isEverybodys(error)) throw error
  await proveOthers('lead', error)
  const tries = submission.tries + 1
  if (isGivenUp(error, tries)) return { ...said, code: 'crmFailed', state: 'rejected', tries, afterMs: 0 }
  return { ...said, code, state: 'waiting', tries, afterMs: backOffMs(tries, 60_000) }
}

/**
 * What an attempt at one submission came to. A failure that may pass puts it off; one of its own rejects it. Throws what everybody's submissions wait
 * for: the CRM as a whole, or the connection.
 */
export const attempt = async (item: Item, refuse: Refuse): Promise<Outcome> => {
  const { submission, question, values } = item
  const crm = looking(question.crm, submission.tries)
  try {
    return await judged(refuse, question.options.signal, () => pushOne({ ...item, question: { ...question, crm } }))
  } catch (error) {
    if (!isFairleadError(error) || question.options.signal?.aborted === true) throw error
    return judge({ submission, plan: question.plan, values, proveOthers: proving(question) }, error)
  }
}

/** The same for submissions that could not be looked up. */
export const failedLook = (
  { plan, crm, options }: Pick<Question, 'plan' | 'crm' | 'options'>,
  submissions: readonly Claimed[],
  error: FairleadError,
): Promise<Outcome[]> => {
  const proveOthers = proving({ crm, options })
  return Promise.all(submissions.map((submission) => judge({ submission, plan, values: {}, proveOthers }, error)))
}
