import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as columns from '../../src/db/column.ts'
import type { PushSettings } from '../../src/domain/sync.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

// S1 and "Columns and CRM fields": what a record without a link becomes

let fairlead: Fairlead
let crm: People
let leads: TestList
let contacts: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 20 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const own = await fairlead.finished(
    await fairlead.startImport('lead', ['Company', 'Title', 'Status', 'LeadFullName']),
  )
  const { accountId } = fairlead
  await columns.insert(fairlead.db, accountId, own.listId!, { name: 'Shoe size', type: 'number' }, operator)
  leads = await openList(fairlead, own.listId!)
  const other = await fairlead.finished(
    await fairlead.startImport('contact', ['AccountName', 'Title', 'Department', 'WorkPhone', 'Address/City', 'CTier']),
  )
  contacts = await openList(fairlead, other.listId!)
})
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

const push = (more: Partial<PushSettings> = {}) => ({ enabled: true, addNew: true, ...more })
let made = 0
const address = (): string => `new.${(made += 1)}@example.com`
const sync = async (list: TestList, recordId: string) => {
  const run = await list.run()
  expectGood(run)
  const record = (await list.records()).find(({ id }) => id === recordId)!
  const entries = await list.entries(run.id)
  const said = entries.find((entry) => entry.recordId === recordId && entry.phase === 'push')
  const person = record.crmId === null ? null : crm.control.person(record.crmEntity!, record.crmId)
  return { run, record, said, person, writes: crm.takeWrites() }
}

describe('S1: a record of a list of contacts', () => {
  test('becomes a lead with every value that a lead can hold, ticked or not', async () => {
    await contacts.settings(push())
    const values = { Title: 'CFO', Department: 'Sales', WorkPhone: '+49-30-1', 'Address/City': 'Bonn', CTier: 'Gold' }
    const id = await contacts.create({
      Email: address(),
      FirstName: 'Al',
      LastName: 'Bo',
      AccountName: 'Al & Bo',
      ...values,
    })
    const { record, person, said, run, writes } = await sync(contacts, id)
    expect(run.counts!['push']).toMatchObject({ read: 1, created: 1 })
    expect(record).toMatchObject({ crmEntity: 'lead', agreed: {} })
    expect(person).toMatchObject({
      FirstName: 'Al',
      LastName: 'Bo',
      Company: 'Al & Bo',
      Title: 'CFO',
      Address: { City: 'Bonn' },
    })
    expect(said).toMatchObject({ kind: 'created', crmId: record.crmId })
    expect(said!.warnings).toEqual([{ code: 'noFieldOnLead', field: 'Department' }])
    // what a lead cannot hold stays here
    expect(record.values).toMatchObject({ ...values, AccountName: 'Al & Bo' })
    expect(writes).toHaveLength(1)
  })

  test('is refreshed from its lead, and its edits go there', async () => {
    await contacts.settings(push({ updateExisting: true, fields: ['Title', 'AccountName', 'Department'] }))
    const id = await contacts.create({ Email: address(), LastName: 'Later', AccountName: 'Later Ltd', Title: 'CEO' })
    const { record } = await sync(contacts, id)
    const lead = record.crmId!
    crm.control.edit({ entity: 'lead', id: lead, values: { WorkPhone: '+1-555-7', Company: 'Renamed Ltd' } })
    // whatever its date says: it is read by its id
    crm.control.setModifyDate({ entity: 'lead', ids: [lead], at: '2019-01-01T00:00:00Z' })
    const refreshed = await sync(contacts, id)
    expect(refreshed.record.values).toMatchObject({ WorkPhone: '+1-555-7', AccountName: 'Renamed Ltd', Title: 'CEO' })
    expect(refreshed.writes).toEqual([])
    await contacts.edit(id, { Title: 'Owner', AccountName: 'Again Ltd', Department: 'Board' })
    const pushed = await sync(contacts, id)
    expect(pushed.person).toMatchObject({ Title: 'Owner', Company: 'Again Ltd' })
    expect(pushed.said).toMatchObject({ kind: 'updated', warnings: [{ code: 'noFieldOnLead', field: 'Department' }] })
    expect(pushed.writes).toHaveLength(1)
    expect((await sync(contacts, id)).writes).toEqual([])
    expect(
      crm.control.people({ entity: 'lead', count: 999 }).items.filter(({ Email }) => Email === record.values['Email']),
    ).toHaveLength(1)
  })
})

describe('S1: newLeadDefaults', () => {
  test('fill what the record leaves blank, and nothing else', async () => {
    const defaults = {
      Company: 'Unknown company',
      Status: 'Qualified',
      Title: 'Buyer',
      LeadSource: 'Web',
      Owner: 'Everyone',
    }
    const source = crm.control.people({ entity: 'leadSource', count: 1 }).items[0] as {
      Id: string
      Description?: string
    }
    const chosen = { ...defaults, LeadSource: String(source.Description), Industry: 'Banking', CSegment: 'Enterprise' }
    await leads.settings(push({ newLeadDefaults: chosen }))
    const id = await leads.create({ Email: address(), LastName: 'Default', Title: 'CEO', Company: null })
    const { person, record, writes } = await sync(leads, id)
    expect(person).toMatchObject({
      Company: 'Unknown company',
      Status: 'Qualified',
      Title: 'CEO',
      LeadSourceId: source.Id,
      // fields that are no columns of the list, too, in the form in which the CRM stores them
      Industry: 'Banking',
      CSegment: 'ENTE',
    })
    expect(record.values).toMatchObject({ Company: 'Unknown company', Status: 'Qualified', Title: 'CEO' })
    expect(writes).toHaveLength(1)
    expect((await sync(leads, id)).writes).toEqual([])
  })

  test('R24: one for a field that the CRM no longer knows is left out with a warning, and the lead is made', async () => {
    await leads.settings(push({ newLeadDefaults: { Industry: 'Banking', Interests: 'Golf' } }))
    const gone = { kind: 'missingProperty', entity: 'Lead', property: 'Industry', renamedTo: 'Branch' } as const
    const fault = crm.control.addFault(gone)
    // found out by the CRM's answer, then by the CRM's fields as they are read from time to time
    for (const isKnown of [false, true]) {
      if (isKnown) await fairlead.db.$client`update crm_fields set read_at = now() - interval '1 day'`
      const id = await leads.create({ Email: address(), LastName: 'Renamed', Company: 'Renamed Ltd' })
      const { person, said, writes } = await sync(leads, id)
      expect(person).toMatchObject({ Interests: 'Golf', Branch: null })
      expect(said).toMatchObject({ kind: 'created', warnings: [{ code: 'fieldMissing', field: 'Industry' }] })
      expect(writes.map(({ body }) => 'Industry' in (JSON.parse(body) as object))).toEqual([!isKnown])
    }
    crm.control.clearFaults(fault)
    await fairlead.db.$client`update crm_fields set read_at = now() - interval '1 day'`
  })

  test('are not for people who are in the CRM already', async () => {
    await leads.settings(
      push({ updateExisting: true, fields: ['Title', 'Status'], newLeadDefaults: { Status: 'Qualified' } }),
    )
    const email = address()
    const there = crm.add('lead', { Email: email, LastName: 'There', Company: 'There', Status: 'Open' })
    await leads.settings(
      push({ updateExisting: true, fields: ['Title', 'Status'], newLeadDefaults: { Status: 'Qualified' } }),
      { addNew: false },
    )
    const id = await leads.create({ Email: email, LastName: 'There', Title: 'CEO' })
    const { person } = await sync(leads, id)
    expect(person).toMatchObject({ Id: there, Status: 'Open', Title: 'CEO' })
  })

  test('a required field that is blank and has no default rejects the record, naming it, without a request', async () => {
    await leads.settings(push())
    const id = await leads.create({ Email: address(), LastName: 'Missing', Title: 'CEO' })
    const { said, record, run, writes } = await sync(leads, id)
    expect(said).toMatchObject({
      kind: 'rejected',
      code: 'requiredMissing',
      warnings: [{ code: 'requiredMissing', field: 'Company' }],
    })
    expect(run.counts!['push']).toMatchObject({ read: 1, rejected: 1, created: 0 })
    expect(record.crmId).toBeNull()
    expect(writes).toEqual([])
    await leads.settings(push({ newLeadDefaults: { Company: 'Now given' } }))
    expect((await sync(leads, id)).person).toMatchObject({ Company: 'Now given', LastName: 'Missing' })
  })
})

test('a column of ours alone and one that the CRM computes are not sent', async () => {
  await leads.settings(push())
  const values = { LastName: 'Own', Company: 'Own Ltd', 'Shoe size': 43, LeadFullName: 'Never sent' }
  const id = await leads.create({ Email: address(), ...values })
  const { record, writes, said } = await sync(leads, id)
  const sent = Object.keys(JSON.parse(writes[0]!.body) as object)
  expect(sent).not.toContain('LeadFullName')
  expect(sent).not.toContain('Shoe size')
  expect(said).toMatchObject({ kind: 'created', warnings: null })
  expect(record.values).toMatchObject({ 'Shoe size': 43, LeadFullName: 'Own' })
})

test('nothing is sent unless it is ticked, and a list pushes nothing by default', async () => {
  await fairlead.db.$client`delete from sync_settings where list_id = ${leads.listId}`
  const id = await leads.create({ Email: address(), LastName: 'Stay', Company: 'Stay Ltd' })
  const { record, writes, run } = await sync(leads, id)
  expect(record.crmId).toBeNull()
  expect(writes).toEqual([])
  expect(run.counts!['push']).toBeUndefined()
})
