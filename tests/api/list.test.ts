import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRun, defaultFolder } from './rows.ts'

let api: TestApi
let account: Account
beforeAll(async () => {
  api = await openApi()
})
beforeEach(async () => {
  account = await api.newAccount()
})
afterAll(() => api.close())

const call = (method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE', url: string, body?: unknown) =>
  api.call(method, url, { key: account.keys.admin, body })
const names = async (query = '') =>
  (await call('GET', `/v1/lists${query}`)).body.items.map(({ name }: { name: string }) => name)
const add = (name: string) => addList(api.db, account.id, { name })

describe('lists', () => {
  test('show what is in them, live while a run fills them', async () => {
    const listId = await addList(api.db, account.id, { recordCount: 5 })
    const runId = await addRun(api.db, account.id, { listId, state: 'running' })
    const lane = { runId, accountId: account.id, phase: 'pull' as const }
    await api.db.insert(t.lanes).values([
      { ...lane, lane: 0, created: 7 },
      { ...lane, lane: 1, created: 3 },
    ])
    const running = await call('GET', `/v1/lists/${listId}`)
    expect(running.body).toMatchObject({
      recordCount: 15,
      lastRun: { id: runId, kind: 'import', state: 'running', finishedAt: null },
    })
    await api.db.update(t.runs).set({ state: 'succeeded', finishedAt: new Date() }).where(eq(t.runs.id, runId))
    expect((await call('GET', `/v1/lists/${listId}`)).body).toMatchObject({
      recordCount: 5,
      lastRun: { state: 'succeeded' },
    })
  })

  test('keep their order page by page; 0 is the top of the folder, however the rows are numbered', async () => {
    for (const name of ['a', 'b', 'c', 'd']) await add(name)
    await api.db.update(t.lists).set({ position: -3 }).where(eq(t.lists.name, 'd'))
    expect(await names()).toEqual(['d', 'a', 'b', 'c'])
    const first = (await call('GET', '/v1/lists?limit=3')).body
    const second = (await call('GET', `/v1/lists?limit=3&cursor=${first.nextCursor}`)).body
    expect([...first.items, ...second.items].map(({ name, position }) => [name, position])).toEqual([
      ['d', 0],
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ])
  })

  test('are renamed and moved', async () => {
    const [a, , c] = [await add('a'), await add('b'), await add('c')]
    expect((await call('PATCH', `/v1/lists/${c}`, { position: 0 })).body).toMatchObject({ name: 'c', position: 0 })
    expect(await names()).toEqual(['c', 'a', 'b'])
    expect((await call('PATCH', `/v1/lists/${c}`, { position: 99 })).body.position).toBe(2)
    const { id: folderId } = (await call('POST', '/v1/folders', { name: 'Events' })).body
    expect((await call('PATCH', `/v1/lists/${a}`, { folderId, name: 'A' })).body).toMatchObject({
      name: 'A',
      folder: { id: folderId, name: 'Events' },
      position: 0,
    })
    expect(await names()).toEqual(['b', 'c', 'A'])
    expect(await names(`?folderId=${folderId}`)).toEqual(['A'])
  })

  test('move between folders at the same time, each as it was asked', async () => {
    const here = await defaultFolder(api.db, account.id)
    const { id: there } = (await call('POST', '/v1/folders', { name: 'Events' })).body
    const ids = [await add('a'), await add('b'), await add('c'), await add('d')]
    for (const ways of [
      [there, there, here, here],
      [here, here, there, there],
      [there, here, there, here],
      [here, there, here, there],
    ]) {
      const moves = await Promise.all(
        ids.flatMap((id, index) => [
          call('PATCH', `/v1/lists/${id}`, { folderId: ways[index], position: index }),
          call('PATCH', `/v1/lists/${id}`, { position: 0 }),
        ]),
      )
      expect(new Set(moves.map(({ status }) => status))).toEqual(new Set([200]))
      for (const [index, id] of ids.entries())
        expect((await call('GET', `/v1/lists/${id}`)).body.folder.id).toBe(ways[index])
    }
  })

  test('a name that the folder has answers 409 in any case; another folder may have it', async () => {
    const [a] = [await add('a'), await add('b')]
    expect((await call('PATCH', `/v1/lists/${a}`, { name: 'B' })).body).toMatchObject({
      status: 409,
      code: 'nameTaken',
    })
    const { id: folderId } = (await call('POST', '/v1/folders', { name: 'Events' })).body
    expect((await call('PATCH', `/v1/lists/${a}`, { name: 'B', folderId })).status).toBe(200)
  })

  test('another account’s folder is not found, and nothing changes', async () => {
    const a = await add('a')
    const folderId = await defaultFolder(api.db, api.stranger.id)
    expect((await call('PATCH', `/v1/lists/${a}`, { name: 'x', folderId })).body.code).toBe('notFound')
    expect(await names()).toEqual(['a'])
  })

  test('an empty change is refused', async () => {
    expect((await call('PATCH', `/v1/lists/${await add('a')}`, {})).body.code).toBe('invalidInput')
  })

  test('I6: a plain list appears at the top of its folder with the columns that every list has, then its own', async () => {
    await add('old')
    const made = await call('POST', '/v1/lists', {
      name: ' Trade fair ',
      columns: [{ name: 'Booth' }, { name: 'Visited', type: 'date' }, { name: 'Budget', type: 'number' }],
    })
    expect(made).toMatchObject({
      status: 201,
      headers: { location: `/v1/lists/${made.body.id}` },
      body: { name: 'Trade fair', kind: 'plain', position: 0, recordCount: 0, mark: null, lastRun: null },
    })
    expect(made.body.folder.name).toBe('Default')
    expect(await names()).toEqual(['Trade fair', 'old'])
    const columns = (await call('GET', `/v1/lists/${made.body.id}/columns`)).body.items
    expect(
      columns.map(({ key, name, type, locked, crmField }: Record<string, unknown>) => [
        key,
        name,
        type,
        locked,
        crmField,
      ]),
    ).toEqual([
      ['c1', 'E-mail', 'email', true, null],
      ['c2', 'First name', 'text', true, null],
      ['c3', 'Last name', 'text', true, null],
      ['c8', 'Booth', 'text', false, null],
      ['c9', 'Visited', 'date', false, null],
      ['c10', 'Budget', 'number', false, null],
    ])
    const person = { email: 'pat@example.com', fields: { booth: 'A 12', Visited: '2027-03-01', c10: 12.5 } }
    const record = await call('POST', `/v1/lists/${made.body.id}/records`, person)
    expect(record.body).toMatchObject({
      email: 'pat@example.com',
      fields: { Booth: 'A 12', Visited: '2027-03-01', Budget: 12.5 },
      crm: null,
      pending: [],
    })
    const further = await call('POST', `/v1/lists/${made.body.id}/columns`, { name: 'Phone', type: 'phone' })
    expect(further.body).toMatchObject({ key: 'c11', position: 6 })
    expect((await call('POST', `/v1/lists/${made.body.id}/columns`, { crmField: 'Title' })).body.code).toBe(
      'pullNotPossible',
    )
  })

  test('a plain list goes to the folder that is named; its name is free there in any case', async () => {
    const { id: folderId } = (await call('POST', '/v1/folders', { name: 'Events' })).body
    expect((await call('POST', '/v1/lists', { name: 'Fair', folderId })).body.folder).toEqual({
      id: folderId,
      name: 'Events',
    })
    expect((await call('POST', '/v1/lists', { name: 'Fair' })).status).toBe(201)
    expect((await call('POST', '/v1/lists', { name: 'FAIR', folderId })).body.code).toBe('nameTaken')
    const strange = await defaultFolder(api.db, api.stranger.id)
    expect((await call('POST', '/v1/lists', { name: 'x', folderId: strange })).body.code).toBe('notFound')
    expect(await names(`?folderId=${folderId}`)).toEqual(['Fair'])
  })

  test.for([
    [{ name: ' ' }, 'invalidInput', 'name'],
    [{ name: 'a', kind: 'crmLeads' }, 'invalidInput', 'kind'],
    [{ name: 'a', columns: [{ name: 'x', type: 'money' }] }, 'invalidInput', 'columns[0].type'],
    [{ name: 'a', columns: [{ name: 'x' }, { name: 'X' }] }, 'nameTaken', 'columns[1].name'],
    [{ name: 'a', columns: [{ name: 'e-mail' }] }, 'nameTaken', 'columns[0].name'],
    [{ name: 'a', columns: [{ name: 'lastname' }] }, 'nameTaken', 'columns[0].name'],
    [{ name: 'a', columns: [{ name: 'C12' }] }, 'invalidInput', 'columns[0].name'],
  ] as const)('a new list of %j answers %s at %s, and nothing is made', async ([body, code, path]) => {
    const answer = await call('POST', '/v1/lists', body)
    expect([answer.body.code, answer.body.errors[0].path]).toEqual([code, path])
    expect(await names()).toEqual([])
  })

  test('twins that are made at the same moment become one', async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => call('POST', '/v1/lists', { name: 'Fair' })))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 409, 409, 409, 409])
  })

  test('R18: a removed list is gone, its run is asked to stop, its history stays, its name is free', async () => {
    const connectionId = await addConnection(api.db, account.id)
    const listId = await addList(api.db, account.id, { connectionId, name: 'old' })
    const done = await addRun(api.db, account.id, { listId })
    const running = await addRun(api.db, account.id, { listId, state: 'running', workflowId: `import:${listId}` })
    expect((await call('DELETE', `/v1/lists/${listId}`)).status).toBe(204)
    for (const path of [`/v1/lists/${listId}`, `/v1/lists/${listId}/records`, `/v1/lists/${listId}/columns`]) {
      expect((await call('GET', path)).status).toBe(404)
    }
    expect((await call('DELETE', `/v1/lists/${listId}`)).status).toBe(404)
    expect((await call('PATCH', `/v1/lists/${listId}`, { name: 'x' })).status).toBe(404)
    expect(await names()).toEqual([])
    const runs = (await call('GET', `/v1/runs?listId=${listId}`)).body.items
    expect(runs.map(({ id, list }: { id: string; list: unknown }) => [id, list])).toEqual([
      [running, { id: listId, name: 'old' }],
      [done, { id: listId, name: 'old' }],
    ])
    const [row] = await api.db.select().from(t.runs).where(eq(t.runs.id, running))
    expect(row?.cancelRequestedAt).not.toBeNull()
    expect(
      await api.db
        .select()
        .from(t.outbox)
        .where(eq(t.outbox.workflowId, `import:${listId}`)),
    ).toMatchObject([{ kind: 'cancel' }])
    await add('old')
  })
})

describe('folders', () => {
  test('every account begins with Default; others follow in their order', async () => {
    for (const name of ['Events', 'Partners']) expect((await call('POST', '/v1/folders', { name })).status).toBe(201)
    const first = (await call('GET', '/v1/folders?limit=2')).body
    const second = (await call('GET', `/v1/folders?limit=2&cursor=${first.nextCursor}`)).body
    expect([...first.items, ...second.items].map(({ name }) => name)).toEqual(['Default', 'Events', 'Partners'])
  })

  test('a name that is taken answers 409 in any case', async () => {
    expect((await call('POST', '/v1/folders', { name: ' default ' })).body.code).toBe('nameTaken')
    expect((await call('POST', '/v1/folders', { name: '  ' })).body.code).toBe('invalidInput')
  })

  const folders = async (): Promise<string[]> =>
    (await call('GET', '/v1/folders')).body.items.map(({ name }: { name: string }) => name)

  test('are renamed and put into another order', async () => {
    for (const name of ['Events', 'Partners']) await call('POST', '/v1/folders', { name })
    const [, , { id }] = (await call('GET', '/v1/folders')).body.items
    const moved = await call('PATCH', `/v1/folders/${id}`, { name: 'Friends', position: 0 })
    expect(moved.body).toMatchObject({ id, name: 'Friends', position: 0 })
    expect(await folders()).toEqual(['Friends', 'Default', 'Events'])
    expect((await call('PATCH', `/v1/folders/${id}`, { name: 'EVENTS' })).body.code).toBe('nameTaken')
    expect((await call('PATCH', `/v1/folders/${id}`, {})).body.code).toBe('invalidInput')
    await add('a')
    const { id: events } = (await call('GET', '/v1/folders')).body.items[2]
    const [list] = (await call('GET', '/v1/lists')).body.items
    await call('PATCH', `/v1/lists/${list.id}`, { folderId: events })
    expect((await call('GET', '/v1/lists')).body.items[0].folder).toEqual({ id: events, name: 'Events' })
  })

  test('are removed when they are empty; a list that was removed from one keeps its history', async () => {
    const { id } = (await call('POST', '/v1/folders', { name: 'Events' })).body
    const { id: listId } = (await call('POST', '/v1/lists', { name: 'Fair', folderId: id })).body
    const runId = await addRun(api.db, account.id, { listId })
    expect(await call('DELETE', `/v1/folders/${id}`)).toMatchObject({ status: 409, body: { code: 'folderNotEmpty' } })
    await call('DELETE', `/v1/lists/${listId}`)
    expect((await call('DELETE', `/v1/folders/${id}`)).status).toBe(204)
    expect((await call('DELETE', `/v1/folders/${id}`)).status).toBe(404)
    expect(await folders()).toEqual(['Default'])
    expect((await call('GET', `/v1/runs/${runId}`)).body.list).toEqual({ id: listId, name: 'Fair' })
  })

  test('`Default` keeps its name and stays, since imports go there', async () => {
    const id = await defaultFolder(api.db, account.id)
    expect((await call('DELETE', `/v1/folders/${id}`)).body.code).toBe('folderLocked')
    expect((await call('PATCH', `/v1/folders/${id}`, { name: 'Main' })).body.code).toBe('folderLocked')
    expect((await call('PATCH', `/v1/folders/${id}`, { name: 'DEFAULT', position: 3 })).body).toMatchObject({
      name: 'DEFAULT',
    })
  })

  test('another account’s folder is not found', async () => {
    const id = await defaultFolder(api.db, api.stranger.id)
    expect((await call('PATCH', `/v1/folders/${id}`, { position: 1 })).body.code).toBe('notFound')
    expect((await call('DELETE', `/v1/folders/${id}`)).body.code).toBe('notFound')
  })
})

describe('account and audit', () => {
  test('settings are read and changed one by one', async () => {
    expect((await call('GET', '/v1/account')).body).toMatchObject({
      timeZone: 'UTC',
      ambiguousMatch: 'best',
      unmappedAddress: 'push',
      conflict: 'crmWins',
      connectorEnabled: true,
    })
    const changed = await call('PATCH', '/v1/account', { timeZone: 'Europe/Berlin', conflict: 'latestWins' })
    expect(changed.body).toMatchObject({ timeZone: 'Europe/Berlin', conflict: 'latestWins', ambiguousMatch: 'best' })
    expect(changed.text).not.toContain('hashKey')
  })

  test('R36: an account may take any name, also one that another account has', async () => {
    const name = `Twins ${account.id}`
    for (const { keys } of [account, await api.newAccount()])
      expect(await api.call('PATCH', '/v1/account', { key: keys.admin, body: { name } })).toMatchObject({
        status: 200,
        body: { name },
      })
  })

  test.for([
    [{ timeZone: 'Mars/Olympus' }, 'timeZone'],
    [{ timeZone: '+01:00' }, 'timeZone'],
    [{ timeZone: '' }, 'timeZone'],
    [{ conflict: 'both' }, 'conflict'],
    [{ ambiguousMatch: 'none' }, 'ambiguousMatch'],
    [{ connectorEnabled: false }, 'connectorEnabled'],
    [{ name: '' }, 'name'],
  ] as const)('%j is refused', async ([body, path]) => {
    const answer = await call('PATCH', '/v1/account', body)
    expect([answer.body.code, answer.body.errors[0].path]).toEqual(['invalidInput', path])
  })

  test('every change is written down: who, what, which, and the names of what changed, never values', async () => {
    await addConnection(api.db, account.id)
    const listId = await add('a')
    const { id: folderId } = (await call('POST', '/v1/folders', { name: 'Sekret' })).body
    await call('PATCH', `/v1/lists/${listId}`, { name: 'Sekret', folderId })
    await call('PATCH', '/v1/account', { name: `Sekret ${account.id}` })
    const { id: keyId } = (await call('POST', '/v1/api-keys', { name: 'Sekret', role: 'viewer' })).body
    await call('DELETE', `/v1/api-keys/${keyId}`)
    const { id: runId } = (await call('POST', '/v1/imports', { entity: 'lead', newList: true })).body
    await call('POST', `/v1/runs/${runId}/cancel`)
    await call('PUT', '/v1/connection', { url: 'https://sekret.example', username: 'Sekret', password: 'Sekret' })
    await call('POST', '/v1/connection/reset')
    await call('DELETE', `/v1/lists/${listId}`)
    const first = (await call('GET', '/v1/audit?limit=8')).body
    const rest = (await call('GET', `/v1/audit?limit=200&cursor=${first.nextCursor}`)).body
    const items = [...first.items, ...rest.items].reverse()
    expect(items.map(({ action, targetId }) => [action, targetId]).slice(4)).toEqual([
      ['folder.create', folderId],
      ['list.update', listId],
      ['account.update', account.id],
      ['apiKey.create', keyId],
      ['apiKey.revoke', keyId],
      ['import.start', runId],
      ['run.cancel', runId],
      ['connection.connect', expect.any(String)],
      ['connection.reset', expect.any(String)],
      ['list.remove', listId],
    ])
    expect(items[5].details).toEqual({ changed: ['name', 'folderId'] })
    const admin = (await call('GET', '/v1/api-keys')).body.items.find(({ name }: { name: string }) => name === 'admin')
    for (const { apiKeyId, requestId } of items.slice(4))
      expect([apiKeyId, typeof requestId]).toEqual([admin.id, 'string'])
    expect(JSON.stringify(items)).not.toMatch(/sekret/i)
  })
})
