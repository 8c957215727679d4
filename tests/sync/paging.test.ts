import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { differences } from '../support/compare.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { openList, type TestList } from '../support/sync.ts'

const total = 3000
const pages = total / 200
let fairlead: Fairlead
let leads: TestList
let ids: string[]

beforeAll(async () => {
  fairlead = await openFairlead({ leads: total, contacts: 5, maxPage: 200 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Address/City']))
  leads = await openList(fairlead, run.listId!)
  ids = fairlead.simulator.control.people({ entity: 'lead', count: total, select: ['Id'] }).items.map(({ Id }) => Id)
}, 60_000)
afterEach(() => fairlead.simulator.control.clearScripts())
afterAll(() => fairlead.close())

const match = { kind: 'leads', method: 'GET' }
const requestsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const { control } = fairlead.simulator
  const before = control.gauges().requests
  await work()
  return control.gauges().requests - before
}
/** The CRM's clock goes on, so that what changed before lies further back than the overlap of two pulls. */
let minutes = 0
const later = (): void => {
  minutes += 20
  fairlead.simulator.control.settings({ clockOffsetMs: minutes * 60_000 })
}

test('R14: one ModifyDate on all rows, over many pages, loses nobody, and is not read for ever', async () => {
  const { control } = fairlead.simulator
  control.massUpdate({ entity: 'lead', values: { Title: 'All alike' } })
  const requests = await requestsOf(async () => {
    const run = await leads.run()
    expect(run.counts!['pull']).toMatchObject({ read: total, updated: total })
  })
  // pages, the empty one that ends each of four lanes, and what a sync asks before it reads
  expect(requests).toBeLessThan(pages + 4 + 25)
  expect(await differences(fairlead, leads.listId, 'lead')).toEqual([])
  const quiet = await expectQuiet(fairlead, leads, 'lead')
  expect(quiet.counts!['pull']!.read).toBe(total)

  // a change later than the overlap: from then on, only that is read
  later()
  control.edit({ entity: 'lead', id: ids[5]!, values: { Title: 'Later' } })
  await expectInStep(fairlead, leads, 'lead')
  let last = 0
  const few = await requestsOf(async () => {
    last = (await leads.run()).counts!['pull']!.read
  })
  expect(last).toBe(1)
  expect(few).toBeLessThan(25)
})

test('R14: rows that are changed behind the reader while it pages are taken by the next sync', async () => {
  const { control } = fairlead.simulator
  later()
  control.massUpdate({ entity: 'lead', values: { Title: 'Before' } })
  const edit = (id: string) => ({ edit: { entity: 'lead', id, values: { Title: 'Behind the reader' } } })
  const same = { entity: 'lead', ids: [ids[1]!], at: String(control.person('lead', ids[9]!)!['ModifyDate']) }
  // the first page of each lane has been read by then; one row moves behind the mark, one stays at it
  control.script({ afterRequests: 20, match, do: [edit(ids[0]!), edit(ids[1]!), { setModifyDate: same }] })
  const run = await leads.run()
  expect(control.scripts()).toEqual([])
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  const behind = (await differences(fairlead, leads.listId, 'lead')).filter((line) => line.includes(' Title: '))
  expect(behind.map((line) => line.split(' ')[0])).toEqual([ids[0], ids[1]])
  await expectInStep(fairlead, leads, 'lead')
})

test('R14: everybody changed at one moment in the middle of the read is in step after the next sync', async () => {
  const { control } = fairlead.simulator
  later()
  control.massUpdate({ entity: 'lead', values: { Title: 'Before' } })
  control.script({ afterRequests: 20, match, do: [{ massUpdate: { entity: 'lead', values: { Title: 'Halfway' } } }] })
  const run = await leads.run()
  expect(control.scripts()).toEqual([])
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  await expectInStep(fairlead, leads, 'lead')
})
