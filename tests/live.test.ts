import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import * as sweeps from '../src/db/sweep.ts'
import type { Run } from '../src/db/run/state.ts'
import { differences } from './support/compare.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'

const leads = 2400
let fairlead: Fairlead
beforeAll(async () => {
  fairlead = await openFairlead({ leads, contacts: 1, maxPage: 100 })
  await fairlead.connect()
}, 60_000)
afterEach(() => fairlead.simulator.control.clearScripts())
afterAll(() => fairlead.close())

const match = { kind: 'leads', method: 'GET' }
const keysOf = (): string[] =>
  fairlead.simulator.control.people({ entity: 'lead', count: 100_000, select: ['Id'] }).items.map(({ Id }) => Id)
const importAll = async (): Promise<Run> =>
  fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title'], true))
const idsOf = async (run: Run, code: string): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ crm_id: string }[]>`
    select crm_id from entries where last_run_id = ${run.id} and code = ${code} order by crm_id`
  return rows.map(({ crm_id }) => crm_id)
}
/** Works in the CRM after every few pages, as long as the import reads. */
const whileReading = (afterRequests: number, action: Parameters<typeof fairlead.simulator.control.script>[0]['do']) =>
  fairlead.simulator.control.script({ afterRequests, repeat: true, match, do: action })

test('people added while the import reads are listed id by id, and whoever came after the comparison is found by the next sweep', async () => {
  const before = new Set(keysOf())
  whileReading(5, [{ add: { entity: 'lead', count: 3 } }])
  const run = await importAll()
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0 } })
  fairlead.simulator.control.clearScripts()
  const added = keysOf().filter((id) => !before.has(id))
  const late = (await differences(fairlead, run.listId!, 'lead')).map(
    (line) => /^(\S+) is missing here$/.exec(line)?.[1] ?? line,
  )
  for (const id of late) expect(added).toContain(id)
  expect(run.balance!.crmTotal).toBe(before.size + added.length - late.length)
  const behind = await idsOf(run, 'addedDuring')
  expect(behind.length).toBeGreaterThan(0)
  expect(run.counts!['sweep']!.created).toBe(behind.length)
  for (const id of behind) expect(added).toContain(id)
  expect(await idsOf(run, 'foundBySweep')).toEqual([])

  const { runId } = await sweeps.request(fairlead.db, fairlead.accountId, run.listId!)
  const sweep = await fairlead.finished(runId)
  expect(sweep).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0 } })
  expect(sweep.counts!['sweep']!.created).toBe(late.length)
  expect(await differences(fairlead, run.listId!, 'lead')).toEqual([])
})

test('people deleted while the import reads are marked or named, and the ledger balances', async () => {
  const before = keysOf()
  whileReading(4, [{ remove: { entity: 'lead', random: 2 } }])
  const run = await importAll()
  fairlead.simulator.control.clearScripts()
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0 } })
  const after = new Set(keysOf())
  const gone = before.filter((id) => !after.has(id))
  expect(gone.length).toBeGreaterThan(10)
  const explained = new Set([...(await idsOf(run, 'deletedInCrm')), ...(await idsOf(run, 'goneDuring'))])
  for (const id of explained) expect(gone).toContain(id)
  const extra = (await differences(fairlead, run.listId!, 'lead')).map(
    (line) => /^(\S+) is not in the CRM$/.exec(line)?.[1],
  )
  for (const id of extra) expect(gone).toContain(id)
  const [held] = await fairlead.db.$client<[{ n: number }]>`
    select count(*)::int as n from records where list_id = ${run.listId}`
  // each one that went was never read, or was read and is marked, or went after its place was compared
  const unread = gone.length - (await idsOf(run, 'deletedInCrm')).length - extra.length
  expect(held.n).toBe(before.length - unread)
})

test('a value changed behind the reader lies after the mark, so that the next pull finds it (R14)', async () => {
  const [first] = keysOf()
  fairlead.simulator.control.script({
    // late enough for the slowest of the lanes to have read its first page
    afterRequests: 26,
    match,
    do: [{ edit: { entity: 'lead', id: first!, values: { Title: 'Changed behind the reader' } } }],
  })
  const run = await importAll()
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  expect(await differences(fairlead, run.listId!, 'lead')).toEqual([
    expect.stringMatching(`^${first} ModifyDate: `),
    expect.stringMatching(`^${first} Title: .* instead of "Changed behind the reader"$`),
  ])
  const [list] = await fairlead.db.$client<[{ mark: string }]>`select mark from lists where id = ${run.listId}`
  const { ModifyDate } = fairlead.simulator.control.person('lead', first!)!
  expect(new Date(list.mark).getTime()).toBeLessThan(new Date(ModifyDate as string).getTime())
})

test('one ModifyDate over everybody in the middle of the read loses nobody', async () => {
  fairlead.simulator.control.script({
    afterRequests: 10,
    match,
    do: [{ massUpdate: { entity: 'lead', values: { Title: 'All alike' } } }],
  })
  const run = await importAll()
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, difference: 0 } })
  const stale = (await differences(fairlead, run.listId!, 'lead')).filter((line) => !/ (ModifyDate|Title): /.test(line))
  expect(stale).toEqual([])
})
