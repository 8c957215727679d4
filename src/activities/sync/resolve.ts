import { unanswered } from '../../db/sync/creation.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound, CrmWarning } from '../../domain/crm.ts'
import type { CrmSaid } from '../../domain/errors.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { chooseMatch, type Candidate, type Match } from '../../domain/match.ts'
import type { Outcome } from '../../domain/push.ts'
import type { Dependencies } from '../dependencies.ts'
import { judgeGone } from './gone.ts'

export type Question = {
  deps: Dependencies
  crm: Crm
  plan: SyncPlan
  runId: string
  options: CallOptions
  /** told what is found out on the way */
  say?: (found: CrmWarning[]) => void
}

/** What is to be done for a record: write to a person, of whom it may not have known before, or create one. */
export type Job = { row: SyncRow; resolvedAt: number } & (
  | { kind: 'write'; person: Candidate; others: Candidate[]; isNew: boolean }
  /** `found`: a lead that an earlier request of the record without an answer may have made */
  | { kind: 'create'; email: string; found?: CrmFound }
  | { kind: 'settled'; outcome: Outcome }
)

export const emailOf = (row: SyncRow): string | null => normaliseEmail(row.fields[emailKeyColumn])

const settled = (
  row: SyncRow,
  outcome: Omit<Outcome, 'record' | 'warnings'> & { warnings?: Outcome['warnings'] },
): Job => ({
  row,
  resolvedAt: Date.now(),
  kind: 'settled',
  outcome: { record: row, warnings: [], ...outcome },
})

const groupBy = <Item>(items: Item[], keyOf: (item: Item) => string | null): Map<string, Item[]> => {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    if (key !== null) groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}

const byEmail = async (
  { crm, plan, options }: Question,
  entity: CrmEntity,
  emails: string[],
  { warnings, hidden }: { warnings: CrmWarning[]; hidden: Set<string> },
): Promise<Map<string, CrmFound[]>> => {
  if (emails.length === 0) return new Map()
  const found = await crm.peopleByEmail(entity, plan.of[entity].fields, emails, options)
  warnings.push(...found.warnings)
  for (const email of found.hidden) hidden.add(email)
  return groupBy(found.rows, ({ values }) => normaliseEmail(values['Email']))
}

const rejectedUnread = (row: SyncRow, crm: CrmSaid): Job => settled(row, { kind: 'rejected', code: 'crmFailed', crm })

/** People whom records are linked to, as they are now. Who does not come is asked for by key alone before being judged. */
const readLinked = async (
  question: Question,
  entity: CrmEntity,
  rows: SyncRow[],
  warnings: CrmWarning[],
): Promise<Map<string, Job>> => {
  const { crm, plan, options } = question
  const jobs = new Map<string, Job>()
  if (rows.length === 0) return jobs
  const ids = rows.map(({ crmId }) => crmId!)
  const found = await crm.peopleById(entity, plan.of[entity].fields, ids, options)
  warnings.push(...found.warnings)
  const people = new Map(found.rows.map((person) => [person.id, person]))
  const broken = new Map(found.unreadable.map(({ id, crm: said }) => [id, said]))
  const absent = ids.filter((id) => !people.has(id) && !broken.has(id))
  if (absent.length > 0) {
    const keys = await crm.peopleById(entity, [], absent, options)
    for (const { id, crm: said } of keys.unreadable) broken.set(id, said)
    for (const { id } of keys.rows) broken.set(id, {})
  }
  const gone = await judgeGone(
    question,
    entity,
    absent.filter((id) => !broken.has(id)),
  )
  const fates = new Map(gone.map((each) => [each.id, each]))
  for (const row of rows) {
    const person = people.get(row.crmId!)
    const left = fates.get(row.crmId!)
    if (person !== undefined)
      jobs.set(row.id, {
        row,
        resolvedAt: Date.now(),
        kind: 'write',
        person: { entity, person },
        others: [],
        isNew: false,
      })
    else if (left !== undefined) jobs.set(row.id, settled(row, { kind: 'skipped', code: null, gone: left }))
    else jobs.set(row.id, rejectedUnread(row, broken.get(row.crmId!) ?? {}))
  }
  return jobs
}

const toJob = (row: SyncRow, email: string, match: Match, { plan }: Question, listed: Map<string, SyncRow>): Job => {
  if (match.kind === 'undecided') {
    const ids = match.candidates.map(({ person }) => person.id)
    return settled(row, { kind: 'skipped', code: 'needsDecision', warnings: [{ code: 'candidates', ids }] })
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
export const resolve = async (
  question: Question,
  rows: SyncRow[],
): Promise<{ jobs: Job[]; warnings: CrmWarning[] }> => {
  const { plan, deps } = question
  const { ambiguousMatch } = plan.sync
  const warnings: CrmWarning[] = []
  const linked = (entity: CrmEntity) => rows.filter((row) => row.crmId !== null && row.entity === entity)
  const jobs = new Map<string, Job>([
    ...(await readLinked(question, 'lead', linked('lead'), warnings)),
    ...(await readLinked(question, 'contact', linked('contact'), warnings)),
  ])
  const first = new Map<string, SyncRow>()
  for (const row of rows.filter(({ crmId }) => crmId === null)) {
    const email = emailOf(row)
    if (email === null) jobs.set(row.id, settled(row, { kind: 'rejected', code: 'noEmail' }))
    else if (first.has(email)) jobs.set(row.id, settled(row, { kind: 'delayed', code: null }))
    else first.set(email, row)
  }
  const everybody = ambiguousMatch === 'all'
  const known = everybody ? rows.filter(({ crmId }) => crmId !== null).map(emailOf) : []
  const emails = [...new Set([...first.keys(), ...known.filter((email) => email !== null)])]
  const hidden = new Set<string>()
  const contacts = await byEmail(question, 'contact', emails, { warnings, hidden })
  const leads = await byEmail(question, 'lead', everybody ? emails : emails.filter((email) => !contacts.has(email)), {
    warnings,
    hidden,
  })
  const matches = new Map(
    [...first].map(([email, row]) => [
      row.id,
      { row, email, match: chooseMatch(contacts.get(email) ?? [], leads.get(email) ?? [], ambiguousMatch) },
    ]),
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
    else jobs.set(row.id, recognise(toJob(row, email, match, question, listed), email, sent))
  }
  if (everybody) addOthers([...jobs.values()], contacts, leads)
  return { jobs: rows.map(({ id }) => jobs.get(id)!), warnings }
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
