import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import * as lanes from '../../src/db/lane.ts'
import * as lists from '../../src/db/list.ts'
import * as runs from '../../src/db/run/state.ts'
import * as t from '../../src/db/schema.ts'
import { chooseMembers } from '../../src/db/sync/member.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords } from './rows.ts'

let api: TestApi
let connectionId: string
let listId: string
let segmentId: string
let plainId: string
let plainSegment: string

const filter = { column: 'Job', operator: 'is', value: 'CEO' }
const made = async (list: string, name: string): Promise<string> =>
  (await api.call('POST', `/v1/lists/${list}/segments`, { body: { name, filter } })).body.id

beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
  listId = await addList(api.db, api.account.id, { connectionId, columns: { c8: ['Job', 'text', 'Title'] } })
  segmentId = await made(listId, 'Bosses')
  const columns = [{ name: 'Job', type: 'text' }]
  plainId = (await api.call('POST', '/v1/lists', { body: { name: 'Fair', columns } })).body.id
  plainSegment = await made(plainId, 'Plain bosses')
})
afterAll(() => api.close())

const noPull = { enabled: false, addNew: false, updateExisting: false, excludedFields: [] }
const nothing = {
  enabled: false,
  addNew: false,
  updateExisting: false,
  fields: [],
  clearFields: [],
  newLeadDefaults: {},
}
const settings = (id = segmentId) => api.call('GET', `/v1/segments/${id}/sync`)
const put = (body: object, id = segmentId) => api.call('PUT', `/v1/segments/${id}/sync`, { body })
const start = (path: string, body: object = {}) => api.call('POST', `/v1/${path}/runs`, { body })
const end = (runId: string) =>
  api.db.update(t.runs).set({ state: 'succeeded', finishedAt: new Date() }).where(eq(t.runs.id, runId))

describe('P2: what a segment pushes', () => {
  test('S6: is nothing until it is saved, as a whole, for the version that was read', async () => {
    const usual = { version: 0, push: nothing, pull: noPull, addColumns: [], schedule: null, warnings: [] }
    expect((await settings()).body).toEqual(usual)
    const push = { ...nothing, enabled: true, updateExisting: true, fields: ['title'] }
    const saved = await put({ version: 0, push, pull: noPull })
    expect(saved).toMatchObject({
      status: 200,
      body: { version: 1, push: { ...push, fields: ['Title'] }, pull: noPull },
    })
    expect((await settings()).body).toEqual(saved.body)
    // neither those of its list nor those of another segment
    expect((await api.call('GET', `/v1/lists/${listId}/sync`)).body).toMatchObject({ version: 0, push: nothing })
    expect((await settings(plainSegment)).body).toMatchObject({ version: 0, push: nothing })
    expect(await put({ version: 0, push, pull: noPull })).toMatchObject({
      status: 409,
      body: { code: 'conflict', version: 1 },
    })
    const { body } = await api.call('GET', '/v1/audit')
    expect(body.items[0]).toMatchObject({ action: 'sync.update', targetId: segmentId })
  })

  test('never includes a pull', async () => {
    for (const id of [segmentId, plainSegment]) {
      const refused = await put({ version: 0, push: nothing, pull: { ...noPull, enabled: true } }, id)
      expect(refused.body).toMatchObject({
        status: expect.any(Number),
        code: id === segmentId ? 'conflict' : 'pullNotPossible',
      })
    }
    const pulling = await put({ version: 1, push: nothing, pull: { ...noPull, enabled: true } })
    expect(pulling.body).toMatchObject({ status: 422, code: 'pullNotPossible', errors: [{ path: 'pull.enabled' }] })
  })

  test('R36: is not seen by others', async () => {
    const key = api.stranger.keys.admin
    for (const [method, rest] of [
      ['GET', 'sync'],
      ['GET', 'runs'],
      ['POST', 'runs'],
    ] as const)
      expect((await api.call(method, `/v1/segments/${segmentId}/${rest}`, { key })).status).toBe(404)
  })
})

describe('runs', () => {
  test('R19: a segment’s run takes its list’s place, and is among the runs of both', async () => {
    const started = await start(`segments/${segmentId}`)
    expect(started).toMatchObject({
      status: 202,
      body: {
        kind: 'sync',
        list: { id: listId },
        segment: { id: segmentId, name: 'Bosses', version: null, members: null },
      },
    })
    const { id } = started.body
    expect(await start(`lists/${listId}`)).toMatchObject({ status: 200, body: { id } })
    for (const path of [`segments/${segmentId}/runs`, `lists/${listId}/runs`, `runs?segmentId=${segmentId}`])
      expect((await api.call('GET', `/v1/${path}`)).body.items).toMatchObject([{ id, segment: { id: segmentId } }])
    expect((await api.call('GET', `/v1/segments/${plainSegment}/runs`)).body.items).toEqual([])

    // previews go beside it, one of the list and one of each segment
    const [ofList, ofSegment] = [
      await start(`lists/${listId}`, { preview: true }),
      await start(`segments/${segmentId}`, { preview: true }),
    ]
    expect([ofList!.status, ofSegment!.status, ofList!.body.segment]).toEqual([202, 202, null])
    expect(await start(`segments/${segmentId}`, { preview: true })).toMatchObject({
      status: 200,
      body: { id: ofSegment!.body.id },
    })

    for (const each of [id, ofList!.body.id, ofSegment!.body.id]) await end(each)
    const other = await start(`lists/${listId}`, { previewId: ofSegment!.body.id })
    expect(other.body).toMatchObject({ code: 'notAPreview' })
    const applied = await start(`segments/${segmentId}`, { previewId: ofSegment!.body.id })
    expect(applied).toMatchObject({ status: 202, body: { segment: { id: segmentId }, source: { as: 'preview' } } })
    await end(applied.body.id)
  })

  test('of a plain list and of a segment can be no sweep and no verification', async () => {
    for (const path of [`segments/${segmentId}`, `segments/${plainSegment}`, `lists/${plainId}`])
      for (const asked of [{ sweep: true }, { verify: true }])
        expect((await start(path, asked)).body).toMatchObject({ status: 422, code: 'pullNotPossible' })
  })

  test('P1: a plain list belongs to the CRM that it was pushed to, once somebody on it is linked', async () => {
    const first = await start(`lists/${plainId}`)
    expect(first.status).toBe(202)
    // as the run does when it begins
    await lists.bindTo(api.db, plainId, connectionId)
    await end(first.body.id)

    await api.db.update(t.connections).set({ active: false }).where(eq(t.connections.id, connectionId))
    const other = await addConnection(api.db, api.account.id, { url: 'https://other.example.com/sdata' })
    const second = await start(`segments/${plainSegment}`)
    expect(second.status).toBe(202)
    await lists.bindTo(api.db, plainId, other)
    await end(second.body.id)
    await addRecords(api.db, api.secrets, api.account.id, plainId, [
      { fields: { c1: 'a@b.c' }, crmEntity: 'lead', crmId: 'L1' },
    ])
    await api.db.update(t.connections).set({ active: false }).where(eq(t.connections.id, other))
    await api.db.update(t.connections).set({ active: true }).where(eq(t.connections.id, connectionId))
    expect((await start(`lists/${plainId}`)).body).toMatchObject({
      status: 409,
      code: 'conflict',
      detail: expect.stringContaining('linked to the CRM that it was pushed to before'),
    })
  })

  test('R18: of a segment that is removed stops', async () => {
    const gone = await made(listId, 'Gone soon')
    const { body } = await start(`segments/${gone}`)
    expect((await api.call('DELETE', `/v1/segments/${gone}`)).status).toBe(200)
    const [run] = await api.db.select().from(t.runs).where(eq(t.runs.id, body.id))
    expect(run!.cancelRequestedAt).not.toBeNull()
    expect((await api.call('GET', `/v1/segments/${gone}/runs`)).body.items).toHaveLength(1)
    for (const path of ['sync', 'runs'])
      expect((await api.call(path === 'sync' ? 'GET' : 'POST', `/v1/segments/${gone}/${path}`)).status).toBe(404)
    await end(body.id)
  })

  test('an attempt that is repeated finds the members of the first one', async () => {
    const { db, secrets } = api
    const [one, two] = await addRecords(db, secrets, api.account.id, listId, [
      { fields: { c8: 'CEO' } },
      { fields: { c8: 'CFO' } },
      { fields: { c8: 'CEO' }, crmEntity: 'lead', crmId: 'L2' },
    ])
    const { body } = await start(`segments/${segmentId}`)
    const run = await runs.get(db, api.account.id, body.id)
    const begin = () =>
      lanes.plan(
        db,
        { accountId: run.accountId, runId: run.id, phase: 'pull' },
        { ranges: [], fixed: { settings: {} }, choose: (tx) => chooseMembers(tx, secrets, run) },
      )
    await Promise.all([begin(), begin()])
    await db.$client`update records set fields = '{"c8": "CEO"}' where id = ${two!}`
    await begin()
    expect(await db.$client`select record_id from run_members where run_id = ${run.id}`).toEqual([{ record_id: one }])
    const shown = { id: segmentId, name: 'Bosses', version: 1, members: 1 }
    expect((await api.call('GET', `/v1/runs/${run.id}`)).body.segment).toEqual(shown)
  })

  test('start and begin while somebody changes list or segment, who in turn waits for the account', async () => {
    const columns = [{ name: 'Job', type: 'text' }]
    const list = await api.call('POST', '/v1/lists', { body: { name: 'Busy', columns } })
    const busy = await made(list.body.id, 'Busy bosses')
    await api.db.transaction(async (tx) => {
      await tx.execute(sql`select from lists where id = ${list.body.id} for no key update`)
      await tx.update(t.segments).set({ updatedAt: new Date() }).where(eq(t.segments.id, busy))
      for (const path of [`lists/${list.body.id}`, `segments/${busy}`]) {
        const { status, body } = await start(path)
        expect(status).toBe(202)
        await end(body.id)
      }
    })
    // however many begin at once: none needs a second connection for its transaction
    const db = openDatabase(api.url, { max: 1 })
    const run = await runs.get(db, api.account.id, (await start(`segments/${busy}`)).body.id)
    const chosen = await db.transaction((tx) => chooseMembers(tx, api.secrets, run))
    expect(chosen).toMatchObject({ id: busy, members: 0 })
    await db.$client.end()
    await end(run.id)
  })
})
