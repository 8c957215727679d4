import type { CallOptions, Crm, CrmEntity, CrmField } from '../domain/crm.ts'
import { absentOf, type Answer } from '../domain/ask.ts'
import { beat } from './beat.ts'

/** People are asked for so many at once. */
const askAtOnce = 500

export type Question = { crm: Crm; entity: CrmEntity; options: CallOptions }

/** Whether people are there, by their keys alone: no field can hide them. */
export const askKeys = async ({ crm, entity, options }: Question, ids: string[]): Promise<Answer> => {
  const { rows, unreadable, warnings } = await crm.peopleById(entity, [], ids, options)
  return { asked: ids, found: rows, unreadable, warnings }
}

/**
 * People with their fields. Whoever does not come is asked for by key before being taken to be gone: a server that leaves out people whose
 * related data are missing must not make them disappear.
 */
export const askPeople = async (question: Question, fields: CrmField[], ids: string[]): Promise<Answer> => {
  const { crm, entity, options } = question
  const { rows, unreadable, warnings } = await crm.peopleById(entity, fields, ids, options)
  const answer = { asked: ids, found: rows, unreadable, warnings }
  const absent = absentOf(answer)
  if (absent.length === 0) return answer
  const { found: hidden, unreadable: broken } = await askKeys(question, absent)
  return { ...answer, unreadable: [...unreadable, ...broken, ...hidden.map(({ id }) => ({ id, crm: {} }))] }
}

/** So many ids as are asked for at once, with a sign of life for each; `doing` names it. */
export function* chunks(doing: string, ids: string[]): Generator<string[]> {
  for (let from = 0; from < ids.length; from += askAtOnce) {
    beat({ [doing]: from })
    yield ids.slice(from, from + askAtOnce)
  }
}
