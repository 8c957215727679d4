import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmFound } from '../../domain/crm.ts'
import type { Decision } from '../../domain/decide.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import { withReply, type Outcome } from '../../domain/push.ts'
import { endOf, setBack, type Columns, type SetBack } from '../../domain/undo.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { Job, Question } from './job.ts'
import { namedBy, reread, unsaid } from './write.ts'

type Restore = Job & { kind: 'restore' }

export const columnsOf = ({ bound, columns }: SyncPlan): Columns => {
  const keys = new Set(bound)
  return { bound: keys, system: new Set(columns.map(({ key }) => key).filter((key) => !keys.has(key))) }
}

const decisionOf = ({ patch, agreed, changes, send }: SetBack): Decision => ({
  patch,
  agreed,
  changes,
  send,
  warnings: [],
  conflicts: 0,
})

const skipped = (record: SyncRow, code: string): Outcome => ({ record, kind: 'skipped', code, warnings: [] })

/** The person does not answer to the key. It is not for an undo to say what became of them. */
const judgeAbsent = async (question: Question, { row, person }: Restore, error: FairleadError): Promise<Outcome> => {
  const { entity, person: found } = person!
  const keys = await question.crm.peopleById(entity, [], [found.id], question.options)
  if (keys.rows.length > 0) throw new FairleadError('crmFailed', { crm: error.details.crm, cause: error })
  return skipped(row, 'deletedInCrm')
}

/**
 * Sets back what a run has written to a person, field by field, where it is still there; what the record holds meanwhile is held. Somebody who
 * changed between our read and our write is read and judged once more.
 */
export const restorePerson = async (question: Question, job: Restore): Promise<Outcome> => {
  const { crm, plan, options } = question
  const { row, deed } = job
  const columns = columnsOf(plan)
  if (job.person === null) {
    const result = setBack(row, deed, columns, null)
    return { record: row, ...endOf(result, deed), decision: decisionOf(result), columns: plan.columns }
  }
  const { entity } = job.person
  const { columns: known, fields } = plan.of[entity]
  let { person } = job.person
  for (let tried = 0; ; tried += 1) {
    const result = setBack(row, deed, columns, { columns: known, values: person.values })
    const decision = decisionOf(result)
    const outcome: Outcome = { record: row, ...endOf(result, deed), decision, columns: known }
    const sent = (stored: CrmFound['values']) => ({ send: { ...result.back, ...result.send }, stored, holds: true })
    try {
      if (Object.keys(result.send).length === 0) return { ...outcome, sent: sent(person.values) }
      const stored = await crm.update(entity, fields, person, namedBy(known, result.send), options)
      question.say?.(unsaid(known, result.send, stored))
      // only the CRM's own dates: what else it holds is for the next sync
      const dates = known.filter(({ field }) => field.readOnly)
      const settled = withReply(decision, dates, row, stored.values)
      return { ...outcome, decision: settled, sent: sent({ ...person.values, ...stored.values }) }
    } catch (error) {
      if (!isFairleadError(error)) throw error
      const again = error.code === 'crmChanged' && tried === 0 ? await reread(question, entity, person.id) : undefined
      if (again !== undefined) {
        person = again
        continue
      }
      if (error.code === 'crmNotFound' || (error.code === 'crmChanged' && tried === 0))
        return judgeAbsent(question, job, error)
      if (error.code === 'crmChanged') return skipped(row, 'crmChanged')
      throw error
    }
  }
}
