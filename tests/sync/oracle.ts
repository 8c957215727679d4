import type { AmbiguousMatch } from '../../src/domain/account.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'

/** What must come of a record in one sync, said anew from the rules of the product: nothing here is the code's. */

export type Settings = {
  own: CrmEntity
  addNew: boolean
  updateExisting: boolean
  ticked: boolean
  match: AmbiguousMatch
}

/** `own`, `other`: linked to a person of the list's entity, of the other one; `gone`: linked to a person of the list's entity who was deleted. */
export type Linked = 'no' | 'own' | 'other' | 'gone'

/** Somebody in the CRM who has the address, beside the person that the record is linked to. */
export type Person = { id: string; entity: CrmEntity; modified: string }

export type Expected = {
  entries: string[]
  /** whom the record is linked to afterwards: an id, `new` for a lead that was made */
  link: string | null
  /** who got the ticked value, once each */
  writes: string[]
  /** who else has the address, as the entry must warn */
  others: string[]
  /** the ticked value, the edited one that is not ticked, and the rest: whose value the record holds */
  holds: { ticked: 'ours' | 'theirs'; edited: 'ours' | 'theirs'; rest: 'ours' | 'theirs' }
  /** what still differs from what both sides agreed on */
  pending: ('ticked' | 'edited')[]
  deleted: boolean
  relinked: number
}

/** R4: the only one; else who changed last, of those the smallest id. */
const best = (people: Person[]): Person | undefined =>
  people.toSorted((a, b) => b.modified.localeCompare(a.modified) || a.id.localeCompare(b.id))[0]

const ids = (people: Person[], without?: Person): string[] =>
  people.flatMap((person) => (person === without ? [] : [person.id])).toSorted()

const untouched = (linked: Linked, link: string | null): Expected => ({
  entries: [],
  link,
  writes: [],
  others: [],
  holds: { ticked: 'ours', edited: 'ours', rest: linked === 'no' ? 'ours' : 'theirs' },
  pending: linked === 'no' ? [] : ['ticked', 'edited'],
  deleted: false,
  relinked: 0,
})

/** R3 (2)–(4), R4, R5: a record that is linked to nobody. */
const unlinked = (settings: Settings, people: Person[]): Expected => {
  const nothing = untouched('no', null)
  const contacts = people.filter(({ entity }) => entity === 'contact')
  const pool = contacts.length > 0 ? contacts : people
  const chosen = best(pool)
  if (chosen === undefined)
    return settings.addNew
      ? { ...nothing, entries: ['created:'], link: 'new' }
      : { ...nothing, entries: ['skipped:notFoundNotAdded'] }
  if (pool.length > 1 && settings.match === 'hold') return { ...nothing, entries: ['skipped:needsDecision'] }
  const writes = settings.updateExisting && settings.ticked
  return {
    entries: [settings.updateExisting ? 'updated:linkedByEmail' : 'skipped:existsNotUpdated'],
    link: chosen.id,
    writes: writes ? ids(settings.match === 'all' ? people : [chosen]) : [],
    others: ids(pool, chosen),
    holds: { ticked: writes ? 'ours' : 'theirs', edited: 'theirs', rest: 'theirs' },
    pending: [],
    deleted: false,
    relinked: 1,
  }
}

/** R15, R16: nobody answers to the key any more. Contacts are never followed to a lead. */
const gone = (settings: Settings, link: string, people: Person[]): Expected => {
  const nothing = untouched('gone', link)
  const contacts = people.filter(({ entity }) => entity === 'contact')
  const pool = contacts.length > 0 || settings.own === 'contact' ? contacts : people
  const [heir, ...more] = pool
  if (heir === undefined) return { ...nothing, entries: ['deleted:deletedInCrm'], deleted: true }
  if (more.length > 0) return { ...nothing, entries: ['skipped:needsDecision'] }
  return {
    ...nothing,
    entries: [`relinked:${heir.entity === settings.own ? 'merged' : 'converted'}`, 'updated:'],
    link: heir.id,
    writes: ids(settings.match === 'all' ? people : [heir]),
    pending: ['edited'],
    relinked: 1,
  }
}

/** `people`: everybody with the address but the person that the record is linked to, whose id is `link`. */
export const expected = (settings: Settings, linked: Linked, link: string | null, people: Person[]): Expected => {
  if (linked === 'no' || link === null) return unlinked(settings, people)
  if (!settings.updateExisting || !settings.ticked) return untouched(linked, link)
  if (linked === 'gone') return gone(settings, link, people)
  return {
    ...untouched(linked, link),
    entries: ['updated:'],
    writes: [link, ...ids(settings.match === 'all' ? people : [])].toSorted(),
    pending: ['edited'],
  }
}
