import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'

let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 200, contacts: 5 })
  await fairlead.connect()
  const fields = ['Title', 'Company', 'WorkPhone', 'Address/City']
  const run = await fairlead.finished(await fairlead.startImport('lead', fields))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'Address/City'] })
}, 60_000)
afterEach(() => {
  control().clearScripts()
  control().clearFaults()
})
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const onWrite = { method: 'PUT', kind: 'leads' }
const refused = (): number => control().gauges().byStatus[412] ?? 0

/** Forty records edited here, in the order in which they are pushed. */
const editForty = async (Title: string): Promise<Held[]> => {
  const records = (await leads.records()).filter(({ crmId }) => crmId !== null).slice(0, 40)
  await Promise.all(records.map(({ id }) => leads.edit(id, { Title })))
  return records
}
const edit = ({ crmId }: Held, values: Record<string, unknown>) => ({ edit: { entity: 'lead', id: crmId!, values } })
const recordOf = async ({ id }: Held): Promise<Held> => (await leads.records()).find((record) => record.id === id)!

test('R13: who is edited in the CRM between our read and our write keeps what was written there', async () => {
  const records = await editForty('From here')
  const [same, other, both, city] = [records[30]!, records[31]!, records[32]!, records[33]!]
  control().script({
    afterRequests: 5,
    match: onWrite,
    do: [
      edit(same, { Title: 'From the CRM' }),
      edit(other, { WorkPhone: '0301234567' }),
      edit(both, { Title: 'From the CRM', WorkPhone: '0307654321' }),
      edit(city, { Address: { City: 'Moved in the CRM' } }),
    ],
  })
  const before = refused()
  const run = await leads.run()
  expect(control().scripts()).toEqual([])
  expect(refused() - before).toBe(4)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 40, updated: 40, rejected: 0, conflicts: 2 })
  expect(sumsAgree(run)).toBe(true)
  expect(control().person('lead', same.crmId!)).toMatchObject({ Title: 'From the CRM' })
  expect(control().person('lead', other.crmId!)).toMatchObject({ Title: 'From here', WorkPhone: '0301234567' })
  expect(control().person('lead', both.crmId!)).toMatchObject({ Title: 'From the CRM', WorkPhone: '0307654321' })
  expect(control().person('lead', city.crmId!)).toMatchObject({
    Title: 'From here',
    Address: { City: 'Moved in the CRM' },
  })
  const lost = (await leads.entries(run.id)).find(({ recordId, phase }) => recordId === same.id && phase === 'push')
  expect(lost?.changes?.['Title'], 'the loser’s value is kept').toMatchObject({
    before: 'From here',
    after: 'From the CRM',
    conflict: 'crmWins',
  })
  expect(await recordOf(same)).toMatchObject({ values: { Title: 'From the CRM' }, agreed: {} })
  await expectQuiet(fairlead, leads, 'lead')
})

test('who is edited again and again while we write is left alone and tried by the next run', async () => {
  const records = await editForty('Tried again')
  const busy = records[20]!
  // its writes wait, so that the CRM’s people come first each time
  control().addFault({ kind: 'slow', ms: 400, match: { method: 'PUT', contains: busy.crmId! } })
  let turn = 0
  control().script({
    afterRequests: 1,
    repeat: true,
    match: { kind: 'leads' },
    do: [
      {
        edit: {
          entity: 'lead',
          id: busy.crmId!,
          get values() {
            return { WorkPhone: `030${(turn += 1)}` }
          },
        },
      },
    ],
  })
  const run = await leads.run()
  control().clearScripts()
  control().clearFaults()
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmChanged' } })
  expect(run.counts!['push']).toMatchObject({ read: 40, updated: 39, skipped: 1 })
  expect(sumsAgree(run)).toBe(true)
  expect((await recordOf(busy)).agreed).toHaveProperty('Title')
  expect(control().person('lead', busy.crmId!)).toMatchObject({ WorkPhone: `030${turn}` })

  const next = await expectInStep(fairlead, leads, 'lead')
  expect(next.counts!['push']).toMatchObject({ read: 1, updated: 1 })
  expect(control().person('lead', busy.crmId!)).toMatchObject({ Title: 'Tried again', WorkPhone: `030${turn}` })
})

test('R15: who is deleted in the CRM between our read and our write is marked, and never created again', async () => {
  const records = await editForty('Too late')
  const gone = records[35]!
  control().script({ afterRequests: 5, match: onWrite, do: [{ remove: { entity: 'lead', ids: [gone.crmId!] } }] })
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 39, updated: 39, deleted: 1, rejected: 0 })
  expect(await recordOf(gone)).toMatchObject({ state: 'deletedInCrm', crmId: gone.crmId })
  await expectQuiet(fairlead, leads, 'lead')
})

test('R16: edits of people who were merged in the CRM go to the survivor, in the same run', async () => {
  const values = { Email: 'merged@race.example', LastName: 'Merged', Company: 'One' }
  const [first, second, third] = control().add({ entity: 'lead', values, count: 3 }).ids
  await expectInStep(fairlead, leads, 'lead')
  const of = async (id: string | undefined) => (await leads.records()).find(({ crmId }) => crmId === id)!
  const survivor = await of(third)
  await leads.edit((await of(first)).id, { Title: 'Edited' })
  await leads.edit((await of(second)).id, { 'Address/City': 'Edited City' })
  control().merge({ entity: 'lead', survivorId: third!, loserIds: [first!, second!] })
  const { requests } = control().gauges()
  const run = await leads.run()
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 1, updated: 1, relinked: 2 })
  expect(sumsAgree(run)).toBe(true)
  expect(control().gauges().requests - requests).toBeLessThan(40)
  expect(control().person('lead', third!)).toMatchObject({ Title: 'Edited', Address: { City: 'Edited City' } })
  for (const id of [first, second]) expect(await of(id)).toMatchObject({ removed: true, mergedInto: survivor.id })
  await expectQuiet(fairlead, leads, 'lead')
})

test('R17: a record that is removed here while its create is repeated is not created', async () => {
  control().addFault({ kind: 'htmlError', status: 500, match: { method: 'POST', kind: 'leads' } })
  const id = await leads.create({ Email: 'removed@race.example', LastName: 'Removed', Company: 'None' })
  const before = control().gauges().writes
  const running = leads.run()
  await until('it was tried', async () => control().gauges().writes > before)
  await leads.remove(id)
  control().clearFaults()
  const run = await running
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 1, skipped: 1 })
  expect(control().people({ entity: 'lead', where: "Email eq 'removed@race.example'" }).total).toBe(0)
})

test('a record that is edited here while it is pushed keeps the later value, which goes out next', async () => {
  const records = await editForty('First')
  const twice = records[10]!
  const id = control().addFault({ kind: 'slow', ms: 1500, match: { method: 'PUT', contains: twice.crmId! } })
  const running = leads.run()
  const later = records[12]!.crmId!
  await until('its successors are written', async () => control().person('lead', later)!['Title'] === 'First')
  expect(control().person('lead', twice.crmId!)).not.toMatchObject({ Title: 'First' })
  await leads.edit(twice.id, { Title: 'Second' })
  const run = await running
  control().clearFaults(id)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(await recordOf(twice)).toMatchObject({ values: { Title: 'Second' }, agreed: { Title: { v: 'First' } } })
  expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ read: 1, updated: 1 })
  expect(control().person('lead', twice.crmId!)).toMatchObject({ Title: 'Second' })
})
