import { afterAll, beforeAll, expect, test } from 'vitest'
import { hashKeyOf } from '../src/db/emailKey.ts'
import * as imports from '../src/db/import.ts'
import * as lanes from '../src/db/lane.ts'
import { balanceOf } from '../src/db/run/balance.ts'
import * as runs from '../src/db/run/state.ts'
import { storeKeys } from '../src/db/sweep/compare.ts'
import { warn } from '../src/db/run/warning.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'

let fairlead: Fairlead
let run: runs.Run
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 10, contacts: 10, worker: false })
  const { db, accountId } = fairlead
  await db.$client`insert into connections (account_id, state, url, username, secret) values (${accountId}, 'connected', 'u', 'n', 's')`
  const { runId } = await imports.request(db, accountId, { entity: 'lead', fields: [], newList: true })
  await runs.run(db, runId)
  run = await runs.get(db, accountId, runId)
}, 60_000)
afterAll(() => fairlead.close())

const of = () => ({ accountId: fairlead.accountId, runId: run.id, phase: 'pull' as const })
const open = { after: null, upTo: null }

test('R14: two attempts that plan at once agree on the lanes and the mark of the first', async () => {
  const { db, accountId } = fairlead
  const early = new Date('2026-11-23T10:00:00Z')
  const plans = await Promise.all([
    lanes.plan(db, of(), {
      ranges: [
        { after: null, upTo: 'M' },
        { after: 'M', upTo: null },
      ],
      fixed: { mark: early, total: 7, crmUserId: null },
    }),
    lanes.plan(db, of(), {
      ranges: [
        { after: null, upTo: 'M' },
        { after: 'M', upTo: null },
      ],
      fixed: { mark: early, total: 7, crmUserId: null },
    }),
  ])
  expect(plans).toEqual([
    [0, 1],
    [0, 1],
  ])
  const late = { mark: new Date('2026-11-24T10:00:00Z'), total: 9, crmUserId: null }
  expect(await lanes.plan(db, of(), { ranges: [open], fixed: late })).toEqual([0, 1])
  expect(await runs.get(db, accountId, run.id)).toMatchObject({ mark: early, total: 7 })
  expect((await lanes.all(db, run.id, 'pull')).map(({ upToKey }) => upToKey)).toEqual(['M', null])
})

test('an attempt that was overtaken commits nothing', async () => {
  const { db, accountId } = fairlead
  const old = await lanes.claim(db, accountId, run.id, 'pull', 0)
  const young = await lanes.claim(db, accountId, run.id, 'pull', 0)
  const step = { cursor: 'A', done: false, counts: { ...lanes.noLaneCounts(), read: 1, created: 1 } }
  const key = { runId: run.id, phase: 'pull' as const, lane: 0 }
  await expect(lanes.advance(db.$client, { ...key, attempt: old.attempt }, step)).rejects.toMatchObject({
    code: 'leaseLost',
  })
  expect(await lanes.advance(db.$client, { ...key, attempt: young.attempt }, step)).toEqual({ cancelRequested: false })
  expect((await lanes.all(db, run.id, 'pull'))[0]).toMatchObject({ cursor: 'A', read: 1, created: 1 })
})

test('R24: warnings of one code and field are one with their count, and a missing field makes its column stale', async () => {
  const { db, accountId } = fairlead
  const target = { runId: run.id, listId: run.listId! }
  const before = (await runs.get(db, accountId, run.id)).warnings
  const missing = { code: 'fieldMissing' as const, field: 'FirstName' }
  await Promise.all(
    [2, 3, 5].map((count) =>
      warn(db, target, [
        { ...missing, count },
        { code: 'shortPages', count: 1 },
      ]),
    ),
  )
  await warn(db, target, [{ code: 'fieldAbsent', field: 'LastName', count: 1 }])
  const { warnings } = await runs.get(db, accountId, run.id)
  expect(warnings.slice(before.length)).toMatchObject([
    { code: 'fieldMissing', field: 'FirstName', count: 10 },
    { code: 'shortPages', count: 3 },
    { code: 'fieldAbsent', field: 'LastName', count: 1 },
  ])
  const stale = await db.$client<{ field: string }[]>`
    select crm_field as field from columns where list_id = ${run.listId} and stale_at is not null`
  expect(stale).toEqual([{ field: 'FirstName' }])
})

test('pages of several lanes that carry warnings are stored side by side', async () => {
  const { db, accountId } = fairlead
  const ranges = Array.from({ length: 4 }, () => open)
  const numbers = await lanes.plan(db, { ...of(), phase: 'sweep' }, { ranges })
  const warnings = [{ code: 'wrongTotal' as const, count: 1 }]
  const hashKey = await hashKeyOf(db, fairlead.wiring.secrets, accountId)
  const target = { accountId, entity: 'lead' as const, hashKey, erased: null }
  await Promise.all(
    numbers.map(async (lane) => {
      const { attempt } = await lanes.claim(db, accountId, run.id, 'sweep', lane)
      const key = { runId: run.id, phase: 'sweep' as const, lane, attempt }
      for (let page = 0; page < 25; page += 1) {
        const keys = { rows: [`${lane}.${page}`], next: 'Z', unreadable: [], warnings }
        await storeKeys(db, { ...target, listId: run.listId! }, key, keys, page)
      }
    }),
  )
  const stored = await runs.get(db, accountId, run.id)
  expect(stored.warnings).toContainEqual(expect.objectContaining({ code: 'wrongTotal', count: 100 }))
})

test('section 4: once the ledger is drawn up, no attempt stores anything and none begins', async () => {
  const { db, accountId } = fairlead
  const { attempt } = await lanes.claim(db, accountId, run.id, 'pull', 1)
  await lanes.close(db, run.id)
  const step = { cursor: 'B', done: false, counts: lanes.noLaneCounts() }
  const key = { runId: run.id, phase: 'pull' as const, lane: 1, attempt }
  await expect(lanes.advance(db.$client, key, step)).rejects.toMatchObject({ code: 'leaseLost' })
  await expect(lanes.claim(db, accountId, run.id, 'pull', 1)).rejects.toMatchObject({ code: 'runFinished' })
})

test('the ledger is drawn up once, and the keys that were compared go with it', async () => {
  const { db, accountId } = fairlead
  expect(await db.$client`select from swept_keys where run_id = ${run.id}`).toHaveLength(100)
  const { counts, balance } = await balanceOf(db, run)
  // one record was counted that nobody stored
  expect(balance).toMatchObject({
    balanced: false,
    checks: expect.arrayContaining([expect.objectContaining({ left: 1, right: 0 })]),
  })
  const ending = { counts, balance, error: null, recordsAdded: 3, mark: null, swept: null, widenedAt: null }
  await runs.finish(db, run, { ...ending, state: 'incomplete' })
  await runs.finish(db, run, { ...ending, state: 'succeeded', recordsAdded: 9 })
  expect(await runs.get(db, accountId, run.id)).toMatchObject({ state: 'incomplete' })
  const [list] = await db.$client<[{ n: number }]>`select record_count as n from lists where id = ${run.listId}`
  expect(list.n).toBe(3)
  expect(await db.$client`select from swept_keys where run_id = ${run.id}`).toHaveLength(0)
})
