import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, type TestList } from '../support/sync.ts'

// A push looks a page of 500 up in the CRM while the last 60 records of the page before are still being sent.

let fairlead: Fairlead
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  await fairlead.connect()
})
afterAll(() => fairlead.close())

const openLeads = async (fields: string[]): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['WorkPhone', 'Title'], true))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields })
  return list
}

describe('R3, R7: a new record with the address that somebody in the CRM is about to get', () => {
  test.for([3, 498])('makes no second lead, with %i records before the two', async (before) => {
    const { control } = fairlead.simulator
    control.add({ entity: 'lead', values: { LastName: 'Person', WorkPhone: '1' }, count: before } as never)
    const { ids } = control.add({ entity: 'lead', values: { Email: `old${before}@example.com`, LastName: 'Twin' } })
    const list = await openLeads(['WorkPhone', 'Email'])
    const records = await list.records()
    const twin = records.find(({ crmId }) => crmId === ids[0])
    for (const { id } of records.filter(({ id }) => id !== twin!.id)) await list.edit(id, { WorkPhone: '2' })
    await list.edit(twin!.id, { Email: `new${before}@example.com` })
    const made = await list.create({ Email: `new${before}@example.com`, LastName: 'Twin' })
    const done = await list.run()
    expect(done.state).toBe('succeeded')
    expect(done.counts?.['push']).toMatchObject({ created: 0 })
    expect((await list.entries(done.id)).filter(({ recordId }) => recordId === made)).toMatchObject([
      { kind: 'skipped', code: 'mergedIntoRecord' },
    ])
    expect(control.person('lead', ids[0]!)).toMatchObject({ Email: `new${before}@example.com` })
  })
})

test('R16: edits that a merge brings to a record which is still to be sent go out in the same run', async () => {
  const { control } = fairlead.simulator
  for (let at = 0; at < 40; at += 1)
    control.add({
      entity: 'lead',
      values: { Email: `p${at}@example.com`, FirstName: 'F', LastName: `P${at}`, Title: 'CEO' },
    })
  const list = await openLeads(['WorkPhone', 'Title'])
  const before = (await list.records()).filter(({ values }) => String(values['Email']).startsWith('p'))
  const [gone, heir] = [before[0]!, before[30]!]
  for (const { crmId } of [gone, heir])
    control.edit({ entity: 'lead', id: crmId!, values: { Email: 'm@example.com', FirstName: 'Mer', LastName: 'Ged' } })
  await list.run()
  for (const { id } of before) await list.edit(id, id === gone.id ? { Title: 'Owner' } : { WorkPhone: '2' })
  control.merge({ entity: 'lead', survivorId: heir.crmId!, loserIds: [gone.crmId!] })
  await list.run()
  expect(control.person('lead', heir.crmId!)).toMatchObject({ Title: 'Owner', WorkPhone: '2' })
  expect((await list.records()).find(({ id }) => id === heir.id)?.agreed).toEqual({})
})
