import type { CrmEntity } from '../crm.ts'

/**
 * `received`: stored, nothing else yet. `pushing`: under way. `pushed`: in the CRM. `stored`: on the list, by a form that does not push. `waiting`: tried
 * again by itself. `rejected`: needs a person. `held`: waits for the connection.
 */
export const submissionStates = ['received', 'pushing', 'pushed', 'stored', 'waiting', 'rejected', 'held'] as const
export type SubmissionState = (typeof submissionStates)[number]

/** Field name → answer; choices are lists. What was not answered is missing, what was left blank is ''. */
export type Answers = Record<string, string | number | boolean | string[]>

/** Undefined where nothing was answered, also to a field that is named as a property of every object is. */
export const answerTo = (answers: Answers, name: string): Answers[string] | undefined =>
  Object.hasOwn(answers, name) ? answers[name] : undefined

/**
 * What became of one person in the CRM. `fields`: names of the CRM's fields that were written. `isEarlier`: before the submission was opened again, so that the
 * person is written to once more.
 */
export type SubmissionResult = {
  entity: CrmEntity
  id: string
  kind: 'created' | 'updated' | 'unchanged'
  fields: string[]
  isEarlier?: true
}
