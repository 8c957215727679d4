import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as settings from '../../src/db/sync/settings.ts'
import { defaultSync, type PullSettings } from '../../src/domain/sync.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
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
  const email = `wide.${(made += 1)}@example.com`
  return crm.add('lead', { Email: email, LastName: 'Pull', Company: 'Pulls', Title: 'CEO', ...values })
}
const edit = (id: string, values: Record<string, unknown>): void =>
  void crm.control.edit({ entity: 'lead', id, values })
const importList = async (): Promise<Steps> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone'], true))
  return openSteps(crm, await openList(fairlead, run.listId!))
}

/** As a person saves settings: what is pulled beyond what was pulled before is remembered. */
const save = async (list: Steps, pull: Partial<PullSettings>, addColumns: string[] = []): Promise<Steps> => {
  const now = await settings.get(fairlead.db, fairlead.accountId, list.listId)
  const asked = { version: now.version, push: now.push, pull: { ...defaultSync().pull, ...pull }, addColumns }
  await settings.save(fairlead.db, fairlead.accountId, list.listId, asked, operator)
  return openSteps(crm, await openList(fairlead, list.listId))
}

describe('R14: widening is made up for by the next sync, for everybody', () => {
  /** Changed and added so long ago that no pull reads them by date. */
  const age = (...ids: string[]): void =>
    void crm.control.setModifyDate({ entity: 'lead', ids, at: '2021-05-05T05:05:05Z' })

  test.each<[string, Partial<PullSettings>, Partial<PullSettings>, { added: boolean; title: boolean; phone: boolean }]>(
    [
      ['add new', { addNew: false }, {}, { added: true, title: true, phone: true }],
      ['update existing', { updateExisting: false }, {}, { added: true, title: true, phone: true }],
      ['a column ticked again', { excludedFields: ['Title'] }, {}, { added: true, title: true, phone: true }],
      ['pull itself', { enabled: false }, {}, { added: true, title: true, phone: true }],
      [
        'one of two columns',
        { excludedFields: ['Title', 'WorkPhone'] },
        { excludedFields: ['Title'] },
        { added: true, title: false, phone: true },
      ],
      [
        'update existing alone',
        { addNew: false, updateExisting: false },
        { addNew: false },
        { added: false, title: true, phone: true },
      ],
      [
        'add new alone',
        { addNew: false, updateExisting: false },
        { updateExisting: false },
        { added: true, title: false, phone: false },
      ],
    ],
  )('%s', async (_, before, after, wanted) => {
    const known = lead()
    const list = await importList()
    await save(list, before)
    await list.run()
    edit(known, { Title: 'Owner', WorkPhone: '+1-555-2' })
    await list.run()
    const added = lead()
    age(known, added)
    await list.run()
    await save(list, after)
    const { total, counts, of, has } = await list.run()
    expect(of(known).values).toMatchObject({
      Title: wanted.title ? 'Owner' : 'CEO',
      WorkPhone: wanted.phone ? '+1-555-2' : null,
    })
    expect(has(added)).toBe(wanted.added)
    // everybody is read, with progress, and only this once
    const everybody = crm.control.counts()['leads']!
    expect(counts['pull']!.read).toBeGreaterThanOrEqual(everybody)
    expect(total).toBeGreaterThanOrEqual(everybody)
    expect((await list.run()).counts['pull']!.read).toBeLessThan(everybody)
  })

  test('what is not widened is not read anew', async () => {
    const list = await importList()
    await save(list, { addNew: false, excludedFields: ['Title'] })
    await save(list, { addNew: false, updateExisting: false })
    await list.run()
    await save(list, { addNew: false, updateExisting: false, excludedFields: ['Title'] })
    expect((await list.run()).counts['pull']!.read).toBeLessThan(crm.control.counts()['leads']!)
  })

  test('S5: a new column appears at once, and the next sync fills it for everybody', async () => {
    const known = lead({ Industry: 'Banking', Address: { City: 'Bonn' } })
    const blank = lead({ Industry: null, Address: { City: 'Kiel' } })
    const list = await importList()
    age(known, blank)
    await list.run()
    const opened = await save(list, {}, ['Industry', 'Address/City'])
    const empty = (await opened.records()).find(({ crmId }) => crmId === known)!
    expect(empty.values).not.toHaveProperty('Industry')
    const { counts, of } = await opened.run()
    expect(of(known).values).toMatchObject({ Industry: 'Banking', 'Address/City': 'Bonn' })
    expect(of(blank).values).toMatchObject({ Industry: null, 'Address/City': 'Kiel' })
    expect((await opened.records()).every(({ values }) => 'Industry' in values && 'Address/City' in values)).toBe(true)
    expect(counts['pull']!.read).toBeGreaterThanOrEqual(crm.control.counts()['leads']!)
    expect((await opened.run()).counts['pull']).toMatchObject({ created: 0, updated: 0 })
  })

  test('S5: a new column is filled although update existing is switched off', async () => {
    const known = lead({ Industry: 'Energy' })
    const list = await importList()
    await save(list, { updateExisting: false })
    edit(known, { Title: 'Owner' })
    const opened = await save(list, { updateExisting: false }, ['Industry'])
    const { of } = await opened.run()
    expect(of(known).values).toMatchObject({ Industry: 'Energy', Title: 'CEO' })
  })

  test('S6: a widening while a sync runs is left to the next one', async () => {
    const list = await importList()
    await save(list, { excludedFields: ['Title'] })
    const known = lead()
    await list.run()
    edit(known, { Title: 'Owner' })
    age(known)
    await list.run()
    crm.control.addFault({ kind: 'slow', ms: 700, match: { kind: 'leads' } })
    const running = list.run()
    await until('the run keeps to settings of its own', async () => {
      const [run] = await fairlead.db.$client`
        select state, settings -> 'sync' as sync from runs where list_id = ${list.listId} order by id desc limit 1`
      return run!['state'] === 'running' && run!['sync'] !== null
    })
    await save(list, {})
    crm.control.clearFaults()
    expect((await running).of(known).values).toMatchObject({ Title: 'CEO' })
    const { of } = await list.run()
    expect(of(known).values).toMatchObject({ Title: 'Owner' })
  })
})
