import type { AmbiguousMatch } from '../../src/domain/account.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import type { Fairlead } from '../support/fairlead.ts'
import { openList, type TestList } from '../support/sync.ts'
import type { Linked, Person, Settings } from './oracle.ts'
import type { People } from './people.ts'

const links: Linked[] = ['no', 'own', 'other', 'gone']

/** Who has the address in the CRM, beside the person that the record is linked to. */
const crms: Record<string, CrmEntity[]> = {
  nobody: [],
  'one contact': ['contact'],
  'one lead': ['lead'],
  both: ['lead', 'contact'],
  'several contacts': ['contact', 'contact', 'contact'],
  'several leads': ['lead', 'lead', 'lead'],
  'several contacts and a lead': ['contact', 'lead', 'contact'],
}
export const rules: AmbiguousMatch[] = ['best', 'all', 'hold']

const flags = [true, false]
const combinations = (['lead', 'contact'] as const).flatMap((own) =>
  flags.flatMap((addNew) =>
    flags.flatMap((updateExisting) => flags.map((ticked) => ({ own, addNew, updateExisting, ticked }))),
  ),
)

/** One situation of one combination: a person of its own, so that one run settles all situations of a list. */
export type Case = {
  name: string
  linked: Linked
  crm: CrmEntity[]
  email: string
  link: string | null
  recordId: string
  people: Person[]
}
export type Lane = { settings: Omit<Settings, 'match'>; list: TestList; cases: Record<AmbiguousMatch, Case[]> }

const otherThan = { lead: 'contact', contact: 'lead' } as const
const companyOf = { lead: 'Company', contact: 'AccountName' } as const

export const ours = { Title: 'Ours', WorkPhone: '+49-30-1111' }
/** What is neither edited later nor ticked. */
export const restOf = (own: CrmEntity) => ({
  FirstName: 'Our',
  LastName: 'Record',
  [companyOf[own]]: 'Ours Ltd',
  'Address/City': 'Hereville',
})

/** Beyond the overlap of a pull (R14): nobody is read again for nothing. */
const longAgo = Date.now() - 3 * 3_600_000

const add = (crm: People, entity: CrmEntity, email: string, title: string, modified = longAgo): Person => {
  const id = crm.add(entity, {
    Email: email,
    FirstName: 'Their',
    LastName: title,
    [companyOf[entity]]: 'Theirs Ltd',
    Title: title,
    WorkPhone: '+1-555-0000',
    Address: { City: 'Thereville' },
  })
  const at = new Date(modified).toISOString()
  crm.control.setModifyDate({ entity, ids: [id], at })
  return { id, entity, modified: at }
}

const casesOf = (crm: People, own: CrmEntity, rule: AmbiguousMatch, lane: number): Case[] =>
  links.flatMap((linked) =>
    Object.entries(crms).map(([name, entities], n): Case => {
      const email = `${linked}.${n}.${rule}.${lane}@example.com`
      const isImported = linked === 'own' || linked === 'gone'
      const link = isImported ? add(crm, own, email, 'Linked').id : null
      return { name, linked, crm: entities, email, link, recordId: '', people: [] }
    }),
  )

/** A list for each combination of settings, with the linked records of all its cases. */
export const openLanes = async (fairlead: Fairlead, crm: People): Promise<Lane[]> => {
  for (const entity of ['lead', 'contact'] as const)
    add(crm, entity, `latest.${entity}@example.com`, 'Latest', Date.now())
  const planned = combinations.map((settings, lane) => ({
    settings,
    cases: Object.fromEntries(rules.map((rule) => [rule, casesOf(crm, settings.own, rule, lane)])) as Lane['cases'],
  }))
  return Promise.all(
    planned.map(async ({ settings, cases }): Promise<Lane> => {
      const { own } = settings
      const fields = [companyOf[own], 'Title', 'WorkPhone', 'Address/City']
      const { listId } = await fairlead.finished(await fairlead.startImport(own, fields, true))
      const list = await openList(fairlead, listId!)
      const all = Object.values(cases).flat()
      // a first sync links records to people of the other entity
      for (const one of all.filter(({ linked }) => linked === 'other')) {
        one.link = add(crm, otherThan[own], one.email, 'Linked').id
        await list.create({ Email: one.email })
      }
      await list.settings({ enabled: true, addNew: true }, { addNew: false })
      await list.run()
      const byLink = new Map((await list.records()).map((record) => [record.crmId, record.id]))
      for (const one of all.filter(({ linked }) => linked !== 'no')) one.recordId = byLink.get(one.link)!
      return { settings, list, cases }
    }),
  )
}

/** Makes the situation of one case on both sides. */
export const prepare = async (crm: People, { settings: { own }, list }: Lane, one: Case): Promise<void> => {
  if (one.linked === 'gone') crm.control.remove({ entity: own, ids: [one.link!] })
  // who takes a gone person over has its values, so that only what was edited here differs
  const title = one.linked === 'gone' ? 'Linked' : 'Found'
  // the first changed before the others, who changed at one instant; a lead that stands first changed last
  one.people = one.crm.map((entity, n) =>
    add(
      crm,
      entity,
      one.email,
      title,
      longAgo + (n === 0 ? (entity === 'lead' && one.crm.includes('contact') ? 60_000 : -60_000) : 0),
    ),
  )
  if (one.linked === 'no')
    one.recordId = await list.create({ Email: ` ${one.email.toUpperCase()}`, ...restOf(own), ...ours })
  else await list.edit(one.recordId, ours)
}
