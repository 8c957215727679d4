import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import * as columns from '../../src/db/column.ts'
import * as connections from '../../src/db/connection.ts'
import * as lists from '../../src/db/list.ts'
import { requestUndo } from '../../src/db/run/undo.ts'
import * as standardFields from '../../src/db/standardField.ts'
import { proposalOf } from '../../src/domain/standardField.ts'
import type { PushSettings } from '../../src/domain/sync.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

// A3, R28: addresses in plain columns, mapped, unmapped and half mapped

let fairlead: Fairlead
let crm: People
let leads: TestList

type Usage = [name: string, systemUsage: string, ...aliases: string[]]
const company: Usage = ['Company', 'company']
const city: Usage = ['Business City', 'businessCity', 'Ort']
const saveFields = async (...usages: Usage[]): Promise<void> => {
  const { version } = await standardFields.get(fairlead.db, fairlead.accountId)
  const items = usages.map(([name, systemUsage, ...aliases]) => ({
    id: null,
    name,
    aliases,
    systemUsage,
    leadField: null,
    contactField: null,
  }))
  await standardFields.save(fairlead.db, fairlead.accountId, { version, items }, operator)
}
const optimize = async (): Promise<void> => {
  const { db, accountId } = fairlead
  const { version, items } = await standardFields.get(db, accountId)
  const lead = (await connections.findFields(db, accountId, 'lead'))!.fields
  const contact = (await connections.findFields(db, accountId, 'contact'))!.fields
  await standardFields.save(db, accountId, { version, items: proposalOf(items, { lead, contact }).items }, operator)
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 20 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title', 'Address/City']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true })
  await leads.run()
})
afterAll(() => fairlead.close())
beforeEach(async () => {
  await accounts.update(fairlead.db, fairlead.accountId, { unmappedAddress: 'push' }, operator)
  crm.takeWrites()
})

let made = 0
const address = (): string => `home.${(made += 1)}@example.com`
const noPull = { enabled: false, addNew: false, updateExisting: false }
const plain = async (names: string[], push: Partial<PushSettings> = {}): Promise<TestList> => {
  const asked = { name: `Fair ${(made += 1)}`, columns: names.map((name) => ({ name, type: 'text' as const })) }
  const list = await openList(fairlead, await lists.insert(fairlead.db, fairlead.accountId, asked, operator))
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: names, ...push }, noPull)
  return list
}
const push = async (list: TestList, kind: 'sync' | 'preview' = 'sync') => {
  const run = await list.run(kind)
  expectGood(run)
  const entries = (await list.entries(run.id)).filter(({ phase }) => phase === 'push')
  const writes = crm.takeWrites().map(({ id, body }) => ({ id, sent: JSON.parse(body) }))
  return { run, counts: run.counts!['push'], entries, writes, warnings: run.warnings }
}
/** A contact of the CRM with a whole address, and its key. */
const housed = (email: string) => {
  const Address = { Address1: '1 Old St.', City: 'Köln', PostalCode: '50667', Country: 'Germany' }
  const id = crm.add('contact', { Email: email, LastName: 'Housed', Address })
  return { id, key: String(addressOf('contact', id)!['Id']) }
}
const addressOf = (entity: 'lead' | 'contact', id: string) =>
  (crm.control.person(entity, id) as unknown as Record<string, Record<string, unknown> | null>)['Address']

describe('R28: mapped by Optimize', () => {
  const names = ['Company', 'Straße', 'Ort', 'PLZ', 'Land']
  beforeAll(async () => {
    await saveFields(company)
    await optimize()
  })

  test('a new lead gets a nested primary address with what is not blank', async () => {
    const list = await plain(names)
    const person = { 'E-mail': address(), 'Last name': 'New', Company: 'New Ltd' }
    const id = await list.create({ ...person, Straße: 'Gasse 1', Ort: 'Bonn', PLZ: null })
    const { writes, entries, warnings } = await push(list)
    expect(writes).toHaveLength(1)
    expect(writes[0]!.sent.Address).toEqual({ IsPrimary: true, Address1: 'Gasse 1', City: 'Bonn' })
    expect(entries).toMatchObject([{ kind: 'created', recordId: id, warnings: null }])
    expect(warnings).toEqual([])
    await list.create({ ...person, 'E-mail': address() })
    expect((await push(list)).writes[0]!.sent).not.toHaveProperty('Address')
  })

  test('R9, R11: a contact gets exactly the changed parts of the address that it has, and no blank', async () => {
    const list = await plain(names.slice(1))
    const email = address()
    const { id, key } = housed(email)
    const recordId = await list.create({ 'E-mail': email, Straße: '1 Old St.', Ort: 'Bonn', PLZ: '53111' })
    const first = await push(list)
    expect(first.writes).toEqual([
      { id, sent: { $key: id, Address: { $key: key, City: 'Bonn', PostalCode: '53111' } } },
    ])
    expect((await push(list)).writes).toEqual([])
    await list.edit(recordId, { Straße: null, Ort: null })
    expect((await push(list)).writes).toEqual([])
    expect(addressOf('contact', id)).toMatchObject({ Address1: '1 Old St.', City: 'Bonn', Country: 'Germany' })
  })

  test('R9: one that is to be cleared loses this part alone, and what is not there needs no clearing', async () => {
    const list = await plain(['Ort', 'Straße'], { clearFields: ['Ort', 'Straße'] })
    const email = address()
    const { id, key } = housed(email)
    const recordId = await list.create({ 'E-mail': email, Ort: 'Köln', Straße: '1 Old St.' })
    expect(await push(list)).toMatchObject({ writes: [] })
    await list.edit(recordId, { Ort: null })
    expect((await push(list)).writes).toEqual([{ id, sent: { $key: id, Address: { $key: key, City: null } } }])
    expect(addressOf('contact', id)).toMatchObject({ Address1: '1 Old St.', City: null, PostalCode: '50667' })
  })

  test('a lead without an address gets a primary one', async () => {
    const list = await plain(['Ort'])
    const email = address()
    const id = crm.add('lead', { Email: email, LastName: 'Homeless', Company: 'None', Address: null })
    await list.create({ 'E-mail': email, Ort: 'Bonn' })
    expect((await push(list)).writes).toEqual([{ id, sent: { $key: id, Address: { IsPrimary: true, City: 'Bonn' } } }])
    expect(addressOf('lead', id)).toMatchObject({ City: 'Bonn', IsPrimary: true })
  })

  test('a column that is bound wins over one that only means the field, which is said', async () => {
    await columns.insert(fairlead.db, fairlead.accountId, leads.listId, { name: 'Stadt', type: 'text' }, operator)
    const list = await openList(fairlead, leads.listId)
    await list.settings({ enabled: true, addNew: true })
    const person = { Email: address(), LastName: 'Two', Company: 'Two Ltd' }
    await list.create({ ...person, 'Address/City': 'Bound', Stadt: 'Plain' })
    const { writes, entries, warnings } = await push(list)
    expect(writes[0]!.sent.Address).toEqual({ IsPrimary: true, City: 'Bound' })
    expect(entries).toMatchObject([{ kind: 'created', warnings: [{ code: 'fieldTaken', field: list.keyOf('Stadt') }] }])
    expect(warnings).toMatchObject([{ code: 'fieldTaken', field: 'Stadt', count: 1 }])
  })
})

describe('A3, R28: half mapped', () => {
  let list: TestList
  const linked = address()
  beforeAll(async () => {
    await saveFields(company, city)
    list = await plain(['Company', 'Ort', 'Bundesland'])
  })

  test('the record is pushed without what is not mapped; entry, run and preview say so', async () => {
    const person = { 'Last name': 'Half', Company: 'Half Ltd', Ort: 'Bonn' }
    const id = await list.create({ 'E-mail': linked, ...person, Bundesland: 'NRW' })
    await list.create({ 'E-mail': address(), ...person })
    const said = [{ code: 'addressNotMapped', field: list.keyOf('Bundesland') }]
    const home = { IsPrimary: true, City: 'Bonn' }
    const preview = await push(list, 'preview')
    const real = await push(list)
    expect(preview.writes).toEqual([])
    expect(real.writes.map(({ sent }) => sent.Address)).toEqual([home, home])
    for (const { entries, warnings } of [preview, real]) {
      expect(entries.map(({ kind }) => kind)).toEqual(['created', 'created'])
      for (const { recordId, warnings: of } of entries) expect(of).toEqual(recordId === id ? said : null)
      expect(warnings).toMatchObject([{ code: 'addressNotMapped', field: 'Bundesland', count: 1 }])
    }
  })

  test('a record that has nothing else to be sent is left alone', async () => {
    const { id } = (await list.records())[0]!
    await list.edit(id, { Bundesland: 'Bayern' })
    expect(await push(list)).toMatchObject({ entries: [], writes: [], warnings: [] })
  })

  test('R13: a column that is mapped later is compared for the first time, and goes out', async () => {
    const { id, crmId } = (await list.records())[0]!
    await optimize()
    const { writes, entries, warnings } = await push(list)
    expect(writes).toMatchObject([{ id: crmId, sent: { Address: { State: 'Bayern' } } }])
    expect(entries).toMatchObject([{ kind: 'updated', recordId: id, warnings: null }])
    expect(warnings).toEqual([])
    expect((await push(list)).writes).toEqual([])
  })

  test('R13: so is one whose standard field becomes another field of the CRM', async () => {
    const { db, accountId } = fairlead
    const { version, items } = await standardFields.get(db, accountId)
    const moved = items
      .filter(({ systemUsage }) => systemUsage !== 'businessCounty')
      .map((item) => (item.systemUsage === 'businessState' ? { ...item, systemUsage: 'businessCounty' } : item))
    await standardFields.save(db, accountId, { version, items: moved }, operator)
    expect((await push(list)).writes).toMatchObject([{ sent: { Address: { County: 'Bayern' } } }])
    expect((await push(list)).writes).toEqual([])
  })
})

describe('R28: unmappedAddress is reject', () => {
  let list: TestList
  beforeAll(async () => {
    await saveFields(company, city)
    list = await plain(['Company', 'Ort', 'Bundesland'])
  })
  beforeEach(() => accounts.update(fairlead.db, fairlead.accountId, { unmappedAddress: 'reject' }, operator))

  test('nobody is created or linked; one who is mapped is pushed, and so is the other one once it is', async () => {
    const person = { 'Last name': 'Refused', Company: 'Refused Ltd', Ort: 'Bonn' }
    const id = await list.create({ 'E-mail': address(), ...person, Bundesland: 'NRW' })
    const email = address()
    housed(email)
    await list.create({ 'E-mail': email, Bundesland: 'NRW', Ort: 'Bonn' })
    await list.create({ 'E-mail': address(), ...person })
    const { counts, entries, writes, warnings } = await push(list)
    expect(counts).toMatchObject({ read: 3, created: 1, rejected: 2 })
    expect(writes).toHaveLength(1)
    const rejected = entries.filter(({ kind }) => kind === 'rejected')
    const said = [{ code: 'addressNotMapped', field: list.keyOf('Bundesland') }]
    const refused = { code: 'addressNotMapped', warnings: said }
    expect(rejected).toMatchObject([refused, refused])
    expect((await list.records()).map(({ crmId }) => crmId !== null)).toEqual([false, false, true])
    expect(warnings).toMatchObject([{ code: 'addressNotMapped', count: 2 }])
    await optimize()
    const again = await push(list)
    expect(again.counts).toMatchObject({ created: 1, updated: 1, rejected: 0 })
    expect(again.entries.find(({ recordId }) => recordId === id)).toMatchObject({ kind: 'created', warnings: null })
  })

  test('one who is linked is refused only when something would be sent', async () => {
    await saveFields(company, city)
    const { id, crmId } = (await list.records())[0]!
    await list.edit(id, { Bundesland: 'Hessen' })
    expect(await push(list)).toMatchObject({ entries: [], writes: [] })
    await list.edit(id, { Ort: 'Mainz' })
    expect(await push(list)).toMatchObject({
      writes: [],
      entries: [{ kind: 'rejected', code: 'addressNotMapped', crmId }],
    })
    await list.edit(id, { Bundesland: null })
    expect((await push(list)).writes).toMatchObject([{ id: crmId, sent: { Address: { City: 'Mainz' } } }])
  })
})

describe('a column of a list that means a field of the CRM', () => {
  const moveTo = async (systemUsage: string): Promise<void> => {
    const { db, accountId } = fairlead
    const { version, items } = await standardFields.get(db, accountId)
    const moved = items.map((item) => (item.name === city[0] ? { ...item, systemUsage } : item))
    await standardFields.save(db, accountId, { version, items: moved }, operator)
  }
  beforeEach(() => saveFields(company, city))

  test('S8: what was written to another field than it means now is not set back', async () => {
    const list = await plain(['Ort'])
    const email = address()
    const { id } = housed(email)
    await list.create({ 'E-mail': email, Ort: 'Bonn' })
    const first = await push(list)
    await moveTo('businessCounty')
    expect((await push(list)).writes).toMatchObject([{ id, sent: { Address: { County: 'Bonn' } } }])
    const { runId } = await requestUndo(fairlead.db, fairlead.accountId, first.run.id)
    await fairlead.wiring.relay()
    expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded', counts: { push: { skipped: 1 } } })
    expect(await list.entries(runId)).toMatchObject([{ kind: 'skipped', code: 'notRestored' }])
    expect(addressOf('contact', id)).toMatchObject({ City: 'Bonn', County: 'Bonn' })
  })

  test('takes nothing from there, nor makes who is pulled a skip', async () => {
    const imported = await fairlead.finished(await fairlead.startImport('lead', ['Company'], true))
    await columns.insert(fairlead.db, fairlead.accountId, imported.listId!, { name: 'Ort', type: 'text' }, operator)
    const list = await openList(fairlead, imported.listId!)
    await list.settings({}, { updateExisting: false })
    const Address = { City: 'Köln' }
    const id = crm.add('lead', { Email: address(), LastName: 'Pulled', Company: 'Pulled Ltd', Address })
    await list.run()
    const record = (await list.records()).find(({ crmId }) => crmId === id)
    expect(record?.values).toMatchObject({ Company: 'Pulled Ltd' })
    expect(record?.values).not.toHaveProperty('Ort')
    crm.control.edit({ entity: 'lead', id, values: { Title: 'No column of the list' } })
    const { run } = await push(list)
    expect(run.counts!['pull']).toMatchObject({ skipped: 0 })
  })
})
