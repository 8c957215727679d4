import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree } from '../support/sync.ts'

let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 5 })
  fairlead.simulator.control.settings({ leadHistory: true })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())

test('R15, R16: the last lead of all is followed to the contact that the CRM names, though nobody of its kind is left', async () => {
  const { control } = fairlead.simulator
  const { listId } = await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
  const contacts = await openList(fairlead, listId!)
  const push = { enabled: true, addNew: true, updateExisting: true, fields: ['Title'] }
  await contacts.settings(push, { enabled: true, addNew: false })
  const [last, gone] = ['last', 'gone'].map(
    (name) =>
      control.add({ entity: 'lead', values: { Email: `${name}@lead.example`, LastName: name, Company: 'Ltd' } })
        .ids[0]!,
  )
  const created = ['last', 'gone'].map((name) => contacts.create({ Email: `${name}@lead.example`, LastName: name }))
  const [follower, stays] = await Promise.all(created)
  expect(await contacts.run()).toMatchObject({ state: 'succeeded' })
  const recordOf = async (record: string) => (await contacts.records()).find(({ id }) => id === record)!
  expect(await recordOf(follower!)).toMatchObject({ crmEntity: 'lead', crmId: last })
  const { contactId } = control.convert({ leadId: last! })
  control.remove({
    entity: 'lead',
    ids: control.people({ entity: 'lead', count: 1000 }).items.map(({ Id }) => Id),
  })
  const run = await contacts.run()
  expect(sumsAgree(run)).toBe(true)
  expect(await recordOf(follower!)).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false })
  // of this one nobody says what became of it
  expect(await recordOf(stays!)).toMatchObject({ crmEntity: 'lead', crmId: gone, state: null })
})
