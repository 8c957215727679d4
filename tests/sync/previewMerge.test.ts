import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { told, toldBy } from './told.ts'

let fairlead: Fairlead
let crm: People

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 12, contacts: 4 })
  crm = openPeople(fairlead)
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())

describe('S8: a preview of records that go into others, and its application', () => {
  test.each([
    ['that has nothing to send by that', 'plain', false],
    ['that comes back by that, and takes over what the CRM has', 'removed', true],
  ])(
    'R3: its application finds nothing changed about a record %s, into which another one goes',
    async (_, tag, comesBack) => {
      const email = `into.${tag}@example.com`
      const lead = crm.add('lead', { Email: email, LastName: 'Into', Company: 'Ltd', Title: 'Old' })
      const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company'], true))
      const list = await openList(fairlead, listId!)
      await list.settings(
        { enabled: true, addNew: true, updateExisting: false, fields: ['Title'] },
        { enabled: comesBack },
      )
      const { id } = (await list.records()).find(({ crmId }) => crmId === lead)!
      if (comesBack) {
        await list.remove(id)
        crm.control.edit({ entity: 'lead', id: lead, values: { Company: 'Newer Ltd' } })
      }
      await list.create({ Email: email, LastName: 'Into' })
      const shown = await list.run('preview')
      expectGood(shown)
      const was = told(await list.entries(shown.id), new Map())
      expect(was).toContainEqual(expect.objectContaining({ code: 'mergedIntoRecord' }))
      const done = await list.apply(shown.id)
      expectGood(done)
      const said = await toldBy(fairlead, list, done)
      expect(said.filter(({ code }) => code === 'changedSince')).toEqual([])
      expect((await list.records()).find((each) => each.id === id)).toMatchObject({ removed: false })
    },
  )

  test.each([
    ['that is updated', 'updated', true],
    ['that keeps what it has', 'kept', false],
  ])(
    'R15: its application finds nothing changed about a record %s, and which the record of a merged person goes into',
    async (_, tag, updateExisting) => {
      const twin = { Email: `merged.${tag}@example.com`, FirstName: 'Mer', LastName: 'Ged', Title: 'Old' }
      const [survivor, loser] = [crm.add('contact', twin), crm.add('contact', twin)]
      const { listId } = await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
      const list = await openList(fairlead, listId!)
      await list.settings({ enabled: false }, { enabled: true, updateExisting })
      crm.control.edit({ entity: 'contact', id: survivor, values: { Title: 'New' } })
      crm.control.merge({ entity: 'contact', survivorId: survivor, loserIds: [loser] })
      // another list has found out
      await fairlead.db.$client`
        insert into late_rows (list_id, entity, crm_id, account_id) values (${listId!}, 'contact', ${loser}, ${fairlead.accountId})`
      const shown = await list.run('preview')
      expectGood(shown)
      const was = told(await list.entries(shown.id), new Map())
      expect(was).toContainEqual(expect.objectContaining({ code: 'merged' }))
      expect(was).toContainEqual(expect.objectContaining(updateExisting ? { kind: 'updated' } : { code: 'notUpdated' }))
      const done = await list.apply(shown.id)
      expectGood(done)
      expect(await toldBy(fairlead, list, done)).toEqual(was)
      const records = await list.records()
      expect(records.find(({ crmId }) => crmId === survivor)!.values['Title']).toBe(updateExisting ? 'New' : 'Old')
    },
  )

  test('R15: its application says of whom another record no longer goes into, and of that record, that they are left alone', async () => {
    const twin = { Email: 'since.twin@example.com', FirstName: 'Si', LastName: 'Nce', Title: 'Old' }
    const [survivor, loser] = [crm.add('contact', twin), crm.add('contact', twin)]
    const { listId } = await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
    const list = await openList(fairlead, listId!)
    await list.settings({ enabled: false }, { enabled: true, updateExisting: true })
    crm.control.edit({ entity: 'contact', id: survivor, values: { Title: 'New' } })
    crm.control.merge({ entity: 'contact', survivorId: survivor, loserIds: [loser] })
    // another list has found out
    await fairlead.db.$client`
      insert into late_rows (list_id, entity, crm_id, account_id) values (${listId!}, 'contact', ${loser}, ${fairlead.accountId})`
    const shown = await list.run('preview')
    const ids = [survivor, loser].map(
      async (person) => (await list.records()).find(({ crmId }) => crmId === person)!.id,
    )
    const [kept, removed] = await Promise.all(ids)
    await list.remove(removed!)
    crm.control.edit({ entity: 'contact', id: survivor, values: { Title: 'Newer' } })
    const applied = await list.apply(shown.id)
    expectGood(applied)
    const since = (await list.entries(applied.id)).filter(({ code }) => code === 'changedSince')
    expect(new Set(since.map(({ recordId }) => recordId))).toEqual(new Set([kept, removed]))
    expect((await list.records()).find(({ id }) => id === kept)!.values['Title']).toBe('Old')
  })

  type Ids = { kept: string; gone: string }
  type Then = (list: TestList, ids: Ids) => Promise<void>
  const nothing: Then = async () => {}
  test.each<[string, string, Then, string, { title: string; removed?: boolean }]>([
    ['as it was shown', 'shown', nothing, 'relinked', { title: 'Edited' }],
    [
      'not where it was edited once more',
      'again',
      (list, { gone }) => list.edit(gone, { Title: 'Edited again' }),
      'skipped',
      { title: 'Old' },
    ],
    [
      'not where more was edited',
      'more',
      (list, { gone }) => list.edit(gone, { Description: 'More' }),
      'skipped',
      { title: 'Old' },
    ],
    [
      'not where that one was edited, too',
      'both',
      (list, { kept }) => list.edit(kept, { Title: 'Edited there' }),
      'skipped',
      { title: 'Edited there' },
    ],
    [
      'not where that one was removed',
      'removed',
      (list, { kept }) => list.remove(kept),
      'skipped',
      { title: 'Old', removed: true },
    ],
  ])(
    'R16: its application lets the record of a merged person go into another one %s',
    async (_, tag, then, kind, { title, removed = false }) => {
      const twin = { Email: `goes.${tag}@example.com`, FirstName: 'Go', LastName: 'Es', Title: 'Old' }
      const [survivor, loser] = [crm.add('contact', twin), crm.add('contact', twin)]
      const imported = await fairlead.startImport('contact', ['Title', 'Description'], true)
      const { listId } = await fairlead.finished(imported)
      const list = await openList(fairlead, listId!)
      await list.settings({ enabled: false }, { enabled: true, updateExisting: true })
      const of = async (person: string) => (await list.records()).find(({ crmId }) => crmId === person)!
      const [kept, gone] = [(await of(survivor)).id, (await of(loser)).id]
      await list.edit(gone, { Title: 'Edited' })
      crm.control.merge({ entity: 'contact', survivorId: survivor, loserIds: [loser] })
      await fairlead.db.$client`
        insert into late_rows (list_id, entity, crm_id, account_id) values (${listId!}, 'contact', ${loser}, ${fairlead.accountId})`
      const shown = await list.run('preview')
      expectGood(shown)
      await then(list, { kept, gone })
      const applied = await list.apply(shown.id)
      expectGood(applied)
      const said = (await list.entries(applied.id)).filter(({ recordId }) => recordId === gone)
      expect(said).toMatchObject([{ kind, code: kind === 'skipped' ? 'changedSince' : 'merged' }])
      expect(await of(survivor)).toMatchObject({ id: kept, removed, values: { Title: title } })
    },
  )
})
