import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CrmValue } from '../../src/domain/crm.ts'
import { picklists, storedForm } from '../../src/simulator/kinds/picklists.ts'
import type { Settings } from '../../src/simulator/settings.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

// far from UTC: a day that shifts is seen
const zone = process.env['TZ']
process.env['TZ'] = 'America/Los_Angeles'
afterAll(() => {
  if (zone === undefined) delete process.env['TZ']
  else process.env['TZ'] = zone
})

const fields = 'CBudget CScore CVisits CNewsletter CBirthday CLastVisit CSegment CTier Title Description'.split(' ')
const stored = (list: string, text: string, storage: Settings['picklistStorage'], general = storage): string =>
  storedForm(
    picklists.find(({ name }) => name === list)!.items.find((item) => item.text === text)!,
    storage,
    general,
  )

/** A value here, the same in the simulator's plain truth. */
type Pair = { name: string; here: CrmValue; there: unknown }
const pairs = (general: Settings['picklistStorage']): Pair[][] => [
  [
    { name: 'CBudget', here: { bigDecimal: '12345678901234567890.55' }, there: '12345678901234567890.55' },
    { name: 'CScore', here: 0.1, there: 0.1 },
    { name: 'CVisits', here: 0, there: 0 },
    { name: 'CNewsletter', here: false, there: false },
    { name: 'CBirthday', here: '1976-02-29', there: '1976-02-29' },
    { name: 'CLastVisit', here: '2026-03-29T01:30:00.000Z', there: '2026-03-29T01:30:00.000Z' },
    { name: 'CSegment', here: 'Mid-market', there: stored('Segment', 'Mid-market', 'code') },
    { name: 'CTier', here: 'Silver', there: stored('Tier', 'Silver', 'id') },
    { name: 'Title', here: 'Vice President', there: stored('Title', 'Vice President', 'text', general) },
    { name: 'Description', here: 'Ü "quoted" <b> 😀', there: 'Ü "quoted" <b> 😀' },
  ],
  [
    { name: 'CBudget', here: -0.05, there: '-0.05' },
    { name: 'CScore', here: 99.99, there: 99.99 },
    { name: 'CVisits', here: 8, there: 8 },
    { name: 'CNewsletter', here: true, there: true },
    { name: 'CBirthday', here: '2000-01-01', there: '2000-01-01' },
    { name: 'CLastVisit', here: '2026-10-25T00:59:59.000Z', there: '2026-10-25T00:59:59.000Z' },
    { name: 'CSegment', here: 'Enterprise', there: stored('Segment', 'Enterprise', 'code') },
    { name: 'CTier', here: 'Gold', there: stored('Tier', 'Gold', 'id') },
    { name: 'Title', here: 'CFO', there: stored('Title', 'CFO', 'text', general) },
    { name: 'Description', here: '0', there: '0' },
  ],
]
const here = (some: Pair[]) => Object.fromEntries(some.map(({ name, here: value }) => [name, value]))
const there = (some: Pair[]) => Object.fromEntries(some.map(({ name, there: value }) => [name, value]))
const nothing = Object.fromEntries(fields.map((name) => [name, null]))

describe.each<Partial<Settings>>([
  { picklistStorage: 'text', dates: 'json', booleans: 'native' },
  { picklistStorage: 'code', dates: 'iso', booleans: 'letters', picklistWrites: 'mustExist' },
  { picklistStorage: 'id', dates: 'json', booleans: 'letters', picklistWrites: 'mustExist', padIds: true },
])('R8, R10: with %o', (settings) => {
  let fairlead: Fairlead
  let crm: People
  let list: TestList
  const [one, two] = pairs(settings.picklistStorage!) as [Pair[], Pair[]]

  beforeAll(async () => {
    fairlead = await openFairlead({ leads: 30, contacts: 5 })
    fairlead.simulator.control.settings(settings)
    crm = openPeople(fairlead)
    await fairlead.connect()
    const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', ...fields]))
    list = await openList(fairlead, run.listId!)
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields, clearFields: fields })
  })
  afterAll(() => fairlead.close())

  const sync = async () => {
    const run = await list.run()
    expectGood(run)
    return new Map((await list.records()).map((record) => [record.crmId, record]))
  }
  const quiet = async (): Promise<void> => {
    crm.takeWrites()
    const before = await list.records()
    expect(await sync()).toEqual(new Map(before.map((record) => [record.crmId, record])))
    expect(crm.takeWrites()).toEqual([])
  }
  const lead = (name: string, values: Record<string, unknown>): string =>
    crm.add('lead', { Email: `${name}@example.com`, LastName: 'Value', Company: 'Values', ...values })

  test('each type of value comes in as it is, and goes out as the CRM stores it', async () => {
    const id = lead('both.ways', there(one))
    const { id: recordId, values } = (await sync()).get(id)!
    expect(values).toMatchObject(here(one))
    await list.edit(recordId, here(two))
    const records = await sync()
    expect(crm.control.person('lead', id)).toMatchObject(there(two))
    expect(records.get(id)).toMatchObject({ values: here(two), agreed: {} })
    await quiet()
  })

  test('a new lead has each type of value as the CRM stores it', async () => {
    const values = { Email: 'made@example.com', LastName: 'Made', Company: 'Made Ltd', ...here(one) }
    const recordId = await list.create(values)
    await sync()
    const record = (await list.records()).find(({ id }) => id === recordId)!
    expect(crm.control.person('lead', record.crmId!)).toMatchObject(there(one))
    expect(record).toMatchObject({ values, agreed: {} })
    await quiet()
  })

  test('blank stays blank: it is never 0, false, a year or a word, on either side', async () => {
    const id = lead('blank', nothing)
    const { id: recordId, values } = (await sync()).get(id)!
    expect(values).toMatchObject(nothing)
    await list.edit(recordId, here(one))
    await sync()
    expect(crm.control.person('lead', id)).toMatchObject(there(one))
    await list.edit(recordId, nothing)
    await sync()
    expect(crm.control.person('lead', id)).toMatchObject(nothing)
    await quiet()
    const made = await list.create({ Email: 'bare@example.com', LastName: 'Bare', Company: 'Bare Ltd', ...nothing })
    await sync()
    const record = (await list.records()).find((each) => each.id === made)!
    expect(crm.control.person('lead', record.crmId!)).toMatchObject(nothing)
    expect(record.values).toMatchObject(nothing)
    await quiet()
  })
})

test('R8: a value that is absent here clears nothing, even where blanks do', async () => {
  const fairlead = await openFairlead({ leads: 5, contacts: 5 })
  const crm = openPeople(fairlead)
  await fairlead.connect()
  const id = crm.add('lead', {
    Email: 'absent@example.com',
    LastName: 'A',
    Company: 'A',
    Title: 'CEO',
    WorkPhone: '+1-555-9',
  })
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone']))
  const list = await openList(fairlead, run.listId!)
  const both = ['Title', 'WorkPhone']
  await list.settings(
    { enabled: true, updateExisting: true, fields: both, clearFields: both },
    { excludedFields: ['WorkPhone'] },
  )
  const record = (await list.records()).find(({ crmId }) => crmId === id)!
  await fairlead.db
    .$client`update records set fields = fields - ${list.keyOf('WorkPhone')}::text where id = ${record.id}`
  await list.edit(record.id, { Title: null })
  await list.run()
  expect(crm.control.person('lead', id)).toMatchObject({ Title: null, WorkPhone: '+1-555-9' })
  expect((await list.records()).find(({ crmId }) => crmId === id)!.values).not.toHaveProperty('WorkPhone')
  await fairlead.close()
})
