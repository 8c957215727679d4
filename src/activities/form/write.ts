import type { Claimed } from '../../db/submission/claim.ts'
import type { Outcome, Person } from '../../db/submission/settle.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmEntity, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import type { SubmissionResult } from '../../domain/form/submission.ts'
import { changesFor, type Values } from '../../domain/form/values.ts'
import { chooseMatch, type Candidate } from '../../domain/match.ts'
import type { EntryWarning } from '../../domain/run.ts'
import type { Question } from '../sync/job.ts'
import { reread } from '../sync/write.ts'

/** A submission with whom the CRM has by its address. */
export type Item = {
  question: Question
  submission: Claimed
  /** the record of the list, null when it is gone */
  row: SyncRow | null
  values: Values
  email: string
  resolvedAt: number
  found: Candidate[]
  /** R22: somebody is there whom the CRM does not deliver */
  hidden: boolean
  /** R7: an earlier request of the record has had no answer */
  unanswered: boolean
  /** whom the record is linked to, should others never come */
  reached?: Person
}

type Told = Pick<Outcome, 'results' | 'warnings'>
/** The CRM's own words and code, for what was refused of one person while others were written. */
type Refused = { error: FairleadError | null }

/** Each of them once. */
export const union = (known: EntryWarning[], more: EntryWarning[]): EntryWarning[] => [
  ...new Map([...known, ...more].map((warning) => [JSON.stringify(warning), warning])).values(),
]

/** What earlier attempts have done stays said. */
const withEarlier = (results: SubmissionResult[], earlier: SubmissionResult[]): SubmissionResult[] => {
  const before = new Map(earlier.map((result) => [`${result.entity}:${result.id}`, result]))
  const now = results.map((result) => {
    const known = before.get(`${result.entity}:${result.id}`)
    before.delete(`${result.entity}:${result.id}`)
    if (known === undefined || known.kind === 'unchanged') return result
    return { ...result, kind: known.kind, fields: [...new Set([...known.fields, ...result.fields])] }
  })
  return [...before.values(), ...now]
}

/** What an attempt came to, with what earlier ones have done. */
export const outcome = (
  { submission, question: { plan }, values }: Item,
  state: Outcome['state'],
  code: string | null,
  { results, warnings, ...rest }: Told & Partial<Pick<Outcome, 'person' | 'crm' | 'afterMs' | 'tries'>>,
): Outcome => ({
  submission,
  plan,
  values,
  state,
  code,
  results: withEarlier(results, submission.results),
  warnings: union(submission.warnings, warnings),
  tries: submission.tries,
  afterMs: 0,
  ...rest,
})

export const later = (item: Item, told: Told, afterMs: number, code: string): Outcome =>
  outcome(item, 'waiting', code, { ...told, afterMs })

const mostReads = 4

/** R29 for one person: written if nobody changed them since they were read, else read and decided again. Undefined when they are gone. */
const writeTo = async (
  { question, submission, values }: Item,
  { entity, person }: Candidate,
  told: Told,
): Promise<CrmFound | undefined> => {
  const { crm, plan, options } = question
  const { columns, fields } = plan.of[entity]
  let current = person
  for (let tried = 1; ; tried += 1) {
    const { changes, fields: written, warnings } = changesFor(columns, values, current.values, submission.push.policy)
    try {
      const sends = written.length > 0
      const stored = sends ? await crm.update(entity, fields, current, changes, options) : current
      told.warnings.push(...warnings)
      const names = written.map(({ name }) => name)
      told.results.push({ entity, id: person.id, kind: sends ? 'updated' : 'unchanged', fields: names })
      // a reply that tells less than what was read
      return { ...stored, values: { ...current.values, ...stored.values } }
    } catch (error) {
      if (!isFairleadError(error) || (error.code !== 'crmChanged' && error.code !== 'crmNotFound')) throw error
      const again = tried < mostReads ? await reread(question, entity, person.id) : undefined
      if (again === undefined) return undefined
      current = again
    }
  }
}

const noField: Record<CrmEntity, string> = { lead: 'noFieldOnLead', contact: 'noFieldOnContact' }

/** Values that a person of this kind has no field for, while one of the other kind has. */
const homeless = ({ question: { plan }, values }: Item, entities: ReadonlySet<CrmEntity>): EntryWarning[] =>
  [...entities].flatMap((entity) => {
    const known = new Set(plan.of[entity].columns.map(({ key }) => key))
    return plan.columns
      .filter(({ key }) => values[key] !== undefined && !known.has(key))
      .map(({ field }) => ({ code: noField[entity], field: field.name }))
  })

const bestOf = (people: Candidate[], row: SyncRow | null): Candidate | undefined => {
  const linked = people.find(({ entity, person }) => entity === row?.entity && person.id === row.crmId)
  if (linked !== undefined) return linked
  const of = (entity: CrmEntity): CrmFound[] =>
    people.filter((each) => each.entity === entity).map(({ person }) => person)
  const match = chooseMatch(of('contact'), of('lead'), 'best')
  return match.kind === 'found' ? match.best : undefined
}

export const toPerson = ({ entity, person }: Candidate): Person => ({ entity, id: person.id, values: person.values })

/** R30: what was said later stays. */
const lateness = ({ submission: { isLate } }: Item): EntryWarning[] => (isLate ? [{ code: 'newerAnswers' }] : [])

/** What was done, and said of it, stays: the next attempt leaves those people as they are. */
const keep = ({ submission }: Item, { results, warnings }: Told): void => {
  submission.results = withEarlier(results, submission.results)
  submission.warnings = union(submission.warnings, warnings)
}

/**
 * F2: everybody with the address. One who is refused, or does not come, does not keep the others from being written. Throws crmFailed, after that,
 * for one who does not come, since that may pass (R21).
 */
export const writeAll = async (item: Item, people: Candidate[], warnings: EntryWarning[]): Promise<Outcome> => {
  const told: Told = {
    results: [],
    warnings: [...lateness(item), ...warnings, ...homeless(item, new Set(people.map((each) => each.entity)))],
  }
  const refused: Refused = { error: null }
  const written: Candidate[] = []
  const attempted = item.submission.results.filter(({ isEarlier }) => isEarlier !== true)
  const done = new Set(attempted.map(({ entity, id }) => `${entity}:${id}`))
  for (const each of people) {
    // what somebody has changed since an earlier attempt is the later word
    if (done.has(`${each.entity}:${each.person.id}`)) {
      written.push(each)
      continue
    }
    try {
      const person = await writeTo(item, each, told)
      if (person === undefined) return later(item, told, 1000, 'crmChanged')
      written.push({ entity: each.entity, person })
    } catch (error) {
      if (!isFairleadError(error) || error.kind !== 'record') {
        keep(item, told)
        throw error
      }
      refused.error ??= error
    }
  }
  const best = bestOf(written, item.row)
  const person = best === undefined ? {} : { person: toPerson(best) }
  const { error } = refused
  if (item.hidden) {
    if (best !== undefined) item.reached = toPerson(best)
    keep(item, told)
    throw new FairleadError('crmFailed', { crm: error?.details.crm })
  }
  if (error === null) return outcome(item, 'pushed', null, { ...told, ...person })
  return outcome(item, 'rejected', error.code, { ...told, ...person, crm: error.details.crm })
}
