import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import type { Fault } from '../../src/simulator/faults.ts'
import { differences } from '../support/compare.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

const hourMs = 3_600_000
let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 240, contacts: 5, maxPage: 50 })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const importAll = async (): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone', 'Address/City'], true))
  expect(run.state).toBe('succeeded')
  return openList(fairlead, run.listId!)
}
const someIds = (count: number, from = 0): string[] =>
  control()
    .people({ entity: 'lead', count: from + count, select: ['Id'] })
    .items.slice(from)
    .map(({ Id }) => Id)
const markOf = async ({ listId }: TestList): Promise<number | null> => {
  const [list] = await fairlead.db.$client<[{ ms: number | null }]>`
    select (extract(epoch from mark) * 1000)::float8 as ms from lists where id = ${listId}`
  return list.ms
}

describe.each([
  ['an hour ahead', hourMs],
  ['an hour behind', -hourMs],
])('R14: the CRM’s clock is %s', (name, clockOffsetMs) => {
  let leads: TestList
  beforeAll(async () => {
    control().settings({ clockOffsetMs })
    leads = await importAll()
  })
  afterAll(() => void control().settings({ clockOffsetMs: 0 }))

  test('changes are taken, and nothing is written twice', async () => {
    const [first, second, third] = someIds(3, 10)
    control().edit({ entity: 'lead', id: first!, values: { Title: `Changed, ${name}` } })
    control().edit({ entity: 'lead', id: second!, values: { Address: { City: `City ${name}` } } })
    control().remove({ entity: 'lead', ids: [third!] })
    const [added] = control().add({ entity: 'lead', values: { Title: `New, ${name}` } }).ids
    const run = await leads.run()
    expect(run.counts!['pull']).toMatchObject({ created: 1, updated: 2 })
    expect(await differences(fairlead, leads.listId, 'lead')).toEqual([`${third} is not in the CRM`])
    await leads.run('sweep')
    await expectQuiet(fairlead, leads, 'lead')
    expect((await leads.records()).some(({ crmId }) => crmId === added)).toBe(true)
  })

  test('what is pushed does not come back, and is not pushed again', async () => {
    await leads.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
    const record = (await leads.records()).find(({ crmId, state }) => crmId !== null && state === null)!
    await leads.edit(record.id, { Title: `Pushed, ${name}` })
    const before = control().gauges().writes
    const run = await leads.run()
    expect(run.counts!['push']).toMatchObject({ read: 1, updated: 1 })
    expect(control().gauges().writes - before).toBe(1)
    expect(control().person('lead', record.crmId!)).toMatchObject({ Title: `Pushed, ${name}` })
    await expectQuiet(fairlead, leads, 'lead')
    await leads.settings()
  })

  test('R13: latestWins compares by one clock', async () => {
    await leads.settings({ enabled: true, updateExisting: true, fields: ['Title', 'WorkPhone'] })
    await accounts.update(fairlead.db, fairlead.accountId, { conflict: 'latestWins' }, operator)
    const known = (await leads.records()).filter(({ crmId, state }) => crmId !== null && state === null)
    const [ours, theirs] = [known[3]!, known[4]!]
    const edit = (id: string, Title: string, seconds: number): void => {
      control().edit({ entity: 'lead', id, values: { Title } })
      const at = new Date(Date.now() + clockOffsetMs + seconds * 1000).toISOString()
      control().setModifyDate({ entity: 'lead', ids: [id], at })
    }
    edit(ours.crmId!, `CRM, earlier, ${name}`, -10)
    await leads.edit(ours.id, { Title: `Here, later, ${name}` })
    await leads.edit(theirs.id, { Title: `Here, earlier, ${name}` })
    edit(theirs.crmId!, `CRM, later, ${name}`, 10)
    const run = await leads.run()
    await accounts.update(fairlead.db, fairlead.accountId, { conflict: 'crmWins' }, operator)
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(control().person('lead', ours.crmId!)).toMatchObject({ Title: `Here, later, ${name}` })
    expect(control().person('lead', theirs.crmId!)).toMatchObject({ Title: `CRM, later, ${name}` })
    await leads.settings()
    await expectInStep(fairlead, leads, 'lead')
  })
})

test('R14: rows without a ModifyDate are read by every sync, and written only when they changed', async () => {
  const leads = await importAll()
  const ids = someIds(7, 40)
  control().setModifyDate({ entity: 'lead', ids, at: null })
  await expectInStep(fairlead, leads, 'lead')
  control().edit({ entity: 'lead', id: ids[2]!, values: { Title: 'Dateless' } })
  control().setModifyDate({ entity: 'lead', ids: [ids[2]!], at: null })
  const run = await expectInStep(fairlead, leads, 'lead')
  expect(run.counts!['pull']).toMatchObject({ updated: 1 })
  expect((await expectQuiet(fairlead, leads, 'lead')).counts!['pull']!.read).toBeGreaterThanOrEqual(7)
})

test('R14: a row that is edited after a long import has read it is in step after the next sync', async () => {
  const [id] = someIds(1)
  const match = { kind: 'leads', method: 'GET' }
  control().script({ afterRequests: 12, match, do: [{ edit: { entity: 'lead', id: id!, values: { Title: 'Late' } } }] })
  const leads = await importAll()
  expect(control().scripts()).toEqual([])
  expect(await differences(fairlead, leads.listId, 'lead')).toHaveLength(2)
  await expectInStep(fairlead, leads, 'lead')
})

test.each([
  ['2099', () => '2099-01-01T00:00:00.000Z', 60],
  ['tomorrow', () => new Date(Date.now() + 20 * hourMs).toISOString(), 61],
])('R14: a row dated %s does not hide newer changes, and costs one row a sync', async (name, dateOf, at) => {
  const far = someIds(1, at)[0]!
  control().setModifyDate({ entity: 'lead', ids: [far], at: dateOf() })
  const leads = await importAll()
  expect(await markOf(leads)).toBeLessThan(Date.now() + 5000)
  for (const round of [1, 2]) {
    control().edit({ entity: 'lead', id: someIds(1, 70 + round)[0]!, values: { Title: `Newer than ${name} ${round}` } })
    const run = await expectInStep(fairlead, leads, 'lead')
    expect(run.counts!['pull']).toMatchObject({ updated: 1 })
  }
  control().edit({ entity: 'lead', id: far, values: { Title: 'Far away' } })
  control().setModifyDate({ entity: 'lead', ids: [far], at: dateOf() })
  await expectInStep(fairlead, leads, 'lead')
  const { requests } = control().gauges()
  const quiet = await expectQuiet(fairlead, leads, 'lead')
  expect(quiet.counts!['pull']!.read).toBeLessThan(60)
  expect(control().gauges().requests - requests).toBeLessThan(40)
})

test('R14, R22: however many of those who were changed last do not come, a sync ends, and nothing that changed is lost', async () => {
  const hideDates = (ids: string[]) =>
    control().addFault({ kind: 'poison', ids, match: { contains: 'ModifyDate desc' } })
  const editUnseen = (id: string, Title: string): void => {
    control().edit({ entity: 'lead', id, values: { Title } })
    control().setModifyDate({ entity: 'lead', ids: [id], at: '2001-01-01T00:00:00Z' })
  }
  const [first, second] = someIds(2)
  hideDates(someIds(1000))
  const leads = await importAll()
  expect(await markOf(leads)).toBeNull()
  // without a mark everybody is read, whatever their dates say
  editUnseen(first!, 'Read without a mark')
  expect((await leads.run()).counts!['pull']).toMatchObject({ updated: 1 })
  control().clearFaults()
  await leads.run()
  expect(await markOf(leads)).not.toBeNull()

  const added = control().add({ entity: 'lead', values: { LastName: 'Broken', Company: 'Ltd' }, count: 60 }).ids
  hideDates(added)
  const broken: Fault = { kind: 'poison', ids: [added[7]!, added[40]!] }
  control().addFault(broken)
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' }, balance: { balanced: true } })
  expect(run.counts!['pull']).toMatchObject({ created: 58, rejected: 2 })
  expect(sumsAgree(run)).toBe(true)
  const mark = await markOf(leads)
  control().clearFaults()
  hideDates(someIds(1000))
  control().addFault(broken)
  expect((await leads.run()).state).toBe('incomplete')
  expect(await markOf(leads)).toBe(mark)
  control().clearFaults()
  editUnseen(second!, 'Not read by its date')
  expect((await leads.run()).counts!['pull']).toMatchObject({ created: 2, updated: 0, rejected: 0 })
  expect(await markOf(leads)).toBeGreaterThan(mark!)
})
