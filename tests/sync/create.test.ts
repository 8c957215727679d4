import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../src/simulator/faults.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, expectOneLeadEach, newPeople } from '../support/push.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

/** Twice the time-out and what the CRM may be late: so long after sending nobody is searched for or created. */
const waitMs = 2 * 1000 + 1500
let fairlead: Fairlead
let leads: TestList
let more: TestList

const openAs = async (newList: boolean): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company'], newList))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true })
  return list
}

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1500' }
  fairlead = await openFairlead({ leads: 60, contacts: 20, environment })
  await fairlead.connect()
  leads = await openAs(false)
  more = await openAs(true)
}, 60_000)
afterEach(() => {
  fairlead.simulator.control.clearFaults()
  fairlead.simulator.control.settings({ latencyMs: 0 })
})
afterAll(() => fairlead.close())

const onCreate = { method: 'POST', kind: 'leads' }
let tags = 0
const unknownPeople = (count: number) => newPeople(count, `create${(tags += 1)}`)

describe('R7: a create without an answer makes one lead, not two', () => {
  test.each<[string, Fault, number]>([
    ['the connection is dropped after the CRM stored it', { kind: 'dropAfterWrite' }, 0],
    ['the CRM stores it and does not answer', { kind: 'hangAfterWrite' }, 0],
    ['the CRM stores it long after the time-out', { kind: 'lateWrite', ms: waitMs - 600, answer: 'hang' }, 0],
    [
      'the connection is dropped and the CRM stores it much later',
      { kind: 'lateWrite', ms: waitMs - 600, answer: 'drop' },
      0,
    ],
    ['the CRM never sees it', { kind: 'hang' }, 3],
  ])('%s', async (_, fault, again) => {
    const people = unknownPeople(8)
    await addAll(leads, people)
    fairlead.simulator.control.addFault({ ...fault, times: 3, after: 2, match: onCreate })
    const before = createsAt(fairlead)
    const run = await leads.run()
    await expectOneLeadEach(fairlead, [leads], people)
    expect(createsAt(fairlead) - before).toBe(people.length + again)
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(run.counts!['push']).toMatchObject({ read: 8, created: 8, skipped: 0, rejected: 0 })
    expect(sumsAgree(run)).toBe(true)
    const next = await leads.run()
    expect(next.counts!['push']).toMatchObject({ read: 0 })
  })
})

describe('R7: two lists push the same new people at once', () => {
  test.each<[string, Fault | null]>([
    ['', null],
    [', with connections that drop', { kind: 'dropAfterWrite' }],
    [', with a CRM that stores late', { kind: 'lateWrite', ms: waitMs - 600, answer: 'hang' }],
  ])('one lead is made for each address%s', async (_, fault) => {
    const people = unknownPeople(25)
    await addAll(leads, people)
    await addAll(more, people.toReversed())
    const { control } = fairlead.simulator
    control.settings({ latencyMs: 40 })
    if (fault !== null) control.addFault({ ...fault, times: 4, after: 3, match: onCreate })
    const before = createsAt(fairlead)
    const runs = await Promise.all([leads.run(), more.run()])
    await expectOneLeadEach(fairlead, [leads, more], people)
    expect(createsAt(fairlead) - before).toBe(people.length)
    for (const run of runs) {
      expect(run).toMatchObject({ state: 'succeeded', error: null })
      expect(run.counts!['push']).toMatchObject({ read: 25, rejected: 0 })
      expect(sumsAgree(run)).toBe(true)
    }
    const created = runs.map((run) => run.counts!['push']!.created)
    expect(created[0]! + created[1]!).toBe(people.length)
  })
})

test('R7, R22: a person whom the CRM has and cannot deliver is never created a second time', async () => {
  const { control } = fairlead.simulator
  const people = unknownPeople(6)
  const hidden = people[3]!
  const [id] = control.add({ entity: 'contact', values: { Email: hidden.Email.toUpperCase(), LastName: 'There' } }).ids
  control.addFault({ kind: 'poison', ids: [id!] })
  await addAll(leads, people)
  const before = createsAt(fairlead)
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' } })
  expect(run.counts!['push']).toMatchObject({ read: 6, created: 5, rejected: 1 })
  expect(createsAt(fairlead) - before).toBe(5)
  expect(sumsAgree(run)).toBe(true)

  control.clearFaults()
  const next = await leads.run()
  expect(next).toMatchObject({ state: 'succeeded', error: null })
  expect(createsAt(fairlead) - before).toBe(5)
  const record = (await leads.records()).find(({ values }) => String(values['Email']).toLowerCase() === hidden.Email)
  expect(record).toMatchObject({ crmEntity: 'contact', crmId: id })
})
