import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from './support/fairlead.ts'
import { openList, sumsAgree, type TestList } from './support/sync.ts'
import { differences } from './support/compare.ts'

let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 300, contacts: 120 })
  await fairlead.connect()
  const run = await fairlead.finished(
    await fairlead.startImport('lead', ['WorkPhone', 'Title', 'Company', 'Address/City']),
  )
  leads = await openList(fairlead, run.listId!)
})
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const writes = () =>
  control()
    .journal()
    .filter(({ method, path }) => ['PUT', 'POST', 'DELETE'].includes(method) && path.includes('/dynamic/')).length

test('R14: a sync takes over what changed in the CRM, and the next one writes nothing', async () => {
  const [first, second] = control().people({ entity: 'lead', count: 2 }).items
  control().edit({ entity: 'lead', id: first!.Id, values: { Title: 'Changed title' } })
  control().edit({ entity: 'lead', id: second!.Id, values: { Address: { City: 'Changed City' } } })
  control().add({ entity: 'lead', values: { Email: 'new@example.com', LastName: 'New', Company: 'New Co' } })
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['pull']).toMatchObject({ created: 1, updated: 2, rejected: 0 })
  expect(sumsAgree(run)).toBe(true)
  expect(await differences(fairlead, leads.listId, 'lead')).toEqual([])
  const again = await leads.run()
  expect(again.counts!['pull']).toMatchObject({ created: 0, updated: 0 })
  expect(sumsAgree(again)).toBe(true)
})

test('a record made here becomes one lead, and its edit one write', async () => {
  await leads.settings({
    enabled: true,
    addNew: true,
    updateExisting: true,
    fields: ['Title', 'WorkPhone', 'Address/City'],
  })
  const id = await leads.create({
    Email: 'Made.Here@Example.com',
    LastName: 'Here',
    Company: 'Here Ltd',
    Title: 'Boss',
    'Address/City': 'Bonn',
  })
  const before = writes()
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 1, created: 1 })
  expect(writes() - before).toBe(1)
  const record = (await leads.records()).find((each) => each.id === id)!
  expect(record).toMatchObject({ crmEntity: 'lead', agreed: {} })
  expect(control().person('lead', record.crmId!)).toMatchObject({ Title: 'Boss', Address: { City: 'Bonn' } })
  expect(await differences(fairlead, leads.listId, 'lead')).toEqual([])
  const quiet = await leads.run()
  expect(writes() - before).toBe(1)
  expect(quiet.counts!['pull']!.updated).toBe(0)
})
