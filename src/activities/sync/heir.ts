import type { Database } from '../../db/database.ts'
import { heirsOf, type Successor } from '../../db/sync/heir.ts'
import type { Answer } from '../../domain/ask.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import type { CrmSaid } from '../../domain/errors.ts'
import type { Gone } from '../../domain/gone.ts'
import { groupBy } from '../../domain/groupBy.ts'

export type Question = { db: Database; crm: Crm; connectionId: string; options: CallOptions }
type Fate = Gone['fate']

/** Contacts that leads became, as the CRM itself tells, each followed by whoever took that one over, as it is known. */
const conversions = async (
  { db, crm, connectionId, options }: Question,
  entity: CrmEntity,
  ids: string[],
): Promise<Successor[]> => {
  if (entity !== 'lead' || ids.length === 0) return []
  const told = await crm.conversions(ids, options)
  if (told.size === 0) return []
  const further = groupBy(await heirsOf(db, connectionId, 'contact', [...new Set(told.values())]), ({ id }) => id)
  return [...told].flatMap(([id, to]): Successor[] => [
    { id, state: 'converted', successor: { entity: 'contact', id: to } },
    ...(further.get(to) ?? []).map((each): Successor => ({ ...each, id, state: 'converted' })),
  ])
}

/** Who took people over (R16), the first to be believed first: what the CRM tells counts before what was known earlier, from whichever list. */
export const successorsOf = async (
  question: Question,
  entity: CrmEntity,
  ids: string[],
): Promise<{ told: Successor[]; known: Successor[] }> => {
  const known = await heirsOf(question.db, question.connectionId, entity, ids)
  return { told: [...(await conversions(question, entity, ids)), ...known], known }
}

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
