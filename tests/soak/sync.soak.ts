import { expect, onTestFinished, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { survivePushKills } from '../support/kills.ts'
import { addAll, createsAt, expectOneLeadEach, newPeople } from '../support/push.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'

const hourMs = 3_600_000

const open = async (options: Parameters<typeof openFairlead>[0]): Promise<Fairlead> => {
  const fairlead = await openFairlead(options)
  onTestFinished(fairlead.close)
  return fairlead
}
const importAll = async (fairlead: Fairlead, fields: string[]): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', fields, true), hourMs)
  return openList(fairlead, run.listId!)
}
const onCreate = { method: 'POST', kind: 'leads' }

test('R7: with the time-outs of production, a CRM that stores creates 40 s after ours makes one lead of each', async () => {
  const fairlead = await open({ leads: 100, contacts: 20 })
  await fairlead.connect()
  const lists = [await importAll(fairlead, ['Company']), await importAll(fairlead, ['Company'])]
  for (const list of lists) await list.settings({ enabled: true, addNew: true })
  const people = newPeople(300, 'late')
  await addAll(lists[0]!, people)
  await addAll(lists[1]!, people.toReversed())
  const { control } = fairlead.simulator
  control.addFault({ kind: 'lateWrite', ms: 70_000, answer: 'hang', times: 6, after: 10, match: onCreate })
  control.addFault({ kind: 'lateWrite', ms: 70_000, answer: 'drop', times: 20, after: 50, match: onCreate })
  const runs = await Promise.all(lists.map((list) => list.run('sync', hourMs)))
  await expectOneLeadEach(fairlead, lists, people)
  expect(createsAt(fairlead)).toBe(people.length)
  for (const run of runs) {
    expectGood(run)
  }
  expect(runs[0]!.counts!['push']!.created + runs[1]!.counts!['push']!.created).toBe(people.length)
})

test('R7: two lists push two thousand new people at once, over connections that drop and hang', async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '3000' }
  const fairlead = await open({ leads: 100, contacts: 20, environment })
  await fairlead.connect()
  const lists = [await importAll(fairlead, ['Company']), await importAll(fairlead, ['Company'])]
  for (const list of lists) await list.settings({ enabled: true, addNew: true })
  const people = newPeople(2000, 'both')
  await addAll(lists[0]!, people)
  await addAll(lists[1]!, people)
  const { control } = fairlead.simulator
  control.settings({ latencyMs: 10 })
  control.addFault({ kind: 'dropAfterWrite', times: 100, after: 100, match: onCreate })
  control.addFault({ kind: 'hangAfterWrite', times: 50, after: 400, match: onCreate })
  control.addFault({ kind: 'lateWrite', ms: 4000, answer: 'hang', times: 50, after: 800, match: onCreate })
  control.addFault({ kind: 'drop', times: 50, after: 1200, match: onCreate })
  const runs = await Promise.all(lists.map((list) => list.run('sync', hourMs)))
  await expectOneLeadEach(fairlead, lists, people)
  for (const run of runs) {
    expectGood(run)
  }
  expect(runs[0]!.counts!['push']!.created + runs[1]!.counts!['push']!.created).toBe(people.length)
})

test('R7: three thousand creates survive four SIGKILLs of the worker at random moments', async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '3000' }
  const fairlead = await open({ worker: false, leads: 100, contacts: 20, environment })
  await survivePushKills(fairlead, 3000, 4, 40)
})

test('R14: one ModifyDate on twenty thousand rows, behind the reader and in front of it, loses nobody', async () => {
  const fairlead = await open({ leads: 20_000, contacts: 20, maxPage: 500 })
  await fairlead.connect()
  const leads = await importAll(fairlead, ['Title'])
  const { control } = fairlead.simulator
  control.massUpdate({ entity: 'lead', values: { Title: 'All alike' } })
  const run = await leads.run('sync', hourMs)
  expect(run.counts!['pull']).toMatchObject({ read: 20_000, updated: 20_000 })
  const before = control.gauges().requests
  expect((await expectQuiet(fairlead, leads, 'lead')).counts!['pull']!.read).toBe(20_000)
  expect(control.gauges().requests - before).toBeLessThan(20_000 / 500 + 4 + 25)

  const halfway = [{ massUpdate: { entity: 'lead', values: { Title: 'Halfway' } } }]
  control.script({ afterRequests: 30, match: { kind: 'leads', method: 'GET' }, do: halfway })
  expect(await leads.run('sync', hourMs)).toMatchObject({ state: 'succeeded', error: null })
  expect(control.scripts()).toEqual([])
  await expectInStep(fairlead, leads, 'lead')

  control.settings({ clockOffsetMs: hourMs })
  const [first] = control.people({ entity: 'lead', count: 1 }).items
  control.edit({ entity: 'lead', id: first!.Id, values: { Title: 'Later' } })
  await expectInStep(fairlead, leads, 'lead')
  expect((await leads.run()).counts!['pull']).toMatchObject({ read: 1, unchanged: 1 })
})
