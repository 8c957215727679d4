import type { Claimed } from '../../db/submission/claim.ts'
import type { Outcome, Person } from '../../db/submission/settle.ts'
import type { SyncRow } from '../../db/sync/rows.ts'
import type { CrmEntity, CrmFound } from '../../domain/crm.ts'
import { FairleadError, isFairleadError } from '../../domain/errors.ts'
import type { SubmissionResult } from '../../domain/form/submission.ts'
import { changesFor, type Values } from '../../domain/form/values.ts'
import { chooseMatch, type Candidate } from '../../domain/match.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { isBlank } from '../../domain/values.ts'
import { leftOutOf } from '../sync/address.ts'
import { draft, hasAll } from '../sync/create.ts'
import type { Question } from '../sync/job.ts'
import { reread } from '../sync/write.ts'
import { createLead } from './create.ts'

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
}

type Told = Pick<Outcome, 'results' | 'warnings'>
/** The CRM's own words and code, for what was refused of one person while others were written. */
type Refused = { error: FairleadError | null }

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

const outcome = (
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
  warnings: [...submission.warnings, ...warnings],
  tries: submission.tries,
  afterMs: 0,
  ...rest,
})

const later = (item: Item, told: Told, afterMs: number, code: string): Outcome =>
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

const toPerson = ({ entity, person }: Candidate): Person => ({ entity, id: person.id, values: person.values })

/** R30: what was said later stays. */
const lateness = ({ submission: { isLate } }: Item): EntryWarning[] => (isLate ? [{ code: 'newerAnswers' }] : [])

/** F2: everybody with the address. One who is refused, or does not come, does not keep the others from being written. */
const writeAll = async (item: Item, people: Candidate[], warnings: EntryWarning[]): Promise<Outcome> => {
  const told: Told = {
    results: [],
    warnings: [...lateness(item), ...warnings, ...homeless(item, new Set(people.map((each) => each.entity)))],
  }
  const refused: Refused = { error: item.hidden ? new FairleadError('crmFailed') : null }
  const written: Candidate[] = []
  for (const each of people) {
    try {
      const person = await writeTo(item, each, told)
      if (person === undefined) return later(item, told, 1000, 'crmChanged')
      written.push({ entity: each.entity, person })
    } catch (error) {
      if (!isFairleadError(error) || error.kind !== 'record') {
        // the next attempt finds them as this one has left them
        item.submission.results = withEarlier(told.results, item.submission.results)
        throw error
      }
      refused.error ??= error
    }
  }
  const best = bestOf(written, item.row)
  const person = best === undefined ? {} : { person: toPerson(best) }
  const { error } = refused
  if (error === null) return outcome(item, 'pushed', null, { ...told, ...person })
  return outcome(item, 'rejected', error.code, { ...told, ...person, crm: error.details.crm })
}

/** What a new lead gets: what the submission said, and what the record of the list has besides; what was there first where the policy says so. */
const forLead = ({ row, values, submission }: Item): SyncRow => {
  const known = Object.fromEntries(Object.entries(row?.fields ?? {}).filter(([, value]) => !isBlank(value)))
  const fields = submission.push.policy === 'overwrite' ? { ...known, ...values } : { ...values, ...known }
  const nobody = { entity: null, crmId: null, version: 0, removed: false, state: null, agreed: {} }
  return { ...(row ?? { id: submission.recordId, ...nobody }), fields }
}

const create = async (item: Item, warnings: EntryWarning[]): Promise<Outcome> => {
  const { question, email, resolvedAt } = item
  const created = await createLead(question, forLead(item), { email, resolvedAt })
  if (created.kind === 'later') return later(item, { results: [], warnings }, created.afterMs, 'beingCreated')
  if (created.kind === 'erased') return outcome(item, 'rejected', 'erased', { results: [], warnings: [] })
  if (created.kind === 'found') return writeAll(item, created.people, warnings)
  if (created.kind === 'missing') {
    const missing = created.fields.map((field) => ({ code: 'requiredMissing', field }))
    return outcome(item, 'rejected', 'requiredMissing', { results: [], warnings: [...warnings, ...missing] })
  }
  const { made, person } = created
  const lost = made.fields.filter(({ name }) => name in made.changes && person.values[name] === undefined)
  const said = [...warnings, ...made.warnings, ...lost.map(({ name }) => ({ code: 'fieldMissing', field: name }))]
  const fields = Object.keys(made.changes)
  return outcome(item, 'pushed', null, {
    results: [{ entity: 'lead', id: person.id, kind: 'created', fields }],
    warnings: said,
    person: toPerson({ entity: 'lead', person }),
  })
}

/** R7: the only lead with the address came of a request of ours that had no answer, and has what was sent. */
const recognised = (item: Item): Outcome | undefined => {
  const [only, ...others] = item.found
  if (!item.unanswered || only?.entity !== 'lead' || others.length > 0) return undefined
  const made = draft(item.question.plan, forLead(item))
  if (!hasAll(made, only.person)) return undefined
  return outcome(item, 'pushed', null, {
    results: [{ entity: 'lead', id: only.person.id, kind: 'created', fields: Object.keys(made.changes) }],
    warnings: made.warnings,
    person: toPerson(only),
  })
}

/** F2, R29 for one submission. Throws what it is not to blame for. */
export const pushOne = async (item: Item): Promise<Outcome> => {
  const { plan } = item.question
  if (item.email === '') return outcome(item, 'rejected', 'noEmail', { results: [], warnings: [] })
  // where others with the address have come they are written to first
  if (item.hidden && item.found.length === 0) throw new FairleadError('crmFailed')
  const names = new Map(plan.leftOut.map(({ key, name }) => [key, name]))
  const left = leftOutOf(plan, { fields: item.values }).map((each) => ({ ...each, field: names.get(each.field!)! }))
  if (plan.sync.unmappedAddress === 'reject' && left.some(({ code }) => code === 'addressNotMapped'))
    return outcome(item, 'rejected', 'addressNotMapped', { results: [], warnings: left })
  const known = recognised(item)
  if (known !== undefined) return { ...known, warnings: [...known.warnings, ...left] }
  return item.found.length > 0 ? writeAll(item, item.found, left) : create(item, left)
}
