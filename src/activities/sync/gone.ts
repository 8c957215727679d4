import * as lists from '../../db/list.ts'
import { successorAnswers } from '../../db/decision.ts'
import * as connections from '../../db/connection.ts'
import { countDeleted } from '../../db/sync/late.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { heirsOf } from '../../db/sync/heir.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import type { Gone, Heir } from '../../domain/gone.ts'
import { emailKeyColumn, fixedColumnKeys } from '../../domain/list.ts'
import { isMassDeletion } from '../../domain/sweep.ts'
import { askPeople } from '../ask.ts'
import type { Dependencies } from '../dependencies.ts'

const overlapMs = 15 * 60_000

type Question = { deps: Dependencies; crm: Crm; plan: SyncPlan; runId: string; options: CallOptions }

const text = (row: SyncRow, key: string): string | null => {
  const value = row.fields[key]
  return typeof value === 'string' ? value : null
}

/** R16: the person was there at this time for certain, by the CRM's clock. */
const seenAt = (row: SyncRow, sweptMark: Date | null): number => {
  const changed = Date.parse(text(row, fixedColumnKeys['ModifyDate']!) ?? '')
  return Math.max(Number.isNaN(changed) ? 0 : changed, sweptMark?.getTime() ?? 0) - overlapMs
}

const cameSince = ({ values }: CrmFound, since: number): boolean =>
  ['CreateDate', 'ModifyDate'].some((name) => typeof values[name] === 'string' && Date.parse(values[name]) >= since)

const plain = (value: unknown): string => (typeof value === 'string' ? value.normalize('NFC').trim().toLowerCase() : '')

/** Two people may share a mailbox; duplicates that were merged have one name. */
const hasName = ({ values }: CrmFound, row: SyncRow): boolean =>
  (['FirstName', 'LastName'] as const).every(
    (name) => plain(values[name]) === plain(row.fields[fixedColumnKeys[name]!]),
  )

/** Whether people who do not answer to their key may be taken to be gone at all (R15): not so many, and not for another CRM user. */
const isDoubtful = async ({ deps, plan, runId }: Question, count: number): Promise<boolean> => {
  const list = await lists.getEver(deps.db, plan.accountId, plan.listId)
  const { crmUserId } = await connections.get(deps.db, plan.accountId, plan.connectionId)
  if (list.sweptByUser !== null && list.sweptByUser !== crmUserId) return true
  return isMassDeletion(count + (await countDeleted(deps.db, runId)), list.recordCount)
}

const byAddress = async (question: Question, entity: CrmEntity, rows: SyncRow[]): Promise<Map<string, CrmFound[]>> => {
  const emails = rows.map((row) => normaliseEmail(row.fields[emailKeyColumn])).filter((email) => email !== null)
  const byEmail = new Map<string, CrmFound[]>()
  if (emails.length === 0) return byEmail
  const { fields } = question.plan.of[entity]
  const { rows: found } = await question.crm.peopleByEmail(entity, fields, [...new Set(emails)], question.options)
  for (const person of found) {
    const email = normaliseEmail(person.values['Email'])
    if (email !== null) byEmail.set(email, [...(byEmail.get(email) ?? []), person])
  }
  return byEmail
}

type Told = { id: string; state: 'converted' | 'merged'; successor: Heir }

/** Of people of whom it is said who took them over, perhaps several: the first one who is there, as they are now. */
const findHeirs = async (
  { crm, plan, options }: Question,
  entity: CrmEntity,
  told: readonly Told[],
): Promise<Map<string, Gone['fate']>> => {
  const found = new Map<string, Gone['fate']>()
  const fates = new Map<string, (state: Told['state']) => Gone['fate']>()
  for (const of of ['lead', 'contact'] as const) {
    const ids = [...new Set(told.flatMap(({ successor }) => (successor.entity === of ? [successor.id] : [])))]
    if (ids.length === 0) continue
    const answer = await askPeople({ crm, entity: of, options }, plan.of[of].fields, ids)
    for (const person of answer.found) fates.set(`${of}:${person.id}`, (kind) => ({ kind, to: { entity: of, person } }))
    for (const { id, crm: said } of answer.unreadable) fates.set(`${of}:${id}`, () => ({ kind: 'unread', crm: said }))
  }
  for (const { id, state, successor } of told) {
    const fate = fates.get(`${successor.entity}:${successor.id}`)
    if (fate !== undefined && !found.has(id)) found.set(id, fate(state))
  }
  return found
}

/** Contacts that leads became, as the CRM itself tells. */
const findConverted = async (
  question: Question,
  entity: CrmEntity,
  ids: string[],
): Promise<Map<string, Gone['fate']>> => {
  const told = entity === 'lead' ? await question.crm.conversions(ids, question.options) : new Map<string, string>()
  const heirs = [...told].map(([id, to]): Told => ({
    id,
    state: 'converted',
    successor: { entity: 'contact', id: to },
  }))
  return findHeirs(question, entity, heirs)
}

type Known = {
  /** of those of whom it is known, from this list or another one, or told by the CRM itself, who took them over */
  fates: Map<string, Gone['fate']>
  heirOf: (id: string) => Heir | null
}

const findKnown = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Known> => {
  const known = await heirsOf(question.deps.db, question.plan.connectionId, entity, ids)
  const nearest = new Map(known.toReversed().map(({ id, successor }) => [id, successor]))
  const fates = [...(await findHeirs(question, entity, known)), ...(await findConverted(question, entity, ids))]
  return { fates: new Map(fates), heirOf: (id) => nearest.get(id) ?? null }
}

/** The same as `judgeGone`, of people who are known to be gone. */
export const judgeFates = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Gone[]> => {
  if (ids.length === 0) return []
  const { deps, plan } = question
  const { fates, heirOf } = await findKnown(question, entity, ids)
  const answers = await successorAnswers(deps.db, plan.accountId, entity, ids)
  const { sweptMark } = await lists.getEver(deps.db, plan.accountId, plan.listId)
  const known = await linkedRows(deps.db.$client, plan, entity, ids)
  const rows = [...known.values()]
  const contacts = await byAddress(question, 'contact', rows)
  const leads = entity === 'lead' ? await byAddress(question, 'lead', rows) : new Map<string, CrmFound[]>()
  const fateOf = (id: string): Gone['fate'] => {
    const told = fates.get(id)
    if (told !== undefined) return told
    const row = known.get(id)
    const email = row === undefined ? null : normaliseEmail(row.fields[emailKeyColumn])
    if (row === undefined || email === null) return { kind: 'deleted' }
    const since = seenAt(row, sweptMark)
    const of = (kind: CrmEntity, found: Map<string, CrmFound[]>): CrmFound[] =>
      (found.get(email) ?? []).filter(
        (person) => person.id !== id && cameSince(person, since) && (kind !== entity || hasName(person, row)),
      )
    const became = of('contact', contacts)
    const [pool, kind] = became.length > 0 ? ([became, 'contact'] as const) : ([of('lead', leads), 'lead'] as const)
    const [only, ...others] = pool
    // somebody said that nobody took over
    if (only === undefined || answers.get(id) === null) return { kind: 'deleted' }
    const state = kind === entity ? 'merged' : 'converted'
    // whoever was chosen is gone too: that is asked about anew, even where one is left
    if (others.length > 0 || answers.has(id))
      return { kind: 'undecided', as: state, candidates: pool.map((each) => ({ entity: kind, person: each })) }
    return { kind: state, to: { entity: kind, person: only } }
  }
  return ids.map((id) => ({ id, entity, heir: heirOf(id), fate: fateOf(id) }))
}

/**
 * What became of people who do not answer to their own key while others of their kind do (R15, R16): the contact that the CRM names; else a contact,
 * else somebody of the same kind, with the address, who was created or changed since they were last seen. Exactly one: converted or merged; several: a person decides; none: deleted.
 */
export const judgeGone = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Gone[]> => {
  if (ids.length === 0) return []
  const { deps, plan, crm, options } = question
  const rows = await linkedRows(deps.db.$client, plan, entity, ids)
  const fresh = ids.filter((id) => rows.get(id)?.state !== 'deletedInCrm')
  if (fresh.length === 0) return judgeFates(question, entity, ids)
  // the control read: somebody of the kind is delivered
  const delivers = (await crm.keyAt(entity, 0, options)) !== null
  if (delivers && !(await isDoubtful(question, fresh.length))) return judgeFates(question, entity, ids)
  if (delivers) return ids.map((id): Gone => ({ id, entity, heir: null, fate: { kind: 'doubtful' } }))
  // where nobody is left, it proves nothing that one is not there; that somebody took them over does
  const { fates, heirOf } = await findKnown(question, entity, ids)
  return ids.map((id): Gone => ({ id, entity, heir: heirOf(id), fate: fates.get(id) ?? { kind: 'doubtful' } }))
}
