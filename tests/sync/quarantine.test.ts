import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as quarantine from '../../src/db/quarantine.ts'
import type { Run } from '../../src/db/run/state.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, newPeople } from '../support/push.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
afterEach(() => {
  control().clearFaults()
  control().settings({ required })
})

const control = () => fairlead.simulator.control
const required = { Lead: ['LastName', 'Company'], Contact: ['LastName', 'Account'] }

const freshList = async (): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title'], true))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
  return list
}
const groups = (list: TestList) =>
  quarantine.pageGroups(fairlead.db, fairlead.accountId, { listId: list.listId, limit: 10 })
/** A run whose sums agree, and how many new leads it asked the CRM for. */
const push = async (list: TestList): Promise<{ run: Run; asked: number; counts: Record<string, number> }> => {
  const before = createsAt(fairlead)
  const run = await list.run()
  expect(sumsAgree(run)).toBe(true)
  const { read, created, rejected } = run.counts!['push']!
  return { run, asked: createsAt(fairlead) - before, counts: { read, created, rejected } }
}
const refuseLeads = () =>
  control().addFault({
    kind: 'errorArray',
    status: 400,
    message: 'Not today.',
    match: { method: 'POST', kind: 'leads' },
  })
const timesOf = async (list: TestList, run: Run): Promise<number[]> =>
  (await list.entries(run.id)).map(({ times }) => times)

describe('R23: 200 records that are rejected for one cause', () => {
  test('are parked after three runs, tried by one of them, and pushed by the run after the CRM was mended where nobody can see it', async () => {
    const list = await freshList()
    await addAll(list, newPeople(200, 'unseen'))
    refuseLeads()
    for (const times of [1, 2, 3]) {
      const { run, asked, counts } = await push(list)
      expect({ asked, ...counts }).toEqual({ asked: 200, read: 200, created: 0, rejected: 200 })
      expect(new Set(await timesOf(list, run))).toEqual(new Set([times]))
    }
    const [group, ...others] = await groups(list)
    expect(others).toEqual([])
    expect(group).toMatchObject({ code: 'crmRefused', count: 200, said: { message: 'Not today.' } })
    const fourth = await push(list)
    expect({ asked: fourth.asked, ...fourth.counts }).toEqual({ asked: 1, read: 1, created: 0, rejected: 1 })
    expect(fourth.run.warnings).toMatchObject([{ code: 'parked', count: 199 }])
    expect((await groups(list))[0]).toMatchObject({ count: 200 })
    control().clearFaults()
    const fifth = await push(list)
    expect(fifth.counts).toEqual({ read: 200, created: 200, rejected: 0 })
    expect(await groups(list)).toEqual([])
    expect((await push(list)).counts).toEqual({ read: 0, created: 0, rejected: 0 })
  }, 60_000)

  test('are pushed by the run after a required field was made optional', async () => {
    const list = await freshList()
    for (const { Company: _, ...person } of newPeople(20, 'optional')) await list.create(person)
    for (const _ of [1, 2, 3]) expect((await push(list)).counts).toEqual({ read: 20, created: 0, rejected: 20 })
    expect(await groups(list)).toMatchObject([{ code: 'requiredMissing', detail: 'Company', count: 20 }])
    expect((await push(list)).counts).toEqual({ read: 1, created: 0, rejected: 1 })
    control().settings({ required: { ...required, Lead: ['LastName'] } })
    const mended = await push(list)
    expect(mended.counts).toEqual({ read: 20, created: 20, rejected: 0 })
    expect(mended.run.warnings).toEqual([])
    expect(await groups(list)).toEqual([])
  })
})

test('R23: a parked record is tried again when it was edited, its settings changed, or by hand; and each cause by one in turn', async () => {
  const list = await freshList()
  const ids = await addAll(list, newPeople(4, 'again'))
  const parkedIds = async () =>
    (await fairlead.db.$client`select from parked_records where list_id = ${list.listId}`).length
  refuseLeads()
  for (const _ of [1, 2, 3]) await list.run()
  expect(await groups(list)).toMatchObject([{ count: 4 }])

  await list.edit(ids[2]!, { Title: 'Edited' })
  expect(await groups(list)).toMatchObject([{ count: 3 }])
  expect((await push(list)).counts).toMatchObject({ read: 2, rejected: 2 })
  // once for each change; then it is parked again
  expect(await groups(list)).toMatchObject([{ count: 4 }])

  await list.remove(ids[3]!)
  expect(await groups(list)).toMatchObject([{ count: 3 }])
  const tried: (string | null)[] = []
  for (const _ of [1, 2, 3])
    tried.push(...(await list.entries((await push(list)).run.id)).map(({ recordId }) => recordId))
  expect(tried.toSorted()).toEqual(ids.slice(0, 3).toSorted())
  expect(await parkedIds()).toBe(3)

  await list.settings({ enabled: true, addNew: true, newLeadDefaults: { Title: 'Guest' } })
  expect((await push(list)).counts).toMatchObject({ read: 3, rejected: 3 })
  expect(await groups(list)).toMatchObject([{ count: 3 }])

  const chosen = { listId: list.listId, code: 'crmRefused', recordIds: ids.slice(0, 2) }
  expect(await quarantine.releaseBy(fairlead.db, fairlead.accountId, chosen, operator)).toBe(2)
  control().clearFaults()
  // what was released goes through, and so does the one that is left: it is tried for its cause
  expect((await push(list)).counts).toEqual({ read: 3, created: 3, rejected: 0 })
  expect(await parkedIds()).toBe(0)
})

test('R23: another cause is another entry, and what lies between does not count', async () => {
  const list = await freshList()
  await addAll(list, newPeople(1, 'causes'))
  const refuse = (sdataCode: string): string =>
    control().addFault({ kind: 'errorArray', status: 400, sdataCode, match: { method: 'POST', kind: 'leads' } })
  for (const sdataCode of ['BadValue', 'BadName', 'BadName', 'sweep', 'BadName']) {
    if (sdataCode === 'sweep') {
      expect(await groups(list)).toEqual([])
      await list.run('sweep')
      continue
    }
    control().clearFaults()
    refuse(sdataCode)
    await list.run()
  }
  expect(await groups(list)).toMatchObject([{ code: 'crmRefused', detail: 'BadName', count: 1 }])
})
