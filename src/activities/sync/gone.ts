import * as lists from '../../db/list.ts'
import { successorAnswers } from '../../db/decision.ts'
import * as connections from '../../db/connection.ts'
import { countDeleted } from '../../db/sync/late.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { successorsOf } from '../../db/sync/gone.ts'
import { linkedRows, type SyncRow } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import type { Gone } from '../../domain/gone.ts'
import { emailKeyColumn, fixedColumnKeys } from '../../domain/list.ts'
import { isMassDeletion } from '../../domain/sweep.ts'
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

const heirs = async (question: Question, entity: CrmEntity, rows: SyncRow[]): Promise<Map<string, CrmFound[]>> => {
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

/** People whom another list has been found to be taken over, by whom, as they are now. */
const findSuccessors = async (
  { deps, crm, plan, options }: Question,
  entity: CrmEntity,
  ids: string[],
): Promise<Map<string, Gone>> => {
  const known = await successorsOf(deps.db, plan.connectionId, entity, ids)
  const found = new Map<string, Gone>()
  for (const of of ['lead', 'contact'] as const) {
    const some = known.filter(({ successor }) => successor.entity === of)
    if (some.length === 0) continue
    const asked = [...new Set(some.map(({ successor }) => successor.id))]
    const { rows } = await crm.peopleById(of, plan.of[of].fields, asked, options)
    for (const { id, state, successor } of some) {
      const person = rows.find((each) => each.id === successor.id)
      if (person !== undefined) found.set(id, { id, entity, fate: { kind: state, to: { entity: of, person } } })
    }
  }
  return found
}

/** Contacts that leads became, as the CRM itself tells. */
const findConverted = async (
  { crm, plan, options }: Question,
  entity: CrmEntity,
  ids: string[],
): Promise<Map<string, Gone>> => {
  const found = new Map<string, Gone>()
  const told = entity === 'lead' ? await crm.conversions(ids, options) : new Map<string, string>()
  if (told.size === 0) return found
  const { rows } = await crm.peopleById('contact', plan.of.contact.fields, [...new Set(told.values())], options)
  for (const [id, contactId] of told) {
    const person = rows.find((each) => each.id === contactId)
    if (person !== undefined)
      found.set(id, { id, entity, fate: { kind: 'converted', to: { entity: 'contact', person } } })
  }
  return found
}

/** People of whom it is known, or told by the CRM itself, who took them over. */
const findTold = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Map<string, Gone>> =>
  new Map([...(await findSuccessors(question, entity, ids)), ...(await findConverted(question, entity, ids))])

/** The same as `judgeGone`, of people who are known to be gone. */
export const judgeFates = async (question: Question, entity: CrmEntity, ids: string[]): Promise<Gone[]> => {
  if (ids.length === 0) return []
  const { deps, plan } = question
  const successors = await findTold(question, entity, ids)
  const answers = await successorAnswers(deps.db, plan.accountId, entity, ids)
  const { sweptMark } = await lists.getEver(deps.db, plan.accountId, plan.listId)
  const known = await linkedRows(deps.db.$client, plan, entity, ids)
  const rows = [...known.values()]
  const contacts = await heirs(question, 'contact', rows)
  const leads = entity === 'lead' ? await heirs(question, 'lead', rows) : new Map<string, CrmFound[]>()
  return ids.map((id): Gone => {
    const successor = successors.get(id)
    if (successor !== undefined) return successor
    const row = known.get(id)
    const email = row === undefined ? null : normaliseEmail(row.fields[emailKeyColumn])
    if (row === undefined || email === null) return { id, entity, fate: { kind: 'deleted' } }
    const since = seenAt(row, sweptMark)
    const of = (kind: CrmEntity, found: Map<string, CrmFound[]>): CrmFound[] =>
      (found.get(email) ?? []).filter(
        (person) => person.id !== id && cameSince(person, since) && (kind !== entity || hasName(person, row)),
      )
    const became = of('contact', contacts)
    const [pool, kind] = became.length > 0 ? ([became, 'contact'] as const) : ([of('lead', leads), 'lead'] as const)
    const [only, ...others] = pool
    // somebody said that nobody took over
    if (only === undefined || answers.get(id) === null) return { id, entity, fate: { kind: 'deleted' } }
    const state = kind === entity ? 'merged' : 'converted'
    // whoever was chosen is gone too: that is asked about anew, even where one is left
    if (others.length > 0 || answers.has(id)) {
      const candidates = pool.map((each) => ({ entity: kind, person: each }))
      return { id, entity, fate: { kind: 'undecided', as: state, candidates } }
    }
    return { id, entity, fate: { kind: state, to: { entity: kind, person: only } } }
  })
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
  // where nobody is left, it proves nothing that one is not there; that somebody took them over does
  const told = delivers ? new Map<string, Gone>() : await findTold(question, entity, ids)
  return ids.map((id): Gone => told.get(id) ?? { id, entity, fate: { kind: 'doubtful' } })
}
