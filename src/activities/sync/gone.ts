import * as lists from '../../db/list.ts'
import { successorAnswers } from '../../db/decision.ts'
import * as connections from '../../db/connection.ts'
import { countDeleted } from '../../db/sync/late.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import type { Answer } from '../../db/sweep/settle.ts'
import { heirsOf, type Successor } from '../../db/sync/heir.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import type { CrmSaid } from '../../domain/errors.ts'
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

type Fate = Gone['fate']

/** Of people of whom it is said who took them over, perhaps several: the first one who is there, as `ask` finds them. */
export const findHeirs = async (
  told: readonly Successor[],
  ask: (entity: CrmEntity, ids: string[]) => Promise<Answer>,
): Promise<Map<string, Fate>> => {
  const people = new Map<string, CrmFound>()
  const broken = new Map<string, CrmSaid>()
  for (const of of ['lead', 'contact'] as const) {
    const ids = [...new Set(told.flatMap(({ successor }) => (successor.entity === of ? [successor.id] : [])))]
    if (ids.length === 0) continue
    const { found, unreadable } = await ask(of, ids)
    for (const person of found) people.set(`${of}:${person.id}`, person)
    for (const { id, crm } of unreadable) broken.set(`${of}:${id}`, crm)
  }
  const fates = new Map<string, Fate>()
  for (const { id, state, successor } of told) {
    const key = `${successor.entity}:${successor.id}`
    const [person, said] = [people.get(key), broken.get(key)]
    if (fates.has(id)) continue
    if (person !== undefined) fates.set(id, { kind: state, to: { entity: successor.entity, person } })
    else if (said !== undefined) fates.set(id, { kind: 'unread', crm: said })
  }
  return fates
}

/** Contacts that leads became, as the CRM itself tells. */
const conversions = async ({ crm, options }: Question, entity: CrmEntity, ids: string[]): Promise<Successor[]> => {
  if (entity !== 'lead') return []
  const told = await crm.conversions(ids, options)
  return [...told].map(([id, to]) => ({ id, state: 'converted', successor: { entity: 'contact', id: to } }))
}

type Known = {
  /** of those of whom it is known, from this list or another one, or told by the CRM itself, who took them over */
  fates: Map<string, Fate>
  heirOf: (id: string) => Heir | null
}

const findKnown = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Known> => {
  const { deps, crm, plan, options } = question
  const known = await heirsOf(deps.db, plan.connectionId, entity, ids)
  const nearest = new Map(known.toReversed().map(({ id, successor }) => [id, successor]))
  // what the CRM tells counts before what is known of earlier
  const told = [...(await conversions(question, entity, ids)), ...known]
  const fates = await findHeirs(told, (of, asked) => askPeople({ crm, entity: of, options }, plan.of[of].fields, asked))
  return { fates, heirOf: (id) => nearest.get(id) ?? null }
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
  const fateOf = (id: string): Fate => {
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
