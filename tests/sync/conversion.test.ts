import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'
import { takenOver } from '../support/takenOver.ts'

let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 60, contacts: 40 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company']))
  leads = await openList(fairlead, run.listId!)
})
afterAll(() => fairlead.close())

test('R16: a CRM that keeps the history of leads names the contact, whatever address it has now', async () => {
  const { control } = fairlead.simulator
  control.settings({ leadHistory: true })
  const lead = control.people({ entity: 'lead', count: 60 }).items.find(({ Email }) => typeof Email === 'string')!
  const { contactId } = control.convert({ leadId: lead.Id })
  control.edit({ entity: 'contact', id: contactId, values: { Email: 'another.address@example.com' } })
  const before = (await leads.records()).find(({ crmId }) => crmId === lead.Id)!
  const run = await leads.run('sweep')
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const record = (await leads.records()).find(({ id }) => id === before.id)!
  expect(record).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false })
  const sync = await leads.run()
  expect(sumsAgree(sync)).toBe(true)
  const after = (await leads.records()).find(({ id }) => id === before.id)!
  expect(after.values['Email']).toBe('another.address@example.com')
})

test('R16: where the contact that the CRM names was merged into another, as a list of contacts has found out, that one is meant', async () => {
  const { control } = fairlead.simulator
  const lead = control.people({ entity: 'lead', count: 60 }).items.filter(({ Email }) => typeof Email === 'string')[8]!
  const { contactId } = control.convert({ leadId: lead.Id })
  const email = 'merged.contact@example.com'
  const heir = control.add({ entity: 'contact', values: { Email: email, LastName: 'Survivor' } }).ids[0]!
  await takenOver(fairlead.db.$client, leads.listId, { entity: 'contact', id: contactId }, heir)
  control.remove({ entity: 'contact', ids: [contactId] })
  const before = (await leads.records()).find(({ crmId }) => crmId === lead.Id)!
  expect(await leads.run('sweep')).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const record = (await leads.records()).find(({ id }) => id === before.id)!
  expect(record).toMatchObject({ crmEntity: 'contact', crmId: heir, removed: false })
  expect(record.values['Email']).toBe(email)
})

test('R16: without it, and with the address changed, the lead is taken to be deleted', async () => {
  const { control } = fairlead.simulator
  control.settings({ leadHistory: false })
  const lead = control.people({ entity: 'lead', count: 60 }).items.filter(({ Email }) => typeof Email === 'string')[5]!
  const { contactId } = control.convert({ leadId: lead.Id })
  control.edit({ entity: 'contact', id: contactId, values: { Email: 'third.address@example.com' } })
  const run = await leads.run('sweep')
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const record = (await leads.records()).find(({ crmId }) => crmId === lead.Id)!
  expect(record).toMatchObject({ crmEntity: 'lead', state: 'deletedInCrm' })
})
