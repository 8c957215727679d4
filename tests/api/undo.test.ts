import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import type { RunKind, RunState } from '../../src/domain/run.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
let connectionId: string
let listId: string
beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())

let made = 0
beforeEach(async () => {
  listId = await addList(api.db, api.account.id, {
    connectionId,
    name: `undo ${(made += 1)}`,
    columns: { c8: ['Title', 'text', 'Title'], c9: ['Phone', 'phone', 'WorkPhone'] },
  })
})

const over = (values: { kind?: RunKind; state?: RunState; startedAt?: Date } = {}) =>
  addRun(api.db, api.account.id, {
    kind: 'sync',
    state: 'succeeded',
    listId,
    connectionId,
    startedAt: new Date(),
    finishedAt: new Date(),
    workflowId: `sync:${Math.random()}`,
    ...values,
  })
const undo = (runId: string, options: { key?: string; headers?: Record<string, string>; body?: unknown } = {}) =>
  api.call('POST', `/v1/runs/${runId}/undo`, { key: api.account.keys.admin, ...options })
const undos = () => api.db.select().from(t.runs).where(eq(t.runs.kind, 'undo'))

describe('POST /v1/runs/:runId/undo', () => {
  test('starts an undo, says of which run, and leaves a trace', async () => {
    const runId = await over()
    const answer = await undo(runId)
    expect(answer.status).toBe(202)
    expect(answer.body).toMatchObject({
      kind: 'undo',
      state: 'queued',
      list: { id: listId },
      source: { runId, as: 'undo' },
      workflowId: `undo:${answer.body.id}`,
    })
    expect(answer.headers['location']).toBe(`/v1/runs/${answer.body.id}`)
    const [message] = await api.db
      .select()
      .from(t.outbox)
      .where(eq(t.outbox.workflowId, `undo:${answer.body.id}`))
    expect(message).toMatchObject({ kind: 'start', name: 'syncList', input: { kind: 'undo', listId } })
    const [noted] = await api.db.select().from(t.audit).where(eq(t.audit.targetId, answer.body.id))
    expect(noted).toMatchObject({ action: 'undo.start', details: { of: runId } })
    // asked for again while it is under way, it is the answer
    const again = await undo(runId)
    expect([again.status, again.body.id]).toEqual([200, answer.body.id])
    const other = await undo(await over())
    expect(other.body).toMatchObject({ status: 409, code: 'runActive', runId: answer.body.id })
  })

  test('one Idempotency-Key starts one, and everybody gets its answer', async () => {
    const runId = await over()
    const headers = { 'idempotency-key': `undo-${runId}` }
    const before = (await undos()).length
    const answers = await Promise.all([1, 2, 3].map(() => undo(runId, { headers })))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect((await undos()).length).toBe(before + 1)
    expect((await undo(await over(), { headers })).body).toMatchObject({ status: 409, code: 'idempotencyMismatch' })
  })

  test.each<RunState>(['incomplete', 'failed', 'cancelled'])('takes a sync that ended %s', async (state) => {
    expect((await undo(await over({ state }))).status).toBe(202)
  })

  test.each<RunKind>(['import', 'sweep', 'verify', 'upload', 'preview', 'undo'])(
    'takes no run of the kind %s, and says what to do instead',
    async (kind) => {
      const { body } = await undo(await over({ kind }))
      expect(body).toMatchObject({ status: 409, code: 'notUndoable' })
      expect(body.detail).not.toBe(body.title)
      expect(body.remedy).toMatch(/\.$/)
    },
  )

  test('takes no run that works, that is older than its entries, or of a list that was removed', async () => {
    const working = await over({ state: 'running' })
    expect((await undo(working)).body).toMatchObject({ status: 409, code: 'runActive', runId: working })
    await api.db.update(t.runs).set({ state: 'succeeded' }).where(eq(t.runs.id, working))
    const old = await over({ startedAt: new Date(Date.now() - 91 * 86_400_000) })
    expect((await undo(old)).body).toMatchObject({ status: 409, code: 'undoExpired' })
    const runId = await over()
    await api.db.update(t.lists).set({ removedAt: new Date() }).where(eq(t.lists.id, listId))
    expect((await undo(runId)).body).toMatchObject({ status: 409, code: 'notUndoable' })
  })

  test('is for administrators, and knows no run of another account', async () => {
    const runId = await over()
    const before = (await undos()).length
    for (const role of ['viewer', 'marketer'] as const)
      expect((await undo(runId, { key: api.account.keys[role] })).body).toMatchObject({ status: 403 })
    expect((await undo(runId, { key: api.stranger.keys.admin })).status).toBe(404)
    expect((await undos()).length).toBe(before)
  })
})

test('a record shows what is held beside what is pending, and filters by `pending` see the latter only', async () => {
  const at = new Date().toISOString()
  const [held, pending] = await addRecords(api.db, api.secrets, api.account.id, listId, [
    { fields: { c1: 'held@example.com', c8: 'CEO' }, crmEntity: 'lead', crmId: 'L1' },
    { fields: { c1: 'pending@example.com', c8: 'CEO', c9: '1' }, crmEntity: 'lead', crmId: 'L2' },
  ])
  const agree = (id: string, agreed: Record<string, unknown>) =>
    api.db.update(t.records).set({ agreed }).where(eq(t.records.id, id))
  await agree(held!, { c8: { v: 'CFO', h: true, at } })
  await agree(pending!, { c8: { v: 'CFO', h: true, at }, c9: { v: '2', at } })
  const get = async (id: string) => (await api.call('GET', `/v1/lists/${listId}/records/${id}`)).body
  expect(await get(held!)).toMatchObject({ pending: [], held: ['Title'] })
  expect(await get(pending!)).toMatchObject({ pending: ['WorkPhone'], held: ['Title'] })
  const found = async (value: boolean) => {
    const filter = { property: 'pending', operator: 'is', value }
    const { body } = await api.call('POST', `/v1/lists/${listId}/records/search`, { body: { filter } })
    return body.items.map(({ id }: { id: string }) => id)
  }
  expect(await found(true)).toEqual([pending])
  expect(await found(false)).toEqual([held])

  // an edit of it is an edit like any other; one that comes to the CRM's value leaves nothing open
  const patch = (id: string, fields: Record<string, unknown>) =>
    api.call('PATCH', `/v1/lists/${listId}/records/${id}`, { key: api.account.keys.marketer, body: { fields } })
  expect((await patch(pending!, { Title: 'COO' })).body).toMatchObject({ pending: ['Title', 'WorkPhone'], held: [] })
  expect((await patch(held!, { Title: 'CFO' })).body).toMatchObject({ pending: [], held: [] })
})
