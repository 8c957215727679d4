import { afterAll, beforeAll, expect, test } from 'vitest'
import type * as runs from '../src/db/run/state.ts'
import * as sweeps from '../src/db/sweep.ts'
import { lockPeople } from '../src/db/sync/rows.ts'
import type { CrmEntity } from '../src/domain/crm.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'
import { takenOver } from './support/takenOver.ts'

/** People whom somebody has taken over, as another list has found out; whoever took them over is gone, hidden or broken. */
const hiddenOwner = 'FHIDDEN00001'
const lists = { lead: '', contact: '' }
let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 600, contacts: 600, maxPage: 200 })
  fairlead.simulator.control.setUser({ username: 'admin', hiddenOwners: [hiddenOwner] })
  await fairlead.connect()
  for (const entity of ['lead', 'contact'] as const) {
    const run = await fairlead.finished(await fairlead.startImport(entity))
    expect(run.state).toBe('succeeded')
    lists[entity] = run.listId!
  }
}, 60_000)
afterAll(() => fairlead.close())

const request = (entity: CrmEntity) => sweeps.request(fairlead.db, fairlead.accountId, lists[entity])
const sweep = async (entity: CrmEntity): Promise<runs.Run> => fairlead.finished((await request(entity)).runId)
const some = async (entity: CrmEntity, count: number): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ id: string }[]>`
    select r.crm_id as id from records r where list_id = ${lists[entity]} and crm_entity = ${entity} and removed_at is null
      and not exists (select from crm_people p where p.crm_id = r.crm_id or p.successor_id = r.crm_id) order by r.crm_id limit ${count}`
  return rows.map(({ id }) => id)
}
const taken = (id: string, state: 'merged' | 'converted', to: string, sql = fairlead.db.$client) =>
  takenOver(sql, lists.contact, { entity: state === 'merged' ? 'contact' : 'lead', id }, to)
const markOf = async (id: string) => {
  const [mark] = await fairlead.db.$client<{ state: string; heir: string | null }[]>`
    select state, successor_id as heir from crm_people where crm_id = ${id}`
  return mark
}
const entriesOf = (run: runs.Run) =>
  fairlead.db.$client<{ kind: string; code: string; id: string }[]>`
    select kind, code, crm_id as id from entries where last_run_id = ${run.id} order by id`
const remove = (entity: CrmEntity, ids: string[]) => fairlead.simulator.control.remove({ entity, ids })
const show = (ids: string[], seen: boolean) =>
  fairlead.simulator.control.massUpdate({
    entity: 'contact',
    ids,
    values: { Owner: seen ? 'SYST00000001' : hiddenOwner },
  })
const green = { state: 'succeeded', error: null, balance: { balanced: true, difference: 0, missing: 0, extra: 0 } }

test('R16: a record goes to the end of a chain of people who took each other over', async () => {
  const chain = await some('contact', 9)
  for (const [at, id] of chain.slice(0, -1).entries()) await taken(id, 'merged', chain[at + 1]!)
  remove('contact', chain.slice(0, -1))
  const run = await sweep('contact')
  expect(run).toMatchObject({ ...green, counts: { sweep: { deleted: 0, relinked: 8 } } })
  expect(await markOf(chain[0]!)).toEqual({ state: 'merged', heir: chain.at(-1) })
})

test('R16: a circle of people who took each other over, and are gone, ends', async () => {
  const [first, second] = (await some('contact', 2)) as [string, string]
  await taken(first, 'merged', second)
  await taken(second, 'merged', first)
  remove('contact', [first, second])
  expect(await sweep('contact')).toMatchObject({ ...green, counts: { sweep: { deleted: 2 } } })
  expect([await markOf(first), await markOf(second)]).toEqual([1, 2].map(() => ({ state: 'deletedInCrm', heir: null })))
})

test('R16, R22: nobody is taken to be deleted because the CRM cannot deliver whoever took them over', async () => {
  const [gone, heir] = (await some('contact', 2)) as [string, string]
  await taken(gone, 'merged', heir)
  remove('contact', [gone])
  const fault = fairlead.simulator.control.addFault({ kind: 'poison', ids: [heir] })
  const run = await sweep('contact')
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' }, balance: { balanced: true } })
  expect(await entriesOf(run)).toEqual([{ kind: 'rejected', code: 'crmFailed', id: gone }])
  expect(await markOf(gone)).toEqual({ state: 'merged', heir })
  fairlead.simulator.control.clearFaults(fault)
  expect(await sweep('contact')).toMatchObject({ ...green, counts: { sweep: { relinked: 1 } } })
})

test.each([
  ['marked as deleted', 0],
  ['put to a person', 2],
])('R16: what another list finds out while somebody is about to be %s stays', async (_, candidates) => {
  const { control } = fairlead.simulator
  const [gone, heir] = (await some('contact', 2)) as [string, string]
  const sql = fairlead.db.$client
  const { Email, FirstName, LastName } = control.person('contact', gone)!
  for (let n = 0; n < candidates; n += 1) control.add({ entity: 'contact', values: { Email, FirstName, LastName } })
  remove('contact', [gone])
  const [{ connectionId }] = await sql<[{ connectionId: string }]>`
    select connection_id::text as "connectionId" from lists where id = ${lists.contact}`
  const { runId } = await request('contact')
  await sql.begin(async (tx) => {
    const other = tx as unknown as typeof sql
    await lockPeople(other, connectionId)
    await fairlead.wiring.relay()
    await until('the sweep waits', async () => {
      const [waits] = await sql`select from pg_locks where locktype = 'advisory' and not granted`
      return waits !== undefined
    })
    await taken(gone, 'merged', heir, other)
  })
  expect(await fairlead.finished(runId)).toMatchObject({ ...green, counts: { sweep: { deleted: 0, relinked: 1 } } })
  expect(await markOf(gone)).toEqual({ state: 'merged', heir })
})

test('R15, R16: people whose successors go from sight count as gone, those whose successors are there do not', async () => {
  const leads = await some('lead', 100)
  const contacts = await some('contact', 100)
  for (const [at, id] of leads.entries()) await taken(id, 'converted', contacts[at]!)
  remove('lead', leads)
  show(contacts, false)
  const held = await sweep('lead')
  expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 100 } })
  expect(await markOf(leads[0]!)).toEqual({ state: 'converted', heir: contacts[0] })
  show(contacts, true)
  expect(await sweep('lead')).toMatchObject({ ...green, counts: { sweep: { deleted: 0, relinked: 100 } } })
})
