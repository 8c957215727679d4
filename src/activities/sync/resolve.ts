import * as decisions from '../../db/decision.ts'
import { withoutErased } from '../../db/erasure/known.ts'
import { unanswered } from '../../db/sync/creation.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CrmEntity, CrmFound, CrmWarning } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { chooseMatch, obeyDecision, type Candidate, type Match } from '../../domain/match.ts'
import { isEdited } from '../../domain/sync.ts'
import { emailOf, settled, type Job, type Question } from './job.ts'
import { readLinked, rejectedUnread } from './linked.ts'

const byEmail = async (
  { crm, plan, options }: Question,
  entity: CrmEntity,
  emails: string[],
  { warnings, hidden, erased }: { warnings: CrmWarning[]; hidden: Set<string>; erased: Set<string> },
): Promise<Map<string, CrmFound[]>> => {
  if (emails.length === 0) return new Map()
  const found = await crm.peopleByEmail(entity, plan.of[entity].fields, emails, options)
  warnings.push(...found.warnings)
  for (const email of found.hidden) hidden.add(email)
  const { people, erased: gone } = withoutErased({ ...plan, entity }, found.rows)
  for (const { values } of gone) erased.add(normaliseEmail(values['Email']) ?? '')
  return groupBy(people, ({ values }) => normaliseEmail(values['Email']))
}

const toJob = (row: SyncRow, email: string, match: Match, { plan }: Question, listed: Map<string, SyncRow>): Job => {
  if (match.kind === 'undecided') {
    const ids = match.candidates.map(({ person }) => person.id)
    const { candidates } = match
    return settled(row, { kind: 'skipped', code: 'needsDecision', warnings: [{ code: 'candidates', ids }], candidates })
  }
  if (match.kind === 'none') {
    if (!plan.sync.push.addNew) return settled(row, { kind: 'skipped', code: 'notFoundNotAdded' })
    return { row, resolvedAt: Date.now(), kind: 'create', email }
  }
  const { best, others } = match
  const other = listed.get(`${best.entity}:${best.person.id}`)
  if (other !== undefined && other.id !== row.id) {
    const link = { entity: best.entity, id: best.person.id }
    return settled(row, { kind: 'skipped', code: 'mergedIntoRecord', into: other.id, link })
  }
  return { row, resolvedAt: Date.now(), kind: 'write', person: best, others, isNew: true }
}

/** R7: a lead that came of a request without an answer was created by it, and not found. */
const recognise = (job: Job, email: string, sent: Set<string>): Job =>
  job.kind === 'write' && job.person.entity === 'lead' && sent.has(job.row.id)
    ? { row: job.row, resolvedAt: job.resolvedAt, kind: 'create', email, found: job.person.person }
    : job

/**
 * Who each record is in the CRM (R3, R4), in a handful of requests for a whole page: linked ones by id, the others by their address, contacts
 * first. A record without an address that is not linked cannot be found (R6); of two with one address the second waits for the first.
 */
export const resolve = async (question: Question, all: SyncRow[]): Promise<{ jobs: Job[]; warnings: CrmWarning[] }> => {
  const { plan, deps } = question
  const rows = all.filter(({ removed }) => !removed)
  const { ambiguousMatch } = plan.sync
  const warnings: CrmWarning[] = []
  const linked = (entity: CrmEntity) => rows.filter((row) => row.crmId !== null && row.entity === entity)
  const jobs = new Map<string, Job>([
    ...(await readLinked(question, 'lead', linked('lead'), warnings)),
    ...(await readLinked(question, 'contact', linked('contact'), warnings)),
  ])
  // removed here while it was put off (R17)
  for (const row of all.filter(({ removed }) => removed))
    jobs.set(row.id, settled(row, { kind: 'skipped', code: 'removedHere' }))
  const first = new Map<string, SyncRow>()
  // somebody in the CRM is about to get this address: a new record waits until that is done
  const moving = new Set(
    rows.filter(({ crmId, agreed }) => crmId !== null && isEdited(agreed[emailKeyColumn])).map(emailOf),
  )
  for (const row of rows.filter(({ crmId }) => crmId === null)) {
    const email = emailOf(row)
    if (email === null) jobs.set(row.id, settled(row, { kind: 'rejected', code: 'noEmail' }))
    else if (first.has(email) || moving.has(email)) jobs.set(row.id, settled(row, { kind: 'delayed', code: null }))
    else first.set(email, row)
  }
  const everybody = ambiguousMatch === 'all'
  const known = everybody ? rows.filter(({ crmId }) => crmId !== null).map(emailOf) : []
  const emails = [...new Set([...first.keys(), ...known.filter((email) => email !== null)])]
  const hidden = new Set<string>()
  const erased = new Set<string>()
  const said = { warnings, hidden, erased }
  const contacts = await byEmail(question, 'contact', emails, said)
  const leads = await byEmail(
    question,
    'lead',
    everybody ? emails : emails.filter((email) => !contacts.has(email)),
    said,
  )
  const chosen = await decisions.answersOf(
    deps.db,
    [...first.values()].map(({ id }) => id),
  )
  const matches = new Map(
    [...first].map(([email, row]) => {
      const match = chooseMatch(contacts.get(email) ?? [], leads.get(email) ?? [], ambiguousMatch)
      return [row.id, { row, email, match: obeyDecision(match, chosen.get(row.id), ambiguousMatch) }]
    }),
  )
  const listed = new Map<string, SyncRow>()
  for (const entity of ['lead', 'contact'] as const) {
    const ids = [...matches.values()].flatMap(({ match }) =>
      match.kind === 'found' && match.best.entity === entity ? [match.best.person.id] : [],
    )
    if (ids.length === 0) continue
    for (const [id, row] of await linkedRows(deps.db.$client, plan, entity, ids)) listed.set(`${entity}:${id}`, row)
  }
  const sent = await unanswered(
    deps.db,
    plan.connectionId,
    [...matches.values()].filter(({ match }) => match.kind === 'found').map(({ row }) => row.id),
  )
  for (const { row, email, match } of matches.values()) {
    if (hidden.has(email)) jobs.set(row.id, rejectedUnread(row, {}))
    // R40: an erased person is neither found nor made a second time
    else if (match.kind === 'none' && erased.has(email))
      jobs.set(row.id, settled(row, { kind: 'skipped', code: 'erased' }))
    else jobs.set(row.id, recognise(toJob(row, email, match, question, listed), email, sent))
  }
  if (everybody) addOthers([...jobs.values()], contacts, leads)
  return { jobs: all.map(({ id }) => jobs.get(id)!), warnings }
}

/** R4, `all`: whoever else has the address of a person that a record is linked to. */
const addOthers = (jobs: Job[], contacts: Map<string, CrmFound[]>, leads: Map<string, CrmFound[]>): void => {
  for (const job of jobs) {
    const email = emailOf(job.row)
    if (job.kind !== 'write' || job.isNew || email === null) continue
    const all: Candidate[] = [
      ...(contacts.get(email) ?? []).map((person) => ({ entity: 'contact' as const, person })),
      ...(leads.get(email) ?? []).map((person) => ({ entity: 'lead' as const, person })),
    ]
    job.others = all.filter(({ entity, person }) => entity !== job.person.entity || person.id !== job.person.person.id)
  }
}
