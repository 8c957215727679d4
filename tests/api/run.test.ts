import { eq } from 'drizzle-orm'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { until } from '../support/fairlead.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
let connectionId: string
let listId: string
beforeAll(async () => {
  api = await openApi({ watchMs: 50 })
  connectionId = await addConnection(api.db, api.account.id)
  listId = await addList(api.db, api.account.id, { connectionId, columns: { c8: ['Title', 'text', 'Title'] } })
})
afterAll(() => api.close())

const addLane = (
  runId: string,
  lane: number,
  counts: Partial<typeof t.lanes.$inferInsert>,
  phase: 'pull' | 'sweep' = 'pull',
) => api.db.insert(t.lanes).values({ runId, lane, phase, accountId: api.account.id, ...counts })

const freshList = (name: string) =>
  addList(api.db, api.account.id, { connectionId, name, columns: { c8: ['Title', 'text', 'Title'] } })
const get = async (path: string) => (await api.call('GET', path)).body

describe('a run', () => {
  test('while it works: progress and counts are the sums of its lanes', async () => {
    const list = await freshList('working')
    const startedAt = new Date(Date.now() - 10_000)
    const workflowId = 'import:019ab3c4'
    const runId = await addRun(api.db, api.account.id, {
      state: 'running',
      listId: list,
      total: 3000,
      startedAt,
      workflowId,
    })
    await addLane(runId, 0, { read: 600, created: 590, skipped: 10, withoutEmail: 3, optedOut: 2 })
    await addLane(runId, 1, { read: 400, created: 395, rejected: 5 })
    const run = await get(`/v1/runs/${runId}`)
    expect(run).toMatchObject({
      id: runId,
      kind: 'import',
      state: 'running',
      trigger: 'api',
      list: { id: list, name: 'working' },
      progress: { done: 1000, total: 3000 },
      counts: {
        pull: {
          read: 1000,
          created: 985,
          updated: 0,
          unchanged: 0,
          skipped: 10,
          rejected: 5,
          withoutEmail: 3,
          optedOut: 2,
        },
      },
      balance: { balanced: null, crmTotal: 3000, listTotal: null, explained: {}, difference: null },
      warnings: [],
      error: null,
      finishedAt: null,
      workflowId,
      temporalUrl: 'http://127.0.0.1:8233/namespaces/default/workflows/import%3A019ab3c4',
    })
    expect(run.progress.perSecond).toBeGreaterThan(80)
    expect(run.progress.perSecond).toBeLessThan(101)
    expect(run.progress.secondsLeft).toBeGreaterThanOrEqual(20)
    expect(Object.keys(run).sort()).toEqual(
      'balance counts error finishedAt id kind list message progress queuedAt segment startedAt state temporalUrl trigger warnings workflowId'.split(
        ' ',
      ),
    )
  })

  test('when it is over: the stored counts and balance', async () => {
    const list = await freshList('over')
    const counts = { pull: { read: 2, created: 2, updated: 0, unchanged: 0, skipped: 0, rejected: 0 } }
    const balance = { balanced: true, crmTotal: 2, listTotal: 2, explained: {}, difference: 0 }
    const runId = await addRun(api.db, api.account.id, {
      listId: list,
      counts,
      balance,
      finishedAt: new Date(),
      startedAt: new Date(Date.now() - 1000),
    })
    const run = await get(`/v1/runs/${runId}`)
    expect(run).toMatchObject({ counts, balance, state: 'succeeded', progress: { secondsLeft: null } })
  })

  test('a CRM total that is too small is corrected, an unknown one leaves the end open', async () => {
    const startedAt = new Date(Date.now() - 1000)
    const small = await addRun(api.db, api.account.id, {
      state: 'running',
      total: 5,
      startedAt,
      listId: await freshList('small'),
    })
    await addLane(small, 0, { read: 9, created: 9 })
    expect((await get(`/v1/runs/${small}`)).progress).toMatchObject({ done: 9, total: 9, secondsLeft: 0 })
    const unknown = await addRun(api.db, api.account.id, {
      state: 'running',
      startedAt,
      listId: await freshList('unknown'),
    })
    expect((await get(`/v1/runs/${unknown}`)).progress).toEqual({ done: 0, total: 0, perSecond: 0, secondsLeft: null })
  })

  test('a sweep counts keys as its progress', async () => {
    const runId = await addRun(api.db, api.account.id, {
      kind: 'sweep',
      state: 'running',
      total: 100,
      listId: await freshList('swept'),
      startedAt: new Date(),
    })
    await addLane(runId, 0, { keys: 40, read: 2, created: 2, deleted: 1 }, 'sweep')
    const run = await get(`/v1/runs/${runId}`)
    expect(run.progress).toMatchObject({ done: 40, total: 100 })
    expect(run.counts).toMatchObject({ pull: { read: 0 }, sweep: { read: 2, created: 2, deleted: 1 } })
  })

  test('runs come newest first, by list, kind and state, page by page', async () => {
    const list = await freshList('many')
    const ids: string[] = []
    for (let index = 0; index < 7; index += 1) {
      const state = index % 2 === 0 ? 'succeeded' : 'failed'
      ids.push(await addRun(api.db, api.account.id, { listId: list, state, kind: index < 3 ? 'import' : 'sweep' }))
    }
    const page = await get(`/v1/lists/${list}/runs?limit=4`)
    const next = await get(`/v1/lists/${list}/runs?limit=4&cursor=${page.nextCursor}`)
    expect([...page.items, ...next.items].map(({ id }: { id: string }) => id)).toEqual([...ids].reverse())
    expect(next.nextCursor).toBeNull()
    const some = await get(`/v1/runs?listId=${list}&kind=sweep&state=failed`)
    expect(some.items.map(({ id }: { id: string }) => id)).toEqual([ids[5], ids[3]])
    expect((await api.call('GET', '/v1/runs?state=done')).body.errors[0].path).toBe('state')
  })
})

describe('entries and causes', () => {
  test('created records are entries without rows of their own', async () => {
    const list = await freshList('created')
    const runId = await addRun(api.db, api.account.id, { listId: list })
    const rows = [1, 2, 3].map((number) => ({
      fields: {},
      crmEntity: 'lead' as const,
      crmId: `Q${number}`,
      createdRunId: runId,
    }))
    const ids = await addRecords(api.db, api.secrets, api.account.id, list, rows)
    const first = await get(`/v1/runs/${runId}/entries?kind=created&limit=2`)
    const second = await get(`/v1/runs/${runId}/entries?kind=created&limit=2&cursor=${first.nextCursor}`)
    const items = [...first.items, ...second.items]
    expect(items.map(({ recordId }) => recordId)).toEqual(ids)
    expect(items[0]).toMatchObject({
      kind: 'created',
      code: null,
      crm: { entity: 'lead', id: 'Q1' },
      firstRunId: runId,
      times: 1,
    })
    expect((await get(`/v1/runs/${runId}/entries`)).items).toEqual([])
  })

  test('a renewed skip belongs to every run between its first and its last', async () => {
    const list = await freshList('renewed')
    const runs = []
    for (let index = 0; index < 4; index += 1) runs.push(await addRun(api.db, api.account.id, { listId: list }))
    const shared = { accountId: api.account.id, listId: list, phase: 'pull', crmEntity: 'lead' as const }
    const crm = { status: 500, message: 'Object reference not set' }
    await api.db.insert(t.entries).values([
      {
        ...shared,
        firstRunId: runs[1]!,
        lastRunId: runs[2]!,
        times: 2,
        kind: 'rejected',
        code: 'crmFailed',
        crmId: 'Q7',
        crm,
      },
      {
        ...shared,
        firstRunId: runs[2]!,
        lastRunId: runs[2]!,
        kind: 'updated',
        crmId: 'Q8',
        changes: { c8: { before: 'CEO', after: 'CTO' } },
      },
      { ...shared, firstRunId: runs[2]!, lastRunId: runs[2]!, kind: 'changedDuring', code: 'goneDuring', crmId: 'Q9' },
    ])
    const counts = await Promise.all(runs.map(async (id) => (await get(`/v1/runs/${id}/entries`)).items.length))
    expect(counts).toEqual([0, 1, 3, 0])
    const { items } = await get(`/v1/runs/${runs[2]}/entries`)
    expect(items[0]).toMatchObject({
      kind: 'rejected',
      code: 'crmFailed',
      times: 2,
      said: crm,
      crm: { entity: 'lead', id: 'Q7' },
    })
    expect(items[0].message).toMatch(/\.$/)
    expect(items[1].changes).toEqual({ Title: { before: 'CEO', after: 'CTO' } })
    const rejected = await get(`/v1/runs/${runs[2]}/entries?kind=rejected&code=crmFailed`)
    expect(rejected.items).toHaveLength(1)
  })

  test('causes are grouped with a count, a sentence and a remedy, the most frequent first', async () => {
    const list = await freshList('causes')
    const runId = await addRun(api.db, api.account.id, { listId: list })
    const entry = (kind: 'rejected' | 'changedDuring' | 'skipped', code: string, crmId: string) => ({
      accountId: api.account.id,
      listId: list,
      firstRunId: runId,
      lastRunId: runId,
      phase: 'pull',
      kind,
      code,
      crmId,
    })
    await api.db
      .insert(t.entries)
      .values([
        entry('rejected', 'crmFailed', 'Q1'),
        entry('changedDuring', 'goneDuring', 'Q2'),
        entry('changedDuring', 'goneDuring', 'Q3'),
        entry('skipped', 'neverHeardOf', 'Q4'),
      ])
    const { items } = await get(`/v1/runs/${runId}/causes`)
    expect(items.map(({ code, count }: { code: string; count: number }) => [code, count])).toEqual([
      ['goneDuring', 2],
      ['crmFailed', 1],
      ['neverHeardOf', 1],
    ])
    for (const cause of items) expect(`${cause.message} ${cause.remedy}`).toMatch(/^\p{Lu}.*\. \p{Lu}.*\.$/u)
    const ledger = await api.call('GET', `/v1/runs/${runId}/ledger`)
    expect(ledger.headers['content-disposition']).toBe(`attachment; filename="fairlead-run-${runId}.json"`)
    expect(ledger.body).toMatchObject({ run: { id: runId }, causes: items })
  })
})

describe('events', () => {
  const finish = (runId: string) =>
    api.db.update(t.runs).set({ state: 'succeeded', finishedAt: new Date() }).where(eq(t.runs.id, runId))
  const framesOf = (text: string) =>
    text
      .split('\n\n')
      .filter((frame) => frame.includes('event: run'))
      .map((frame) => JSON.parse(/data: (.*)/.exec(frame)![1]!))

  test('a stream tells the run now, each change, and ends with the final state', async () => {
    const runId = await addRun(api.db, api.account.id, {
      state: 'running',
      startedAt: new Date(),
      total: 10,
      listId: await freshList('followed'),
    })
    await addLane(runId, 0, { read: 1, created: 1 })
    const streams = [1, 2].map((number) =>
      api.call('GET', `/v1/runs/${runId}/events`, { headers: { 'last-event-id': String(number) } }),
    )
    await sleep(150)
    await api.db.update(t.lanes).set({ read: 10, created: 10 }).where(eq(t.lanes.runId, runId))
    await sleep(150)
    await finish(runId)
    for (const { status, headers, text } of await Promise.all(streams)) {
      expect([status, headers['content-type']]).toEqual([200, 'text/event-stream'])
      const frames = framesOf(text)
      expect(frames[0]).toMatchObject({ id: runId, state: 'running', progress: { done: 1 } })
      expect(frames.some(({ state, progress }) => state === 'running' && progress.done === 10)).toBe(true)
      expect(frames.at(-1)).toMatchObject({ state: 'succeeded', progress: { done: 10 } })
    }
  })

  test('a run that is over gives one event and ends', async () => {
    const runId = await addRun(api.db, api.account.id)
    const { text } = await api.call('GET', `/v1/runs/${runId}/events`)
    expect(framesOf(text)).toHaveLength(1)
  })

  test('an unknown run is a problem, not a stream', async () => {
    const answer = await api.call('GET', '/v1/runs/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071/events')
    expect(answer.body.code).toBe('notFound')
  })

  test('closing the API ends its streams', async () => {
    const own = await openApi({ watchMs: 50 })
    const runId = await addRun(own.db, own.account.id, { state: 'running' })
    await own.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = own.app.addresses()[0] as AddressInfo
    const headers = { authorization: `Bearer ${own.account.keys.viewer}` }
    const answer = await fetch(`http://127.0.0.1:${port}/v1/runs/${runId}/events`, { headers })
    const reader = answer.body!.getReader()
    expect((await reader.read()).done).toBe(false)
    const ended = (async () => {
      while (!(await reader.read()).done);
      return 'ended'
    })()
    await own.close()
    expect(await ended).toBe('ended')
  })
})

describe('cancelling', () => {
  test('and starting another run of the list at the same time do not wait for each other', async () => {
    const runId = await addRun(api.db, api.account.id, { state: 'running', listId: await freshList('both') })
    let answer: ReturnType<TestApi['call']> | undefined
    await api.db.transaction(async (tx) => {
      await tx.select().from(t.accounts).where(eq(t.accounts.id, api.account.id)).for('update')
      answer = api.call('POST', `/v1/runs/${runId}/cancel`, { key: api.account.keys.marketer })
      await until('the other one waits', async () => {
        const waiting = await api.db.$client`
          select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
        return waiting.length > 0
      })
      await tx.select().from(t.runs).where(eq(t.runs.id, runId)).for('update')
    })
    expect((await answer!).status).toBe(202)
  })

  test('asks the run to stop, tells the engine, and is written down', async () => {
    const runId = await addRun(api.db, api.account.id, {
      state: 'running',
      workflowId: 'import:cancelled',
      listId: await freshList('cancelled'),
    })
    const answer = await api.call('POST', `/v1/runs/${runId}/cancel`, { key: api.account.keys.marketer })
    expect(answer).toMatchObject({ status: 202, body: { id: runId, state: 'running' } })
    const sent = await api.db.select().from(t.outbox).where(eq(t.outbox.workflowId, 'import:cancelled'))
    expect(sent).toMatchObject([{ kind: 'cancel' }])
    const [noted] = await api.db.select().from(t.audit).where(eq(t.audit.targetId, runId))
    expect(noted).toMatchObject({ action: 'run.cancel' })
  })

  test('a run that is over answers 409', async () => {
    const runId = await addRun(api.db, api.account.id)
    expect((await api.call('POST', `/v1/runs/${runId}/cancel`)).body).toMatchObject({
      status: 409,
      code: 'runFinished',
    })
  })
})

describe('sweeps', () => {
  test('R19: a second request answers with the run that is under way', async () => {
    const url = `/v1/lists/${listId}/runs`
    const first = await api.call('POST', url, { body: { sweep: true } })
    expect(first).toMatchObject({ status: 202, body: { kind: 'sweep', state: 'queued', list: { id: listId } } })
    expect(first.headers['location']).toBe(`/v1/runs/${first.body.id}`)
    const second = await api.call('POST', url, { body: { sweep: true } })
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } })
  })

  test('there is nothing to confirm after an ordinary run', async () => {
    const runId = await addRun(api.db, api.account.id, {
      kind: 'sweep',
      listId: await freshList('ordinary'),
      connectionId,
      entity: 'lead',
    })
    expect((await api.call('POST', `/v1/runs/${runId}/confirm-deletions`)).body.code).toBe('nothingToConfirm')
  })

  test.each(['sync', 'preview', 'undo'] as const)(
    'R15: a %s has not seen everybody: it is not confirmed',
    async (kind) => {
      const error = { code: 'massDeletion', detail: 'Many are gone.', remedy: 'Start a sweep.' }
      const runId = await addRun(api.db, api.account.id, {
        kind,
        state: 'incomplete',
        listId: await freshList(`unseen ${kind}`),
        connectionId,
        entity: 'lead',
        error,
      })
      expect((await api.call('POST', `/v1/runs/${runId}/confirm-deletions`)).body.code).toBe('nothingToConfirm')
    },
  )

  test('R15: a sweep that stopped before a mass deletion is confirmed by a new one', async () => {
    const error = { code: 'massDeletion', detail: 'Many are gone.', remedy: 'Confirm.' }
    const list = await freshList('mass')
    const runId = await addRun(api.db, api.account.id, {
      kind: 'sweep',
      state: 'incomplete',
      listId: list,
      connectionId,
      entity: 'lead',
      error,
    })
    const answer = await api.call('POST', `/v1/runs/${runId}/confirm-deletions`)
    expect(answer).toMatchObject({ status: 202, body: { kind: 'sweep', list: { id: list } } })
    expect(answer.body.id).not.toBe(runId)
    const again = await api.call('POST', `/v1/runs/${runId}/confirm-deletions`)
    expect(again).toMatchObject({ status: 200, body: { id: answer.body.id } })
  })

  test('R15: another run of the list is no confirmation, and the key of a refused one is free', async () => {
    const error = { code: 'massDeletion', detail: 'Many are gone.', remedy: 'Confirm.' }
    const sweep = { kind: 'sweep' as const, listId: await freshList('busy'), connectionId, entity: 'lead' as const }
    const runId = await addRun(api.db, api.account.id, { ...sweep, state: 'incomplete', error })
    const other = await addRun(api.db, api.account.id, { ...sweep, state: 'running' })
    const confirm = (key: string) =>
      api.call('POST', `/v1/runs/${runId}/confirm-deletions`, { headers: { 'idempotency-key': key } })
    expect((await confirm('first')).body).toMatchObject({ status: 409, code: 'runActive', runId: other })
    await api.db.update(t.runs).set({ state: 'incomplete' }).where(eq(t.runs.id, other))
    const confirmed = await confirm('first')
    expect(confirmed).toMatchObject({ status: 202, body: { list: { id: sweep.listId } } })
    await api.db.update(t.runs).set({ state: 'succeeded' }).where(eq(t.runs.id, confirmed.body.id))
    expect(await confirm('first')).toMatchObject({ status: 202, body: confirmed.body })
    expect((await confirm('second')).status).toBe(202)
    const noted = await api.db.select().from(t.audit).where(eq(t.audit.targetId, runId))
    expect(noted.map(({ action }) => action)).toEqual(['run.confirmDeletions', 'run.confirmDeletions'])
  })

  test('a sweep is started once per key, also when it has ended meanwhile', async () => {
    const url = `/v1/lists/${await freshList('keyed')}/runs`
    const ask = () => api.call('POST', url, { body: { sweep: true }, headers: { 'idempotency-key': 'keyed' } })
    const [first, second] = await Promise.all([ask(), ask()])
    expect([first.status, second.status, second.body]).toEqual([202, 202, first.body])
    await api.db.update(t.runs).set({ state: 'succeeded' }).where(eq(t.runs.id, first.body.id))
    expect(await ask()).toMatchObject({ status: 202, body: { id: first.body.id } })
  })
})
