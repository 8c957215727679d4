import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
let connectionId: string
let listId: string
let made = 0

beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
  listId = await addList(api.db, api.account.id, {
    connectionId,
    columns: { c8: ['Job title', 'text', 'Title'], c9: ['Hobby', 'text'], c10: ['Score', 'number'] },
  })
})
afterAll(() => api.close())

const records = () => `/v1/lists/${listId}/records`
const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
  api.call(method, path, { body, key: method === 'GET' ? api.account.keys.viewer : api.account.keys.marketer })
const create = async (body: object = {}): Promise<string> => {
  const answer = await call('POST', records(), { email: `p${(made += 1)}@example.com`, lastName: 'Pat', ...body })
  return answer.body.id
}
const timeline = async (recordId: string, query = '') => {
  const answer = await call('GET', `${records()}/${recordId}/timeline${query}`)
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const addEntry = async (values: Omit<typeof t.entries.$inferInsert, 'accountId' | 'lastRunId'>): Promise<string> => {
  const row = { accountId: api.account.id, listId, lastRunId: values.firstRunId, ...values }
  const [entry] = await api.db.insert(t.entries).values(row).returning()
  return entry!.id
}
const addListRun = (values: Partial<typeof t.runs.$inferInsert> = {}) =>
  addRun(api.db, api.account.id, { listId, connectionId, kind: 'sync', ...values })
type Said = { kind: string; changes: object; by: { name: string } | null; otherRecordId: string | null }

describe('what is done to a record here', () => {
  test('says who did it, with before and after, newest first, and what it was made with', async () => {
    const recordId = await create({ fields: { Title: 'CEO', Score: 1.5 } })
    const address = `${records()}/${recordId}`
    await call('PATCH', address, { fields: { Title: null, Score: '12345678901234567.89' }, externalId: 'x-1' })
    await call('PATCH', address, { lastName: 'Pat' })
    await call('DELETE', address)
    await call('POST', `${address}/restore`)
    await call('POST', `${records()}/bulk`, {
      match: 'externalId',
      records: [{ externalId: 'x-1', firstName: 'Jo' }],
    })
    const { items, nextCursor } = await timeline(recordId)
    expect(nextCursor).toBeNull()
    expect(items.map(({ kind, changes }: Said) => [kind, changes])).toEqual([
      ['edited', { FirstName: { after: 'Jo', side: 'here' } }],
      ['restored', {}],
      ['removed', {}],
      [
        'edited',
        {
          Title: { before: 'CEO', after: null, side: 'here' },
          Score: { before: 1.5, after: '12345678901234567.89', side: 'here' },
          externalId: { before: null, after: 'x-1', side: 'here' },
        },
      ],
      ['created', {}],
    ])
    expect(items.map(({ by }: Said) => by?.name)).toEqual(items.map(() => 'marketer'))
    expect(items.at(-1)).toMatchObject({ complete: true, values: { LastName: 'Pat', Title: 'CEO', Score: 1.5 } })
  })

  test('R17: a removed record still answers', async () => {
    const recordId = await create()
    await call('DELETE', `${records()}/${recordId}`)
    const { items } = await timeline(recordId)
    expect(items.map(({ kind }: Said) => kind)).toEqual(['removed', 'created'])
  })

  test('duplicates that were removed name each other, and who took over what', async () => {
    const email = `twice${(made += 1)}@example.com`
    const [kept, first, second] = [
      await create({ email }),
      await create({ email, fields: { Hobby: 'Chess' } }),
      await create({ email, fields: { Hobby: 'Go', Title: 'CEO' } }),
    ]
    await call('POST', `/v1/lists/${listId}/duplicates/remove`, { by: ['email'] })
    const said = (await timeline(kept)).items.map(({ kind, otherRecordId, changes }: Said) => [
      kind,
      otherRecordId,
      changes,
    ])
    expect(said).toEqual([
      ['merged', second, { Title: { after: 'CEO', side: 'here' } }],
      ['merged', first, { Hobby: { after: 'Chess', side: 'here' } }],
      ['created', null, {}],
    ])
    expect((await timeline(second)).items[0]).toMatchObject({
      kind: 'removed',
      otherRecordId: kept,
      rule: { code: 'duplicate' },
      by: { name: 'marketer' },
    })
  })
})

describe('what runs did', () => {
  test('an upload that changed the record names its rule; a preview and other people’s entries are no part of it', async () => {
    const recordId = await create({ fields: { Title: 'CEO' } })
    const upload = { options: { match: 'email' } } as never
    const runId = await addListRun({ kind: 'upload', settings: { upload } })
    await addEntry({
      firstRunId: runId,
      phase: 'upload',
      kind: 'updated',
      recordId,
      changes: { c8: { before: 'CEO', after: 'CTO' } },
    })
    await api.db.$client`update records set fields = fields || '{"c8":"CTO"}' where id = ${recordId}`
    const preview = await addListRun({ kind: 'preview' })
    await addEntry({ firstRunId: preview, phase: 'push', kind: 'updated', recordId, changes: { c8: { after: 'X' } } })
    await addEntry({ firstRunId: runId, phase: 'upload', kind: 'updated', recordId: await create(), changes: {} })
    const { items } = await timeline(recordId)
    expect(items).toMatchObject([
      { kind: 'uploaded', run: { id: runId, kind: 'upload' }, rule: { code: 'rowByEmail' } },
      { kind: 'created', complete: true, values: { Title: 'CEO' } },
    ])
  })

  test('entries of the person in the CRM belong to it, also of the one that it was before', async () => {
    const [recordId = ''] = await addRecords(api.db, api.secrets, api.account.id, listId, [
      { fields: { c1: 'was@example.com' }, crmEntity: 'contact', crmId: 'C-now' },
    ])
    const runId = await addListRun()
    const shared = { firstRunId: runId, phase: 'pull' }
    const failed = { ...shared, kind: 'rejected' as const, code: 'crmFailed', crm: { status: 500 } }
    await addEntry({ ...failed, crmEntity: 'lead', crmId: 'L-was' })
    await addEntry({ ...failed, crmEntity: 'lead', crmId: 'L-other' })
    const warnings = [{ code: 'was', ids: ['L-was'] }]
    const moved = { recordId, crmEntity: 'contact' as const, crmId: 'C-now', code: 'converted', warnings }
    await addEntry({ ...shared, kind: 'relinked', ...moved })
    const { items } = await timeline(recordId)
    expect(items).toMatchObject([
      { kind: 'followed', rule: { code: 'followedConversion' }, crm: { id: 'C-now' } },
      { kind: 'rejected', code: 'crmFailed', crm: { id: 'L-was' }, said: { status: 500 } },
      { kind: 'created' },
    ])
  })

  test('R4: a question and its answer are two events', async () => {
    const recordId = await create()
    const runId = await addListRun()
    const [key] = await api.db.select().from(t.apiKeys).limit(1)
    await api.db.insert(t.decisions).values({
      accountId: api.account.id,
      listId,
      recordId,
      kind: 'match',
      runId,
      candidates: ['L1', 'L2'].map((id) => ({ entity: 'lead' as const, id, values: {} })),
      decidedAt: new Date(Date.now() + 60_000),
      decidedBy: key!.id,
      chosenEntity: 'lead',
      chosenId: 'L2',
    })
    await call('PATCH', `${records()}/${recordId}`, { firstName: 'Jo' })
    expect((await timeline(recordId)).items).toMatchObject([
      { kind: 'decided', by: { name: key!.name }, crm: { id: 'L2' }, run: null },
      { kind: 'edited' },
      { kind: 'asked', run: { id: runId }, by: null, candidates: [{ id: 'L1' }, { id: 'L2' }] },
      { kind: 'created' },
    ])
    const link = { firstRunId: runId, phase: 'push', kind: 'updated', code: 'linkedByEmail', recordId } as const
    const chosen = await addEntry({ ...link, crmEntity: 'lead', crmId: 'L2' })
    const other = await addEntry({ ...link, crmEntity: 'lead', crmId: 'L1' })
    const { items } = await timeline(recordId)
    const ruleOf = (id: string) => items.find((each: { id: string }) => each.id === id).rule.code
    expect([ruleOf(chosen), ruleOf(other)]).toEqual(['decidedByPerson', 'matchedByEmail'])
  })

  test('where a change is missing, the history is said to be incomplete', async () => {
    const recordId = await create({ fields: { Title: 'CEO' } })
    await call('PATCH', `${records()}/${recordId}`, { fields: { Title: 'CTO' } })
    await api.db.$client`update records set fields = fields || '{"c8":"CFO"}' where id = ${recordId}`
    expect((await timeline(recordId)).items.at(-1)).toMatchObject({ complete: false, values: { Title: 'CEO' } })
    const id = '019a0000-0000-7000-8000-000000000001'
    await addRecords(api.db, api.secrets, api.account.id, listId, [{ id, fields: { c8: 'Old' } }])
    expect((await timeline(id)).items).toMatchObject([{ kind: 'created', complete: false, values: { Title: 'Old' } }])
  })
})

describe('GET …/timeline', () => {
  test('pages hold still while new events come', async () => {
    const recordId = await create()
    for (const firstName of ['A', 'B', 'C', 'D']) await call('PATCH', `${records()}/${recordId}`, { firstName })
    const all = (await timeline(recordId)).items.map(({ id }: { id: string }) => id)
    const first = await timeline(recordId, '?limit=2')
    await call('PATCH', `${records()}/${recordId}`, { firstName: 'E' })
    const rest = await timeline(recordId, `?limit=3&cursor=${encodeURIComponent(first.nextCursor)}`)
    expect([...first.items, ...rest.items].map(({ id }) => id)).toEqual(all)
    expect(rest.nextCursor).toBeNull()
    const other = await create()
    const query = `?cursor=${encodeURIComponent(first.nextCursor)}`
    expect(await call('GET', `${records()}/${other}/timeline${query}`)).toMatchObject({
      body: { code: 'invalidCursor' },
    })
  })

  test('a field shows what touched it, and how it stands', async () => {
    const [recordId = ''] = await addRecords(api.db, api.secrets, api.account.id, listId, [
      { fields: { c1: 'why@example.com', c8: 'CEO' }, crmEntity: 'lead', crmId: 'L-why' },
    ])
    await call('PATCH', `${records()}/${recordId}`, { fields: { Title: 'CTO' } })
    await call('PATCH', `${records()}/${recordId}`, { firstName: 'Jo' })
    for (const field of ['Title', 'title', 'Job title', 'c8']) {
      const { items, current } = await timeline(recordId, `?field=${encodeURIComponent(field)}`)
      expect(items.map(({ kind }: Said) => kind)).toEqual(['edited', 'created'])
      expect(current).toEqual({
        field: 'Title',
        value: 'CTO',
        pending: true,
        held: false,
        agreed: 'CEO',
        eventId: items[0].id,
      })
    }
    const held = { c8: { v: 'CEO', h: true, at: '2026-11-23T10:00:00.000Z' } }
    await api.db.update(t.records).set({ agreed: held }).where(eq(t.records.id, recordId))
    const undone = await timeline(recordId, '?field=Title')
    expect(undone.current).toMatchObject({ value: 'CTO', pending: false, held: true, agreed: 'CEO' })
    const email = await timeline(recordId, '?field=Email')
    expect(email.current).toMatchObject({ value: 'why@example.com', pending: false, eventId: recordId })
    const unknown = await call('GET', `${records()}/${recordId}/timeline?field=Nothing`)
    expect(unknown).toMatchObject({ status: 422, body: { code: 'invalidInput' } })
  })

  test('R36: unknown records and those of others answer 404', async () => {
    const recordId = await create()
    const otherList = await addList(api.db, api.account.id, { name: 'Other' })
    const paths = [
      `${records()}/019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071/timeline`,
      `/v1/lists/${otherList}/records/${recordId}/timeline`,
    ]
    for (const path of paths) expect(await call('GET', path)).toMatchObject({ status: 404 })
    const stranger = await api.call('GET', `${records()}/${recordId}/timeline`, { key: api.stranger.keys.admin })
    expect(stranger.status).toBe(404)
  })
})
