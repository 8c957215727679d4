import type { Outcome } from '../../db/submission/settle.ts'
import type { Claimed } from '../../db/submission/claim.ts'
import { unanswered } from '../../db/sync/creation.ts'
import { isFairleadError, type FairleadError } from '../../domain/errors.ts'
import type { Values } from '../../domain/form/values.ts'
import { hopeless, isEnough, isEverybodys, isUnsure, looking, proving, retryMs, type ProveOthers } from '../proof.ts'
import { judged, type Refuse } from '../refusal.ts'
import type { Question } from '../sync/job.ts'
import { pushOne } from './push.ts'
import type { Item } from './write.ts'

type At = Pick<Question, 'deps' | 'plan' | 'crm' | 'options'>
type Failed = {
  submission: Claimed
  values: Values
  /** R7: whether the CRM may have made the lead all the same */
  mayBeThere: (error: FairleadError) => boolean
  proveOthers: ProveOthers
  reached?: Item['reached'] | undefined
}

const isLastLook = ({ tries }: Claimed): boolean => tries >= hopeless

/** What a failure means for a submission: it is put off, or rejected. Throws what everybody's submissions wait for. */
const judge = async (at: At, failed: Failed, error: FairleadError): Promise<Outcome> => {
  const { code, kind, details } = error
  const { submission, values, mayBeThere, proveOthers, reached } = failed
  const { warnings, results } = submission
  const said = { submission, plan: at.plan, values, warnings, results, ...(details.crm && { crm: { ...details.crm } }) }
  if (kind === 'record') return { ...said, code, state: 'rejected', tries: submission.tries, afterMs: 0 }
  if (code === 'leaseLost') return { ...said, code, state: 'waiting', tries: submission.tries, afterMs: 500 }
  if (kind !== 'transient' || isEverybodys(error)) throw error
  await proveOthers('lead', error)
  const tries = submission.tries + 1
  const { creationWaitMs } = at.deps
  const isOver = isLastLook(submission) || (!mayBeThere(error) && isEnough(tries, at.crm, creationWaitMs))
  if (isOver)
    return { ...said, code: 'crmFailed', state: 'rejected', tries, afterMs: 0, ...(reached && { person: reached }) }
  return { ...said, code, state: 'waiting', tries, afterMs: retryMs(tries, creationWaitMs) }
}

/**
 * What an attempt at one submission came to. A failure that may pass puts it off; one of its own rejects it. Throws what everybody's submissions wait
 * for: the CRM as a whole, or the connection.
 */
export const attempt = async (item: Item, refuse: Refuse): Promise<Outcome> => {
  const { submission, question, values } = item
  const { crm, options } = question
  const by = isLastLook(submission) ? { ...item, question: { ...question, crm: looking(crm) } } : item
  try {
    return await judged(refuse, options.signal, () => pushOne(by))
  } catch (error) {
    if (!isFairleadError(error) || options.signal?.aborted === true) throw error
    const creates = item.found.length === 0
    const mayBeThere = (said: FairleadError): boolean => item.unanswered || (creates && isUnsure(said))
    const { reached } = by
    return judge(question, { submission, values, mayBeThere, proveOthers: proving(question), reached }, error)
  }
}

/** The same for submissions that could not be looked up. */
export const failedLook = async (at: At, submissions: readonly Claimed[], error: FairleadError): Promise<Outcome[]> => {
  const ids = submissions.map(({ recordId }) => recordId)
  const sent = await unanswered(at.deps.db, at.plan.connectionId, ids)
  const proveOthers = proving(at)
  return Promise.all(
    submissions.map((submission) => {
      const mayBeThere = (): boolean => sent.has(submission.recordId)
      return judge(at, { submission, values: {}, mayBeThere, proveOthers }, error)
    }),
  )
}
