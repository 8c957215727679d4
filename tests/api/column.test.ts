import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, defaultFolder } from './rows.ts'

let api: TestApi
let account: Account
let connectionId: string
let listId: string

beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())
beforeEach(async () => {
  account = await api.newAccount()
  connectionId = await addConnection(api.db, account.id)
  listId = await addList(api.db, account.id, {
    connectionId,
    columns: { c4: ['Created', 'instant', 'CreateDate'], c8: ['Job', 'text', 'Title'], c9: ['Hobby', 'text'] },
  })
  await api.db.update(t.columns).set({ system: true }).where(eq(t.columns.key, 'c4'))
})

type Shown = { id: string; key: string; name: string; crmField: string | null; position: number }
const call = (
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  key = account.keys.marketer,
) => api.call(method, `/v1/lists/${listId}${path}`, { key, body })
const add = (body: unknown) => call('POST', '/columns', body)
const shown = async (): Promise<Shown[]> => (await call('GET', '/columns')).body.items
const idOf = async (key: string): Promise<string> => (await shown()).find((each) => each.key === key)!.id
const list = async () => (await api.db.select().from(t.lists).where(eq(t.lists.id, listId)))[0]!
const audited = async () =>
  (await api.db.select().from(t.audit).where(eq(t.audit.accountId, account.id)).orderBy(t.audit.id))
    .filter(({ action }) => action.startsWith('column.'))
    .map(({ action, targetId, details }) => ({ action, targetId, details }))

describe('adding a column', () => {
  test('S5: a CRM field is a column at once, and the next sync fills it for everybody', async () => {
    const made = await add({ crmField: 'workphone' })
    expect(made).toMatchObject({
      status: 201,
      body: {
        key: 'c10',
        name: 'WorkPhone',
        crmField: 'WorkPhone',
        type: 'text',
        maxLength: 64,
        locked: false,
        system: false,
        position: 6,
      },
    })
    expect((await shown()).at(-1)).toEqual(made.body)
    expect((await list()).widenedAt).not.toBeNull()
    expect(await audited()).toEqual([
      { action: 'column.create', targetId: made.body.id, details: { changed: ['crmField'] } },
    ])
  })

  test('one of the list’s own has a name and a type, and widens nothing', async () => {
    const score = await add({ name: ' Score ', type: 'number' })
    expect(score).toMatchObject({ status: 201, body: { key: 'c10', name: 'Score', type: 'number', crmField: null } })
    expect((await add({ name: 'Note' })).body).toMatchObject({ key: 'c11', type: 'text' })
    expect((await list()).widenedAt).toBeNull()
  })

  test('a plain list takes columns of its own, and no fields of the CRM', async () => {
    const folderId = await defaultFolder(api.db, account.id)
    const values = { accountId: account.id, folderId, name: 'Fair', kind: 'plain' as const }
    const [plain] = await api.db.insert(t.lists).values(values).returning()
    listId = plain!.id
    expect((await add({ name: 'Hobby' })).body).toMatchObject({ key: 'c8', position: 0 })
    expect((await add({ crmField: 'Title' })).body).toMatchObject({
      code: 'pullNotPossible',
      errors: [{ path: 'crmField' }],
    })
  })

  test.for([
    [{ crmField: 'Nothing' }, 422, 'unknownField', 'crmField'],
    [{ crmField: 'UserPassword' }, 422, 'secretField', 'crmField'],
    [{ crmField: 'TITLE' }, 422, 'duplicateField', 'crmField'],
    [{ crmField: 'Email' }, 422, 'duplicateField', 'crmField'],
    [{ name: 'hobby' }, 409, 'nameTaken', 'name'],
    [{ name: 'Title' }, 409, 'nameTaken', 'name'],
    [{ name: 'EMAIL' }, 409, 'nameTaken', 'name'],
    [{ name: 'lastName' }, 409, 'nameTaken', 'name'],
    [{ name: 'c77' }, 422, 'invalidInput', 'name'],
    [{ name: '  ' }, 422, 'invalidInput', 'name'],
    [{ name: 'a\u0000b' }, 422, 'invalidInput', 'name'],
    [{ name: 'x', type: 'colour' }, 422, 'invalidInput', 'type'],
    [{ name: 'x', surprise: 1 }, 422, 'invalidInput', 'surprise'],
    [{ name: 'x', crmField: 'WorkPhone' }, 422, 'invalidInput', 'body'],
    [{ crmField: 'WorkPhone', type: 'text' }, 422, 'invalidInput', 'body'],
    [{}, 422, 'invalidInput', 'body'],
  ] as const)('%j answers %i %s', async ([body, status, code, path]) => {
    expect((await add(body)).body).toMatchObject({ status, code, errors: [{ path }] })
    expect(await shown()).toHaveLength(6)
  })

  test('a CRM field is not added beside an own column of its name', async () => {
    await add({ name: 'WorkPhone' })
    expect((await add({ crmField: 'WorkPhone' })).body).toMatchObject({ status: 409, code: 'nameTaken' })
  })

  test('a list whose CRM is not connected answers 409', async () => {
    await api.db.update(t.connections).set({ active: false }).where(eq(t.connections.id, connectionId))
    expect((await add({ crmField: 'WorkPhone' })).body.code).toBe('notConnected')
    expect((await add({ name: 'Score' })).status).toBe(201)
  })

  test('R39: a list has a limit', async () => {
    const filler = Array.from({ length: 1001 }, (_, index) => ({
      accountId: account.id,
      listId,
      key: `c${index + 100}`,
      name: `Own ${index}`,
      type: 'text' as const,
      position: index + 100,
    }))
    await api.db.insert(t.columns).values(filler)
    expect((await add({ name: 'one too many' })).body).toMatchObject({
      code: 'invalidInput',
      detail: expect.stringContaining('1007'),
    })
  })

  test('ten at once get ten keys', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => add({ name: `Own ${index}` })))
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201))
    expect(new Set(answers.map(({ body }) => body.key)).size).toBe(10)
  })
})

describe('changing a column', () => {
  test('it is renamed and moved', async () => {
    const id = await idOf('c9')
    const renamed = await call('PATCH', `/columns/${id}`, { name: 'Pastime', position: 0 })
    expect(renamed.body).toMatchObject({ id, key: 'c9', name: 'Pastime', position: 0 })
    expect((await shown()).map(({ key, position }) => `${key} ${position}`)).toEqual([
      'c9 0',
      'c1 1',
      'c2 2',
      'c3 3',
      'c4 4',
      'c8 5',
    ])
    expect((await call('PATCH', `/columns/${id}`, { position: 99 })).body.position).toBe(5)
    expect(await audited()).toMatchObject([
      { action: 'column.update', targetId: id, details: { changed: ['name', 'position'] } },
      { action: 'column.update', targetId: id, details: { changed: ['position'] } },
    ])
  })

  test('its own name in another case is free, another column’s is not', async () => {
    const id = await idOf('c9')
    expect((await call('PATCH', `/columns/${id}`, { name: 'HOBBY' })).body.name).toBe('HOBBY')
    for (const name of ['title', 'job', 'email'])
      expect((await call('PATCH', `/columns/${id}`, { name })).body).toMatchObject({ status: 409, code: 'nameTaken' })
  })

  test('nothing to change, or no such column', async () => {
    const id = await idOf('c9')
    expect((await call('PATCH', `/columns/${id}`, {})).body.code).toBe('invalidInput')
    expect((await call('PATCH', `/columns/${listId}`, { name: 'x' })).body.code).toBe('notFound')
    const other = await addList(api.db, account.id, { connectionId, name: 'other' })
    const [foreign] = await api.db.select().from(t.columns).where(eq(t.columns.listId, other))
    expect((await call('PATCH', `/columns/${foreign!.id}`, { name: 'x' })).body.code).toBe('notFound')
  })
})

describe('removing a column', () => {
  const settings = () => call('GET', '/sync')
  const use = () =>
    call('PUT', '/sync', {
      version: 0,
      push: { enabled: true, addNew: false, updateExisting: true, fields: ['Title', 'Email'], clearFields: ['Title'] },
      pull: { enabled: true, addNew: true, updateExisting: true, excludedFields: ['Title'] },
    })

  test('its values vanish, and the answer says which settings named it', async () => {
    const [recordId] = await addRecords(api.db, api.secrets, account.id, listId, [
      {
        fields: { c1: 'pat@example.com', c8: 'CEO', c9: 'Golf' },
        agreed: { c8: { v: 'CTO', at: '2026-01-01T00:00:00.000Z' } },
      },
    ])
    await use()
    const removed = await call('DELETE', `/columns/${await idOf('c8')}`)
    expect(removed).toMatchObject({
      status: 200,
      body: { removedFrom: ['push.fields', 'push.clearFields', 'pull.excludedFields'] },
    })
    expect((await call('GET', `/records/${recordId}`)).body.fields).toEqual({ Hobby: 'Golf' })
    expect((await settings()).body).toMatchObject({
      version: 2,
      push: { enabled: true, updateExisting: true, fields: ['Email'], clearFields: [] },
      pull: { excludedFields: [] },
    })
    expect((await list()).widenedAt).toBeNull()
    const [record] = await api.db.select().from(t.records).where(eq(t.records.id, recordId!))
    expect(record).toMatchObject({ agreed: {}, version: 2 })
    expect(await audited()).toMatchObject([
      { action: 'column.remove', details: { changed: ['push.fields', 'push.clearFields', 'pull.excludedFields'] } },
    ])
  })

  test('settings that do not name it keep their version', async () => {
    await use()
    expect((await call('DELETE', `/columns/${await idOf('c9')}`)).body).toEqual({
      removedFrom: [],
      segments: [],
      forms: [],
    })
    expect((await settings()).body.version).toBe(1)
  })

  test('its key is never used again, also when it was the last', async () => {
    const first = await add({ crmField: 'WorkPhone' })
    await call('DELETE', `/columns/${first.body.id}`)
    expect([first.body.key, (await add({ crmField: 'WorkPhone' })).body.key]).toEqual(['c10', 'c11'])
  })

  test('what every list has stays', async () => {
    await call('PUT', '/sync', { version: 0, ...(await settings()).body, addColumns: ['CreateDate'] })
    for (const key of ['c1', 'c2', 'c3', 'c4'])
      expect((await call('DELETE', `/columns/${await idOf(key)}`)).body).toMatchObject({
        status: 409,
        code: 'columnLocked',
      })
    expect(await shown()).toHaveLength(6)
  })

  test('twice, it is not found', async () => {
    const id = await idOf('c9')
    await call('DELETE', `/columns/${id}`)
    expect((await call('DELETE', `/columns/${id}`)).body.code).toBe('notFound')
  })

  test('a viewer adds, changes and removes nothing', async () => {
    const id = await idOf('c9')
    for (const [method, path, body] of [
      ['POST', '/columns', { name: 'x' }],
      ['PATCH', `/columns/${id}`, { name: 'x' }],
      ['DELETE', `/columns/${id}`, undefined],
    ] as const)
      expect((await call(method, path, body, account.keys.viewer)).body.code).toBe('forbidden')
  })
})
