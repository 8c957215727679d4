import type { Claimed, Link } from '../../db/note/claim.ts'
import type { Outcome } from '../../db/note/settle.ts'
import { absentOf } from '../../domain/ask.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import type { CrmSaid } from '../../domain/errors.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { chooseMatch, type Candidate } from '../../domain/match.ts'
import { noteFields, notePersonOf, type NotePerson } from '../../domain/note.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { askPeople } from '../ask.ts'
import type { Dependencies } from '../dependencies.ts'
import { hopeless } from '../proof.ts'
import { findHeirs, successorsOf } from '../sync/heir.ts'

export type Asking = { deps: Dependencies; crm: Crm; connectionId: string; options: CallOptions }
export type Job = { note: Claimed; person: NotePerson; warnings: EntryWarning[] }
export type Resolved = { jobs: Job[]; outcomes: Outcome[] }

const entities = ['lead', 'contact'] as const
const dayMs = 86_400_000

const keyOf = ({ entity, id }: Link): string => `${entity}:${id}`
const outcome = (
  note: Claimed,
  state: Outcome['state'],
  code: string | null,
  rest: Partial<Outcome> = {},
): Outcome => ({
  id: note.id,
  state,
  code,
  tries: note.tries,
  ...rest,
})

/** R7: notes whose request has had no answer, looked for by person, type and start; the preview's link tells whose each is. */
const findAsked = async ({ crm, options }: Asking, notes: readonly Claimed[]): Promise<Map<string, Outcome>> => {
  const found = new Map<string, Outcome>()
  for (const entity of entities) {
    const asked = notes.filter((note) => note.asked?.entity === entity)
    if (asked.length === 0) continue
    const starts = asked.map(({ sentAt }) => Date.parse(sentAt))
    const at = (ms: number): string => new Date(ms).toISOString()
    const range = { from: at(Math.min(...starts) - dayMs), to: at(Math.max(...starts) + dayMs) }
    const there = groupBy(
      await crm.notesOf(
        entity,
        asked.map((note) => note.asked!.id),
        range,
        options,
      ),
      ({ crmId }) => crmId,
    )
    for (const note of asked) {
      const own = (there.get(note.asked!.id) ?? []).find(({ text, startAt }) =>
        note.token === null ? startAt === note.sentAt : text.includes(`/p/${note.token}`),
      )
      if (own !== undefined) found.set(note.id, outcome(note, 'written', null, { noteId: own.id, person: note.asked! }))
    }
  }
  return found
}

/** What is settled without a further request, now that the CRM has no note of an earlier one: somebody erased, or given up after so many tries (R21). */
const settledBefore = (note: Claimed): Outcome | undefined => {
  if (note.isErased) return outcome(note, 'skipped', 'erased')
  if (note.asked === null || note.tries < hopeless) return undefined
  return outcome(note, 'rejected', 'crmFailed', { person: note.asked })
}

type Known = {
  /** by `entity:id` of who was linked: the person, or whoever took them over (R16) */
  people: Map<string, NotePerson>
  /** those whom, or whose successor, the CRM cannot deliver */
  unreadable: Map<string, CrmSaid>
}

const readLinked = async ({ deps, crm, connectionId, options }: Asking, links: readonly Link[]): Promise<Known> => {
  const known: Known = { people: new Map(), unreadable: new Map() }
  const ask = (entity: CrmEntity, ids: string[]) => askPeople({ crm, entity, options }, noteFields[entity], ids)
  const read = async (entity: CrmEntity): Promise<void> => {
    const ids = [...new Set(links.filter((link) => link.entity === entity).map(({ id }) => id))]
    if (ids.length === 0) return
    const answer = await ask(entity, ids)
    for (const row of answer.found) known.people.set(keyOf({ entity, id: row.id }), notePersonOf(entity, row))
    for (const { id, crm: said } of answer.unreadable) known.unreadable.set(keyOf({ entity, id }), said)
    const absent = absentOf(answer)
    if (absent.length === 0) return
    const { told } = await successorsOf({ db: deps.db, crm, connectionId, options }, entity, absent)
    for (const [id, fate] of await findHeirs(told, ask)) {
      if ('to' in fate) known.people.set(keyOf({ entity, id }), notePersonOf(fate.to.entity, fate.to.person))
      else if (fate.kind === 'unread') known.unreadable.set(keyOf({ entity, id }), fate.crm)
    }
  }
  await Promise.all(entities.map(read))
  return known
}

/** Everybody with the addresses: contacts, and leads where no contact has the address (R3). `hidden`: somebody is there and does not come. */
const byEmail = async ({ crm, options }: Asking, emails: string[]) => {
  const people: Record<CrmEntity, Map<string | null, CrmFound[]>> = { lead: new Map(), contact: new Map() }
  const hidden = new Set<string>()
  for (const entity of ['contact', 'lead'] as const) {
    const open = emails.filter((email) => !people.contact.has(email) && !hidden.has(email))
    if (open.length === 0) continue
    const found = await crm.peopleByEmail(entity, noteFields[entity], open, options)
    people[entity] = groupBy(found.rows, ({ values }) => normaliseEmail(values['Email']))
    for (const email of found.hidden) hidden.add(email)
  }
  return { people, hidden }
}

const othersOf = (others: Candidate[]): EntryWarning[] =>
  others.length === 0 ? [] : [{ code: 'otherMatches', ids: others.map(({ person }) => person.id) }]

/**
 * Whose each note is, for a page of them in a handful of requests: the person of the record, or who took them over; else by address, contacts first
 * (R3, R4). Nobody is created. What is settled with it, notes that the CRM has already too, comes as outcomes.
 */
export const resolve = async (asking: Asking, notes: readonly Claimed[]): Promise<Resolved> => {
  const outcomes: Outcome[] = []
  const jobs: Job[] = []
  const asked = await findAsked(asking, notes)
  const open = notes.filter((note) => {
    const done = asked.get(note.id) ?? settledBefore(note)
    if (done !== undefined) outcomes.push(done)
    return done === undefined
  })
  const links = open.flatMap(({ link }) => (link === null ? [] : [link]))
  const { people, unreadable } = await readLinked(asking, links)
  const unfound: Claimed[] = []
  for (const note of open) {
    const person = note.link === null ? undefined : people.get(keyOf(note.link))
    const broken = note.link === null ? undefined : unreadable.get(keyOf(note.link))
    if (person !== undefined) jobs.push({ note, person, warnings: [] })
    else if (broken !== undefined)
      outcomes.push(outcome(note, 'rejected', 'crmFailed', { crm: { ...broken }, person: note.link! }))
    else unfound.push(note)
  }
  const emails = unfound.flatMap(({ email }) => normaliseEmail(email) ?? [])
  const found = await byEmail(asking, [...new Set(emails)])
  for (const note of unfound) {
    const email = normaliseEmail(note.email)
    const match = chooseMatch(found.people.contact.get(email) ?? [], found.people.lead.get(email) ?? [], 'best')
    // who is linked and gone is taken for nobody but the only one who has the address
    const isSure = note.link === null || (match.kind === 'found' && match.others.length === 0)
    const isHidden = email !== null && found.hidden.has(email)
    if (isHidden && (note.link !== null || match.kind !== 'found'))
      outcomes.push(outcome(note, 'rejected', 'crmFailed'))
    else if (match.kind !== 'found' || !isSure)
      outcomes.push(outcome(note, 'skipped', note.link === null ? 'notInCrm' : 'deletedInCrm'))
    else {
      const was = note.link === null ? [] : [{ code: 'was', ids: [note.link.id] }]
      const person = notePersonOf(match.best.entity, match.best.person)
      jobs.push({ note, person, warnings: [...was, ...othersOf(match.others)] })
    }
  }
  return { jobs, outcomes }
}
