import * as runs from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import type { AmbiguousMatch } from '../../src/domain/account.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { until, type Fairlead } from '../support/fairlead.ts'
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
/** Settings of one list. */
export type Combination = Omit<Settings, 'match'>
export const combinations: Combination[] = (['lead', 'contact'] as const).flatMap((own) =>
  flags.flatMap((addNew) =>
    flags.flatMap((updateExisting) => flags.map((ticked) => ({ own, addNew, updateExisting, ticked }))),
  ),
)
/** The half in which any three settings together still take every value: only all four of them together do not. */
export const half = combinations.filter(
  ({ own, addNew, updateExisting, ticked }) =>
    [own === 'lead', addNew, updateExisting, ticked].filter(Boolean).length % 2 === 0,
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
export type Lane = { settings: Combination; list: TestList; cases: Record<AmbiguousMatch, Case[]> }

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

/** Waits for runs by one question for all. */
const finished = async ({ db, accountId, wiring }: Fairlead, runIds: string[]): Promise<runs.Run[]> => {
  await wiring.relay()
  const areOver = async () => {
    const [left] = await db.$client`
      select from runs where id = any(string_to_array(${runIds.join()}::text, ',')::uuid[]) and finished_at is null limit 1`
    return left === undefined
  }
  await until('all runs are over', areOver, undefined, 100)
  return Promise.all(runIds.map((id) => runs.get(db, accountId, id)))
}

/** A sync of each list, side by side. */
export const syncAll = async (fairlead: Fairlead, lanes: Lane[]): Promise<runs.Run[]> => {
  const asked = lanes.map(({ list: { listId } }) =>
    request(fairlead.db, fairlead.accountId, listId, { kind: 'sync', trigger: 'api' }),
  )
  return finished(
    fairlead,
    (await Promise.all(asked)).map(({ runId }) => runId),
  )
}

/** A list for each combination of settings, with the linked records of all its cases. */
export const openLanes = async (fairlead: Fairlead, crm: People, combinations: Combination[]): Promise<Lane[]> => {
  for (const entity of ['lead', 'contact'] as const)
    add(crm, entity, `latest.${entity}@example.com`, 'Latest', Date.now())
  const cases = combinations.map(
    ({ own }, lane) => Object.fromEntries(rules.map((rule) => [rule, casesOf(crm, own, rule, lane)])) as Lane['cases'],
  )
  const importing = combinations.map(({ own }) =>
    fairlead.startImport(own, [companyOf[own], 'Title', 'WorkPhone', 'Address/City'], true),
  )
  const imports = await finished(fairlead, await Promise.all(importing))
  const lanes = await Promise.all(
    imports.map(async ({ listId }, at) => ({
      settings: combinations[at]!,
      list: await openList(fairlead, listId!),
      cases: cases[at]!,
    })),
  )
  // a first sync links records to people of the other entity
  const all = (lane: Lane): Case[] => Object.values(lane.cases).flat()
  for (const lane of lanes) {
    const other = otherThan[lane.settings.own]
    for (const one of all(lane).filter(({ linked }) => linked === 'other')) {
      one.link = add(crm, other, one.email, 'Linked').id
      await lane.list.create({ Email: one.email })
    }
    await lane.list.settings({ enabled: true, addNew: true }, { addNew: false })
  }
  await syncAll(fairlead, lanes)
  for (const lane of lanes) {
    const byLink = new Map((await lane.list.records()).map((record) => [record.crmId, record.id]))
    for (const one of all(lane).filter(({ linked }) => linked !== 'no')) one.recordId = byLink.get(one.link)!
  }
  return lanes
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
