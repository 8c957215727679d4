import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EntryRow } from '../support/sync.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 40, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
})
afterAll(() => fairlead.close())

let made = 0
const lead = (values: Record<string, unknown> = {}): string => {
  const email = `pull.${(made += 1)}@example.com`
  return crm.add('lead', { Email: email, LastName: 'Pull', Company: 'Pulls', Title: 'CEO', ...values })
}
const edit = (id: string, values: Record<string, unknown>): void =>
  void crm.control.edit({ entity: 'lead', id, values })
const importList = async (): Promise<Steps> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone'], true))
  return openSteps(crm, await openList(fairlead, run.listId!))
}
const codes = (entries: EntryRow[]): string[] => entries.map(({ kind, code }) => `${kind}:${code ?? ''}`)

describe('S3, S4', () => {
  const flags = [true, false]
  const combinations = flags.flatMap((addNew) =>
    flags.flatMap((updateExisting) =>
      flags.map((all) => ({ addNew, updateExisting, excludedFields: all ? [] : ['Title'] })),
    ),
  )

  test('each combination of add new, update existing and an unticked column takes what it says, and no more', async () => {
    const changed = lead()
    const removed = lead()
    const lists = await Promise.all(combinations.map(() => importList()))
    for (const [n, pull] of combinations.entries()) {
      await lists[n]!.settings({}, pull)
      const { id } = (await lists[n]!.records()).find(({ crmId }) => crmId === removed)!
      await lists[n]!.remove(id)
    }
    for (const id of [changed, removed]) edit(id, { Title: 'Owner', WorkPhone: '+1-555-1', DoNotEmail: true })
    const added = lead()
    for (const [n, { addNew, updateExisting, excludedFields }] of combinations.entries()) {
      const { counts, of, has, said } = await lists[n]!.run()
      expect(codes(said(added))).toEqual(addNew ? [] : ['skipped:notAdded'])
      expect(has(added)).toBe(addNew)
      if (addNew) expect(of(added).values['Title']).toBe('CEO')
      const ticked = excludedFields.length === 0
      expect(of(changed).values).toMatchObject({
        Title: updateExisting && ticked ? 'Owner' : 'CEO',
        WorkPhone: updateExisting ? '+1-555-1' : null,
        // whether people may be mailed is always read
        DoNotEmail: true,
      })
      expect(codes(said(changed))).toEqual([updateExisting ? 'updated:' : 'skipped:notUpdated'])
      expect(of(removed)).toMatchObject({ removed: true, values: { Title: 'CEO', WorkPhone: null } })
      expect(codes(said(removed))).toEqual(['skipped:removedHere'])
      expect(counts['pull']).toMatchObject({
        created: addNew ? 1 : 0,
        updated: updateExisting ? 1 : 0,
        skipped: 1 + (addNew ? 0 : 1) + (updateExisting ? 0 : 1),
        rejected: 0,
      })
      const again = await lists[n]!.run()
      expect(again.counts['pull']).toMatchObject({ created: 0, updated: 0 })
    }
  }, 60_000)

  test('with pull switched off nothing is read, and the mark stays', async () => {
    const list = await importList()
    await list.settings({}, { enabled: false })
    const marks = async () => (await fairlead.db.$client`select mark from lists where id = ${list.listId}`)[0]!['mark']
    const mark = await marks()
    const id = lead()
    const { counts, has } = await list.run()
    expect(counts['pull']).toMatchObject({ read: 0, created: 0 })
    expect(has(id)).toBe(false)
    expect(await marks()).toEqual(mark)
    await list.settings({}, {})
    expect((await list.run()).has(id)).toBe(true)
  })
})
