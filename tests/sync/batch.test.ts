import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectInStep } from '../support/quiet.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'

/** More than a page of a push, so that a batch is tried in the second. */
const edits = 560
let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 600, contacts: 5 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true, updateExisting: true, fields: ['Title'] })
}, 60_000)
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const editAll = async (Title: string): Promise<Held[]> => {
  const records = (await leads.records()).slice(0, edits)
  await Promise.all(records.map(({ id }) => leads.edit(id, { Title })))
  return records
}

test('R22, R13: a push by batches harms no neighbour of what is refused, and loses no edit of the CRM', async () => {
  await editAll('Tried')
  control().settings({ latencyMs: 25, batchItemMs: 1 })
  const tried = await leads.run()
  expect(tried).toMatchObject({ state: 'succeeded', counts: { push: { read: edits, updated: edits } } })
  expect(control().gauges().items, 'the CRM was found to be faster that way').toBeGreaterThan(20)
  await expectInStep(fairlead, leads, 'lead')

  const records = await editAll('In batches')
  const [refused, same, other, gone] = [100, 400, 420, 440].map((at) => records[at]!)
  control().addFault({ kind: 'forbidden', ids: [refused!.crmId!], match: { method: 'POST', contains: 'batch' } })
  control().addFault({ kind: 'forbidden', ids: [refused!.crmId!], match: { method: 'PUT' } })
  control().script({
    afterRequests: 3,
    match: { method: 'POST', kind: 'leads' },
    do: [
      { edit: { entity: 'lead', id: same!.crmId!, values: { Title: 'From the CRM' } } },
      { edit: { entity: 'lead', id: other!.crmId!, values: { WorkPhone: '0301' } } },
      { remove: { entity: 'lead', ids: [gone!.crmId!] } },
    ],
  })
  const before = control().gauges()
  const run = await leads.run()
  expect(control().scripts()).toEqual([])
  expect(control().gauges().items - before.items).toBeGreaterThan(edits - 50)
  expect(control().gauges().writes - before.writes).toBeLessThan(edits / 10)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({
    read: edits - 1,
    updated: edits - 2,
    rejected: 1,
    deleted: 1,
    conflicts: 1,
  })
  expect(sumsAgree(run)).toBe(true)
  expect((await leads.entries(run.id)).find(({ kind }) => kind === 'rejected')).toMatchObject({
    code: 'noRight',
    crmId: refused!.crmId,
  })
  expect(control().person('lead', same!.crmId!)).toMatchObject({ Title: 'From the CRM' })
  expect(control().person('lead', other!.crmId!)).toMatchObject({ Title: 'In batches', WorkPhone: '0301' })
  control().clearFaults()
  expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ read: 1, updated: 1 })
}, 90_000)
