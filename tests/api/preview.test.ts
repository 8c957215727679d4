import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRun } from './rows.ts'

let api: TestApi
let connectionId: string
beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())

const freshList = (name: string) =>
  addList(api.db, api.account.id, { connectionId, name, columns: { c8: ['Title', 'text', 'Title'] } })
const start = (listId: string, body: Record<string, unknown>, headers: Record<string, string> = {}) =>
  api.call('POST', `/v1/lists/${listId}/runs`, { body, headers })
const ended = (listId: string, values: Partial<typeof t.runs.$inferInsert> = {}): Promise<string> =>
  addRun(api.db, api.account.id, {
    kind: 'preview',
    listId,
    connectionId,
    entity: 'lead',
    finishedAt: new Date(),
    ...values,
  })

test('S8, R19: one preview of a list at a time, beside its sync; a list’s last run is no preview', async () => {
  const listId = await freshList('beside')
  const sync = await start(listId, {})
  const first = await start(listId, { preview: true })
  expect(first).toMatchObject({ status: 202, body: { kind: 'preview', state: 'queued', list: { id: listId } } })
  expect(first.body.workflowId).toBe(`preview:${first.body.id}`)
  expect(await start(listId, { preview: true })).toMatchObject({ status: 200, body: { id: first.body.id } })
  expect(await start(listId, {})).toMatchObject({ status: 200, body: { id: sync.body.id } })
  const waiting = await api.db.select().from(t.outbox).where(eq(t.outbox.workflowId, first.body.workflowId))
  expect(waiting).toHaveLength(1)
  expect((await api.call('GET', `/v1/lists/${listId}`)).body.lastRun).toMatchObject({ id: sync.body.id })
})

test('S8: a run says by which one it goes; asked twice at the same moment it is one, and it is run once', async () => {
  const listId = await freshList('applied')
  const previewId = await ended(listId)
  const [one, two] = await Promise.all([start(listId, { previewId }), start(listId, { previewId })])
  expect(new Set([one.status, two.status])).toEqual(new Set([200, 202]))
  expect(one.body).toMatchObject({ id: two.body.id, kind: 'sync', source: { runId: previewId, as: 'preview' } })
  const noted = await api.db.select().from(t.audit).where(eq(t.audit.targetId, previewId))
  expect(noted).toMatchObject([{ action: 'preview.apply', details: { runId: one.body.id } }])
  const end = (state: 'failed' | 'succeeded') =>
    api.db.update(t.runs).set({ state, finishedAt: new Date() }).where(eq(t.runs.id, one.body.id))
  await end('succeeded')
  expect(await start(listId, { previewId })).toMatchObject({ status: 409, body: { code: 'previewApplied' } })
  await end('failed')
  expect((await start(listId, { previewId })).status).toBe(202)
})

test('S8: what cannot be run says why', async () => {
  const listId = await freshList('refused')
  const code = async (body: Record<string, unknown>) => (await start(listId, body)).body.code
  const dayMs = 86_400_000
  expect(await code({ previewId: await ended(await freshList('another')) })).toBe('notAPreview')
  expect(await code({ previewId: await ended(listId, { kind: 'sync' }) })).toBe('notAPreview')
  expect(await code({ previewId: await ended(listId, { state: 'running', finishedAt: null }) })).toBe('previewNotReady')
  expect(await code({ previewId: await ended(listId, { state: 'cancelled' }) })).toBe('previewNotReady')
  const old = await ended(listId, { finishedAt: new Date(Date.now() - 7 * dayMs - 60_000) })
  expect(await code({ previewId: old })).toBe('previewExpired')
  const theirs = await addRun(api.db, api.stranger.id, { kind: 'preview', finishedAt: new Date() })
  expect(await start(listId, { previewId: theirs })).toMatchObject({ status: 404, body: { code: 'notFound' } })
  for (const more of [{ sweep: true }, { verify: true }, { preview: true }])
    expect(await start(listId, { previewId: old, ...more })).toMatchObject({
      status: 422,
      body: { code: 'invalidInput' },
    })
  expect(await code({ preview: true, sweep: true })).toBe('invalidInput')
  expect(await code({ preview: false })).toBe('invalidInput')
})

test('S8: its entries are listed by kind, with every value of who would come; those of the list are what was done', async () => {
  const listId = await freshList('entries')
  const [before, runId, after] = [
    await ended(listId, { kind: 'sync' }),
    await ended(listId),
    await ended(listId, { kind: 'sync' }),
  ]
  const entry = { accountId: api.account.id, listId, phase: 'pull', crmEntity: 'lead' as const }
  await api.db.insert(t.entries).values([
    {
      ...entry,
      firstRunId: runId,
      lastRunId: runId,
      kind: 'created',
      crmId: 'LNEW',
      changes: { c8: { after: 'Boss' } },
    },
    { ...entry, firstRunId: before, lastRunId: after, kind: 'skipped', code: 'notAdded', crmId: 'LSKIP', times: 2 },
  ])
  const items = async (path: string) => (await api.call('GET', path)).body.items
  const own = await items(`/v1/runs/${runId}/entries`)
  expect(own).toMatchObject([
    { kind: 'created', crm: { id: 'LNEW' }, recordId: null, changes: { Title: { after: 'Boss' } } },
  ])
  expect(await items(`/v1/runs/${runId}/entries?kind=created`)).toEqual(own)
  const { body: all } = await api.call('POST', `/v1/lists/${listId}/entries/search`, { body: {} })
  expect(all.items).toMatchObject([{ crm: { id: 'LSKIP' } }])
})
