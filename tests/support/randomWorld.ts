import { update as updateAccount } from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import * as syncSettings from '../../src/db/sync/settings.ts'
import type { CrmEntity, CrmValue } from '../../src/domain/crm.ts'
import { valueAt } from './compare.ts'
import type { Fairlead } from './fairlead.ts'
import { addressOf, fieldOf, mailKey } from './randomFields.ts'
import type { Action, Case, Trouble, Values } from './randomPlan.ts'
import { openList, type Held, type TestList } from './sync.ts'

export type Truth = Record<string, unknown> & { Id: string }
/** `epochs`: how many runs each list had begun by then; null while runs were under way. */
type When = { order: number; epochs: number[] | null }
export type Edit = When & { record: string; name: string; value: CrmValue; linked: string | null }
/** `link`: `lead:<id>`; `name`: a field, or `*` for all of them */
export type CrmEdit = When & { link: string; name: string; before: unknown; value: unknown }

/** What was done to whom, as far as the oracle needs it. */
export type Deeds = {
  /** set in the CRM after the person was there */
  crm: CrmEdit[]
  here: Edit[]
  /** record → when it was made or removed here, in the order of everything that was done */
  created: Map<string, number>
  removed: Map<string, number>
  /** record → everybody in the CRM whom it was linked to */
  links: Map<string, Set<string>>
  /** `lead:<id>` → who took the person over, and the address that one had then and has had ever since; null where it changed */
  heirs: Map<string, { link: string; mail: string | null }>
  /** address → everybody in the CRM who ever had it */
  holders: Map<string, Set<string>>
  /** addresses that somebody in the CRM was given, or gave up, since `forgetMoves` */
  moved: Set<string>
  rules: Set<string>
}

export type World = {
  fairlead: Fairlead
  name: string
  lists: { entity: CrmEntity; list: TestList }[]
  deeds: Deeds
  apply: (action: Action) => Promise<void>
  trouble: (trouble: Trouble) => void
  people: (entity: CrmEntity) => Truth[]
  /** Takes down who has which address in the CRM now: runs change addresses as well as actions do. */
  note: () => void
  /** how many runs each list has begun */
  epochs: number[]
  isRunning: boolean
  /** `0:3`: the run that ended the third epoch of the first list was a sync that nothing disturbed */
  clean: Set<string>
  /** each sync that nothing disturbs is previewed */
  previews: boolean
  /** how many were */
  previewed: number
}

const personOf = (entity: CrmEntity, values: Values): Record<string, unknown> => {
  const own: Record<string, unknown> = {}
  const address: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(values)) {
    const field = fieldOf(entity, name)
    if (field.startsWith('Address/')) address[field.slice('Address/'.length)] = value
    else own[field] = field === 'CBirthday' && value !== null ? `${String(value)}T00:00:05Z` : value
  }
  return { ...own, ...(Object.keys(address).length > 0 ? { Address: address } : {}) }
}

const nthOf = <Item>(items: readonly Item[], nth: number): Item | undefined =>
  items.length === 0 ? undefined : items[nth % items.length]

/** Lets the people and the lists of one case change as its actions say, and keeps what the oracle must know of that. */
export const openWorld = async (
  fairlead: Fairlead,
  name: string,
  lists: World['lists'],
  previews: boolean,
): Promise<World> => {
  const { control } = fairlead.simulator
  const deeds: Deeds = {
    crm: [],
    here: [],
    created: new Map(),
    removed: new Map(),
    links: new Map(),
    heirs: new Map(),
    holders: new Map(),
    moved: new Set(),
    rules: new Set(),
  }
  const people = (entity: CrmEntity): Truth[] => control.people({ entity, count: 1000 }).items as Truth[]
  const note = (): void => {
    const now = new Map<string, string | null>()
    for (const entity of ['lead', 'contact'] as const)
      for (const person of people(entity)) {
        const [link, key] = [`${entity}:${person.Id}`, mailKey(person['Email'])]
        now.set(link, key)
        if (key !== null) deeds.holders.set(key, (deeds.holders.get(key) ?? new Set()).add(link))
      }
    // who took somebody over and has another address by now cannot be found by that one's (R16)
    for (const heir of deeds.heirs.values()) if (now.get(heir.link) !== heir.mail) heir.mail = null
  }
  const moves = (...persons: (Truth | undefined)[]): void => {
    for (const person of persons) {
      const key = mailKey(person?.['Email'])
      if (key !== null) deeds.moved.add(key)
    }
  }
  let order = 0
  const when = (): When => ({ order: (order += 1), epochs: world.isRunning ? null : [...world.epochs] })
  const all = (link: string): void => void deeds.crm.push({ ...when(), link, name: '*', before: null, value: null })
  const editInCrm = (entity: CrmEntity, person: Truth, values: Values & { Email?: string | null }): Truth => {
    const after = control.edit({ entity, id: person.Id, values: personOf(entity, values) }) as Truth
    for (const field of Object.keys(values)) {
      const [old, value] = [person, after].map((each) => valueAt(each, fieldOf(entity, field)) ?? null)
      if (old !== value) deeds.crm.push({ ...when(), link: `${entity}:${person.Id}`, name: field, before: old, value })
    }
    return after
  }
  const inherits = (link: string, entity: CrmEntity, id: string): void =>
    void deeds.heirs.set(link, { link: `${entity}:${id}`, mail: mailKey(control.person(entity, id)?.['Email']) })
  const live = async (nth: number, wanted: (record: Held) => boolean) => {
    const at = nth % lists.length
    const { list } = lists[at]!
    return { at, list, records: (await list.records()).filter(wanted) }
  }
  const editHere = async (listNth: number, who: number, values: Record<string, CrmValue>): Promise<void> => {
    const { at, list, records } = await live(listNth, (each) => !each.removed)
    const record = nthOf(records, who)
    if (record === undefined) return
    const entity = lists[at]!.entity
    const given = Object.fromEntries(Object.entries(values).map(([field, value]) => [fieldOf(entity, field), value]))
    const linked = record.crmId === null ? null : `${record.crmEntity}:${record.crmId}`
    for (const [field, value] of Object.entries(values))
      deeds.here.push({ ...when(), record: record.id, name: field, value, linked })
    // a sync may have taken the record off the list, as one of two
    await list.edit(record.id, given).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== 'notFound') throw error
    })
  }

  const apply = async (action: Action): Promise<void> => {
    switch (action.do) {
      case 'crmEdit': {
        const person = nthOf(people(action.entity), action.who)
        if (person !== undefined) editInCrm(action.entity, person, action.values)
        return
      }
      case 'crmMail': {
        const person = nthOf(people(action.entity), action.who)
        if (person === undefined) return
        return moves(person, editInCrm(action.entity, person, { Email: addressOf(name, action.mail) }))
      }
      case 'crmAdd': {
        const Email = addressOf(name, action.mail)
        const named = {
          FirstName: 'Ada',
          LastName: 'Added',
          ...(action.entity === 'lead' ? { Company: 'Added Ltd' } : {}),
        }
        const values = { ...named, Email, ...personOf(action.entity, action.values) }
        const { ids } = control.add({ entity: action.entity, values })
        return moves(control.person(action.entity, ids[0]!) as Truth)
      }
      case 'crmRemove': {
        const person = nthOf(people(action.entity), action.who)
        if (person === undefined) return
        moves(person)
        return void control.remove({ entity: action.entity, ids: [person.Id] })
      }
      case 'crmConvert': {
        const lead = nthOf(people('lead'), action.who)
        if (lead === undefined) return
        const contact = action.into === null ? undefined : nthOf(people('contact'), action.into)
        moves(lead, contact)
        const { contactId } = control.convert({ leadId: lead.Id, ...(contact ? { contactId: contact.Id } : {}) })
        inherits(`lead:${lead.Id}`, 'contact', contactId)
        return all(`contact:${contactId}`)
      }
      case 'crmMerge': {
        const known = people(action.entity)
        const [survivor, loser] = [nthOf(known, action.who), nthOf(known, action.loser)]
        if (survivor === undefined || loser === undefined || survivor.Id === loser.Id) return
        moves(survivor, loser)
        control.merge({ entity: action.entity, survivorId: survivor.Id, loserIds: [loser.Id] })
        inherits(`${action.entity}:${loser.Id}`, action.entity, survivor.Id)
        return all(`${action.entity}:${survivor.Id}`)
      }
      case 'crmDate': {
        const person = nthOf(people(action.entity), action.who)
        const at = action.at === 'null' ? null : '2099-01-01T00:00:00Z'
        return void (person && control.setModifyDate({ entity: action.entity, ids: [person.Id], at }))
      }
      case 'crmClock':
        return void control.settings({ clockOffsetMs: control.settings().clockOffsetMs + action.minutes * 60_000 })
      case 'create': {
        const { entity, list } = lists[action.list % lists.length]!
        const whole = { FirstName: 'Max', LastName: 'Made', Company: 'Made Ltd', ...action.values }
        const given = Object.entries(whole).filter(([field]) => field !== action.lacking)
        const values = Object.fromEntries(given.map(([field, value]) => [fieldOf(entity, field), value]))
        const id = await list.create({ Email: addressOf(name, action.mail), ...values })
        deeds.created.set(id, when().order)
        for (const [field, value] of [...given, ['Email', null] as const])
          deeds.here.push({ ...when(), record: id, name: field, value, linked: null })
        return
      }
      case 'edit':
        return editHere(action.list, action.who, action.values as Record<string, CrmValue>)
      case 'mail':
        return editHere(action.list, action.who, { Email: addressOf(name, action.mail) })
      case 'remove': {
        const { list, records } = await live(action.list, (each) => !each.removed)
        const record = nthOf(records, action.who)
        if (record === undefined) return
        await list.remove(record.id).then(
          () => deeds.removed.set(record.id, when().order),
          (error: unknown) => {
            if ((error as { code?: unknown }).code !== 'notFound') throw error
          },
        )
        return
      }
      case 'restore': {
        const { list, records } = await live(action.list, (each) => each.removed && each.mergedInto === null)
        const record = nthOf(records, action.who)
        if (record === undefined) return
        await list.restore(record.id)
        deeds.removed.delete(record.id)
        return
      }
      case 'settings': {
        const { entity, list } = lists[action.list % lists.length]!
        const { push, pull, defaultCompany } = action.settings
        const inList = (names: string[]): string[] => names.map((each) => fieldOf(entity, each))
        const { version } = await syncSettings.get(fairlead.db, fairlead.accountId, list.listId)
        const newLeadDefaults: Record<string, string> = defaultCompany ? { Company: 'Default Ltd' } : {}
        const asked = {
          version,
          addColumns: [],
          push: {
            ...push,
            fields: inList(['Email', ...push.fields]),
            clearFields: inList(push.clearFields),
            newLeadDefaults,
          },
          pull: { ...pull, excludedFields: inList(pull.excludedFields) },
        }
        await syncSettings.save(fairlead.db, fairlead.accountId, list.listId, asked, operator)
        return
      }
      case 'account': {
        const { conflict, ambiguousMatch } = action
        deeds.rules.add(ambiguousMatch)
        deeds.rules.add(conflict)
        await updateAccount(fairlead.db, fairlead.accountId, { conflict, ambiguousMatch }, operator)
        return
      }
    }
  }

  const world: World = {
    fairlead,
    name,
    lists,
    deeds,
    people,
    epochs: [],
    isRunning: false,
    previews,
    previewed: 0,
    clean: new Set(),
    note,
    async apply(action) {
      note()
      await apply(action)
      note()
    },
    trouble(trouble) {
      if (trouble.kind === 'poison') {
        const known = people(trouble.entity)
        const person = nthOf(known, trouble.who)
        // where nobody else can be read, a CRM that fails for one person fails for all
        if (person !== undefined && known.length > 2) control.addFault({ kind: 'poison', ids: [person.Id] })
        return
      }
      const on = 'on' in trouble && trouble.on !== null ? { match: { method: trouble.on } } : {}
      const { retryAfter, ...rest } = { retryAfter: null, ...trouble }
      control.addFault({ times: 1, ...rest, ...on, ...(retryAfter === null ? {} : { retryAfter }) } as never)
    },
  }
  return world
}

/** The lists of a case, imported with what the CRM has at that moment. */
export const importLists = async (fairlead: Fairlead, { lists }: Case, fields: readonly string[]) => {
  const opened: World['lists'] = []
  for (const entity of lists) {
    const asked = fields.map((field) => fieldOf(entity, field)).filter((field) => !/^(First|Last)Name$/.test(field))
    const run = await fairlead.finished(await fairlead.startImport(entity, asked, true))
    if (run.state !== 'succeeded') throw new Error(`the import ended ${run.state}: ${JSON.stringify(run.error)}`)
    opened.push({ entity, list: await openList(fairlead, run.listId!) })
  }
  return opened
}
