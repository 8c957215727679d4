import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as erasures from '../../src/db/erasure.ts'
import { fixedColumnKeys } from '../../src/domain/list.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { takenOver } from '../support/takenOver.ts'

let fairlead: Fairlead
let crm: People
let leads: TestList
let second: TestList

const open = async (): Promise<TestList> => {
  const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title'], true))
  const list = await openList(fairlead, listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'Email'] })
  return list
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 30 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  leads = await open()
  second = await open()
}, 60_000)
afterAll(() => fairlead.close())

let made = 0
const address = (): string => `heir.${(made += 1)}@example.com`
const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString()
const person = (entity: 'lead' | 'contact', email: string): string =>
  crm.add(entity, { Email: email, FirstName: 'He', LastName: 'Ir', Title: 'CEO' })
const recordOf = async (list: TestList, crmId: string) => (await list.records()).find((each) => each.crmId === crmId)!
const recordWith = async (id: string) => (await leads.records()).find((each) => each.id === id)!

/** A lead on the list that was there ten days ago; its contact, or contacts of its address, came three days ago. */
const convertedBefore = async (email: string, others = 0) => {
  const lead = person('lead', email)
  await leads.run()
  const { id } = await recordOf(leads, lead)
  await fairlead.db.$client`
    update records set fields = fields || jsonb_build_object(${fixedColumnKeys['ModifyDate']!}::text, ${daysAgo(10)}::text) where id = ${id}::uuid`
  await fairlead.db.$client`update lists set swept_mark = ${daysAgo(9)}::timestamptz where id = ${leads.listId}`
  const { contactId } = crm.control.convert({ leadId: lead })
  const ids = [contactId, ...Array.from({ length: others }, () => person('contact', email))]
  for (const each of ids) crm.control.edit({ entity: 'contact', id: each, values: { CreateDate: daysAgo(3) } })
  crm.control.setModifyDate({ entity: 'contact', ids, at: daysAgo(3) })
  // others change all the time
  person('lead', address())
  return { lead, id, contactId }
}

const erase = (email: string) =>
  erasures.erase(
    fairlead.db,
    fairlead.wiring.secrets,
    fairlead.accountId,
    { subject: { email }, reason: null },
    operator,
  )

test.each(['sync', 'sweep'] as const)(
  'R16: whose address was edited here is followed by the one that the CRM had, and not to whoever has the new one (%s)',
  async (kind) => {
    const lead = person('lead', address())
    await leads.run()
    const { id } = await recordOf(leads, lead)
    const { contactId } = crm.control.convert({ leadId: lead })
    const taken = address()
    const stranger = crm.add('contact', { Email: taken, FirstName: 'Stran', LastName: 'Ger', Title: 'Boss' })
    await leads.edit(id, { Email: taken, Title: 'Owner' })
    await leads.run(kind)
    expect(await recordWith(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
    expect(crm.control.person('contact', stranger)).toMatchObject({ Title: 'Boss' })
  },
)

test.each(['sweep', 'verify'] as const)(
  'R16, R22: a %s that cannot find out who took somebody over has not seen them: the next one can',
  async (kind) => {
    const { id, contactId } = await convertedBefore(address())
    crm.control.addFault({ kind: 'poison', ids: [contactId] })
    expect(await leads.run(kind)).toMatchObject({ state: 'incomplete', balance: { explained: { unresolved: 1 } } })
    crm.control.clearFaults()
    expect(await leads.run('sweep')).toMatchObject({ state: 'succeeded' })
    expect(await recordWith(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
  },
)

test('R16: while a person is asked who took somebody over, sweeps and syncs do not take them to be deleted', async () => {
  const { lead, id } = await convertedBefore(address(), 1)
  await leads.edit(id, { Title: 'Owner' })
  for (const kind of ['sweep', 'sweep', 'sync'] as const) {
    await leads.run(kind)
    expect(await recordWith(id), kind).toMatchObject({ crmEntity: 'lead', crmId: lead, state: 'converted' })
  }
  const open = await fairlead.db.$client`select kind from decisions where record_id = ${id} and closed_at is null`
  expect(open).toMatchObject([{ kind: 'successor' }])
})

test('R16: a list that has no record of somebody who is gone leaves what became of them to a list that has one', async () => {
  const lead = person('lead', address())
  const fault = crm.control.addFault({ kind: 'poison', ids: [lead] })
  await second.run()
  crm.control.clearFaults(fault)
  await leads.run()
  const { id } = await recordOf(leads, lead)
  const { contactId } = crm.control.convert({ leadId: lead })
  expect(await second.run()).toMatchObject({ state: 'succeeded' })
  await leads.run()
  expect(await recordWith(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
})

test.each(['sync', 'sweep'] as const)('R40: no record is linked to an erased person (%s)', async (kind) => {
  const lead = person('lead', address())
  await leads.run()
  const { id } = await recordOf(leads, lead)
  const { contactId } = crm.control.convert({ leadId: lead })
  const email = address()
  crm.control.edit({ entity: 'contact', id: contactId, values: { Email: email } })
  await erase(email)
  await takenOver(fairlead.db.$client, leads.listId, { entity: 'lead', id: lead }, contactId)
  await leads.edit(id, { Title: 'Owner' })
  await leads.run(kind)
  expect(await recordWith(id)).toMatchObject({ crmEntity: 'lead', crmId: lead, state: 'deletedInCrm' })
})

test.each(['sync', 'verify'] as const)('R40: nor one of a person of the other kind (%s)', async (kind) => {
  const lead = person('lead', address())
  await leads.run()
  const { id } = await recordOf(leads, lead)
  const { contactId } = crm.control.convert({ leadId: lead })
  await leads.run('sweep')
  expect(await recordWith(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
  const email = address()
  const heir = person('contact', email)
  await erase(email)
  await takenOver(fairlead.db.$client, leads.listId, { entity: 'contact', id: contactId }, heir)
  crm.control.merge({ entity: 'contact', survivorId: heir, loserIds: [contactId] })
  crm.control.edit({ entity: 'contact', id: heir, values: { Email: email } })
  await leads.run(kind)
  expect(await recordWith(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId, state: 'deletedInCrm' })
})
