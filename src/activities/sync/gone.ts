import * as lists from '../../db/list.ts'
import { successorAnswers } from '../../db/decision.ts'
import * as connections from '../../db/connection.ts'
import { countDeleted } from '../../db/sync/late.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound, CrmValue } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import type { Gone, Heir } from '../../domain/gone.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { emailKeyColumn, fixedColumnKeys } from '../../domain/list.ts'
import { isMassDeletion } from '../../domain/sweep.ts'
import { askPeople } from '../ask.ts'
import type { Dependencies } from '../dependencies.ts'
import { findHeirs, successorsOf } from './heir.ts'

const overlapMs = 15 * 60_000

type Question = { deps: Dependencies; crm: Crm; plan: SyncPlan; runId: string; options: CallOptions }

/** What the CRM last had, whatever it was edited to here since. */
const lastOf = ({ fields, agreed }: SyncRow, key: string): CrmValue | undefined => {
  const known = agreed[key]
  return known === undefined || known.n === true ? fields[key] : known.v
}

const emailOf = (row: SyncRow): string | null => normaliseEmail(lastOf(row, emailKeyColumn))

/** R16: the person was there at this time for certain, by the CRM's clock. A sweep has not seen somebody of whom it is asked who took them over. */
const seenAt = (row: SyncRow, sweptMark: Date | null): number => {
  const changed = row.fields[fixedColumnKeys['ModifyDate']!]
  const changedMs = typeof changed === 'string' ? Date.parse(changed) : Number.NaN
  const isAsked = row.state === 'converted' || row.state === 'merged'
  const sweptMs = isAsked ? 0 : (sweptMark?.getTime() ?? 0)
  return Math.max(Number.isNaN(changedMs) ? 0 : changedMs, sweptMs) - overlapMs
}

const cameSince = ({ values }: CrmFound, since: number): boolean =>
  ['CreateDate', 'ModifyDate'].some((name) => typeof values[name] === 'string' && Date.parse(values[name]) >= since)

const plain = (value: unknown): string => (typeof value === 'string' ? value.normalize('NFC').trim().toLowerCase() : '')

/** Two people may share a mailbox; duplicates that were merged have one name. */
const hasName = ({ values }: CrmFound, row: SyncRow): boolean =>
  (['FirstName', 'LastName'] as const).every(
    (name) => plain(values[name]) === plain(lastOf(row, fixedColumnKeys[name]!)),
  )

/** Whether people who do not answer to their key may be taken to be gone at all (R15): not so many, and not for another CRM user. */
const isDoubtful = async ({ deps, plan, runId }: Question, count: number): Promise<boolean> => {
  const list = await lists.getEver(deps.db, plan.accountId, plan.listId)
  const { crmUserId } = await connections.get(deps.db, plan.accountId, plan.connectionId)
  if (list.sweptByUser !== null && list.sweptByUser !== crmUserId) return true
  return isMassDeletion(count + (await countDeleted(deps.db, runId)), list.recordCount)
}

type Addressed = { people: Map<string, CrmFound[]>; hidden: Set<string> }

/** Who has the addresses of the records; `hidden`: somebody has it who does not come. */
const byAddress = async (question: Question, entity: CrmEntity, rows: SyncRow[]): Promise<Addressed> => {
  const emails = rows.map(emailOf).filter((email) => email !== null)
  if (emails.length === 0) return { people: new Map(), hidden: new Set() }
  const { fields } = question.plan.of[entity]
  const found = await question.crm.peopleByEmail(entity, fields, [...new Set(emails)], question.options)
  const people = groupBy(found.rows, ({ values }) => normaliseEmail(values['Email']) ?? '')
  return { people, hidden: new Set(found.hidden) }
}

type Fate = Gone['fate']

type Known = {
  /** of those of whom it is known, from this list or another one, or told by the CRM itself, who took them over */
  fates: Map<string, Fate>
  heirOf: (id: string) => Heir | null
}

const findKnown = async ({ deps, crm, plan, options }: Question, entity: CrmEntity, ids: string[]): Promise<Known> => {
  const { connectionId } = plan
  const { told, known } = await successorsOf({ db: deps.db, crm, connectionId, options }, entity, ids)
  const nearest = new Map(known.toReversed().map(({ id, successor }) => [id, successor]))
  const fates = await findHeirs(told, (of, asked) => askPeople({ crm, entity: of, options }, plan.of[of].fields, asked))
  return { fates, heirOf: (id) => nearest.get(id) ?? null }
}

/** The same as `judgeGone`, of people who are known to be gone. */
export const judgeFates = async (
  question: Question,
  entity: CrmEntity,
  ids: string[],
  before?: Known,
): Promise<Gone[]> => {
  if (ids.length === 0) return []
  const { deps, plan } = question
  const { fates, heirOf } = before ?? (await findKnown(question, entity, ids))
  const answers = await successorAnswers(deps.db, plan.accountId, entity, ids)
  const { sweptMark } = await lists.getEver(deps.db, plan.accountId, plan.listId)
  const known = await linkedRows(deps.db.$client, plan, entity, ids)
  const rows = [...known.values()]
  const contacts = await byAddress(question, 'contact', rows)
  const leads = await byAddress(question, 'lead', entity === 'lead' ? rows : [])
  const fateOf = (id: string): Fate => {
    const told = fates.get(id)
    if (told !== undefined) return told
    const row = known.get(id)
    const email = row === undefined ? null : emailOf(row)
    // somebody said that nobody took over
    if (row === undefined || email === null || answers.get(id) === null) return { kind: 'deleted' }
    const since = seenAt(row, sweptMark)
    const of = (kind: CrmEntity, { people }: Addressed): CrmFound[] =>
      (people.get(email) ?? []).filter(
        (person) => person.id !== id && cameSince(person, since) && (kind !== entity || hasName(person, row)),
      )
    const became = of('contact', contacts)
    // whoever has the address and does not come may be the one, or one of several
    if (contacts.hidden.has(email) || (became.length === 0 && leads.hidden.has(email)))
      return { kind: 'unread', crm: {} }
    const [pool, kind] = became.length > 0 ? ([became, 'contact'] as const) : ([of('lead', leads), 'lead'] as const)
    const [only, ...others] = pool
    if (only === undefined) return { kind: 'deleted' }
    const state = kind === entity ? 'merged' : 'converted'
    // whoever was chosen is gone too: that is asked about anew, even where one is left
    if (others.length > 0 || answers.has(id))
      return { kind: 'undecided', as: state, candidates: pool.map((each) => ({ entity: kind, person: each })) }
    return { kind: state, to: { entity: kind, person: only } }
  }
  return ids.map((id) => ({ id, entity, heir: heirOf(id), fate: fateOf(id) }))
}

/**
 * What became of people who do not answer to their own key while others of their kind do (R15, R16): whoever is known to have taken them over; else a contact,
 * else somebody of the same kind, with the address, who was created or changed since they were last seen. Exactly one: converted or merged; several: a person decides; none: deleted.
 */
export const judgeGone = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Gone[]> => {
  if (ids.length === 0) return []
  const { deps, plan, crm, options } = question
  const rows = await linkedRows(deps.db.$client, plan, entity, ids)
  const fresh = ids.filter((id) => rows.get(id)?.state !== 'deletedInCrm')
  if (fresh.length === 0) return judgeFates(question, entity, ids)
  const known = await findKnown(question, entity, ids)
  // the control read: somebody of the kind is delivered
  const delivers = (await crm.keyAt(entity, 0, options)) !== null
  const unknown = fresh.filter((id) => !known.fates.has(id))
  if (delivers && (unknown.length === 0 || !(await isDoubtful(question, unknown.length))))
    return judgeFates(question, entity, ids, known)
  // where nobody is left, or too many are gone, it proves nothing that one is not there; that somebody took them over does
  const { fates, heirOf } = known
  return ids.map((id): Gone => ({ id, entity, heir: heirOf(id), fate: fates.get(id) ?? { kind: 'doubtful' } }))
}
