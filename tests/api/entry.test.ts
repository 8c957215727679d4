import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import { causeOf } from '../../src/domain/cause.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
let connectionId: string
beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())

const freshList = (name: string) =>
  addList(api.db, api.account.id, {
    connectionId,
    name,
    entity: 'contact',
    columns: { c8: ['Title', 'text', 'Title'], c9: ['Hobby', 'text'] },
  })
const search = async (path: string, body: unknown) => {
  const answer = await api.call('POST', `${path}/entries/search`, { key: api.account.keys.viewer, body })
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const keyOf = async (email: string) => emailKeyOf(await hashKeyOf(api.db, api.secrets, api.account.id), email)

type Row = Partial<typeof t.entries.$inferInsert> & { kind: 'created' | 'updated' | 'skipped' | 'rejected' }
const addEntries = async (listId: string, runId: string, rows: Row[]): Promise<string[]> => {
  const shared = { accountId: api.account.id, listId, firstRunId: runId, lastRunId: runId, phase: 'push' }
  const made = []
  for (const row of rows) {
    const [entry] = await api.db
      .insert(t.entries)
      .values({ ...shared, ...row })
      .returning()
    made.push(entry!.id)
  }
  return made
}
const ids = (items: { id: string }[]) => items.map(({ id }) => id)
/** All pages of a search, `limit` at a time. */
const allPages = async (path: string, body: object): Promise<string[]> => {
  const found: string[] = []
  for (let cursor: string | undefined; ;) {
    const page = await search(path, { ...body, cursor })
    found.push(...ids(page.items))
    if (page.nextCursor === null) return found
    cursor = page.nextCursor
  }
}

describe('entries of a person', () => {
  let listId: string
  let runId: string
  let recordIds: string[]
  let made: string[]
  beforeAll(async () => {
    listId = await freshList('people')
    runId = await addRun(api.db, api.account.id, { listId, kind: 'sync' })
    recordIds = await addRecords(api.db, api.secrets, api.account.id, listId, [
      { fields: { c1: 'pat@example.com' }, crmEntity: 'contact', crmId: 'C1' },
      { fields: { c1: 'kim@example.com' }, crmEntity: 'contact', crmId: 'C2' },
      { fields: { c1: 'PAT@example.com' } },
    ])
    made = await addEntries(listId, runId, [
      { kind: 'updated', recordId: recordIds[0]!, changes: { c8: { before: 'CEO', after: 'CTO' } } },
      { kind: 'rejected', code: 'crmFailed', phase: 'pull', crmEntity: 'contact', crmId: 'C1' },
      { kind: 'skipped', code: 'erased', emailKey: (await keyOf('pat@example.com'))! },
      { kind: 'skipped', code: 'noEmail', recordId: recordIds[2]! },
      { kind: 'updated', recordId: recordIds[1]! },
      { kind: 'rejected', code: 'crmFailed', phase: 'pull', crmEntity: 'lead', crmId: 'C1' },
    ])
  })

  const found = async (body: object) =>
    ids((await search(`/v1/runs/${runId}`, body)).items).map((id) => made.indexOf(id))

  test('R2, R37: are found by address in any case: its own, its record’s, and its CRM person’s', async () => {
    expect(await found({ email: ' Pat@EXAMPLE.com ' })).toEqual([0, 1, 2, 3])
    expect(await found({ email: 'kim@example.com' })).toEqual([4])
    expect(await found({ email: 'nobody@example.com' })).toEqual([])
  })

  test('are found by record, and by the person in the CRM', async () => {
    expect(await found({ recordId: recordIds[0] })).toEqual([0, 1])
    expect(await found({ recordId: recordIds[2] })).toEqual([3])
    expect(await found({ recordId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071' })).toEqual([])
    expect(await found({ crm: { entity: 'contact', id: 'C1' } })).toEqual([0, 1])
    expect(await found({ crm: { entity: 'lead', id: 'C1' } })).toEqual([5])
  })

  test('are narrowed by code, kind and phase', async () => {
    expect(await found({ email: 'pat@example.com', code: 'noEmail' })).toEqual([3])
    expect(await found({ email: 'pat@example.com', kind: 'skipped' })).toEqual([2, 3])
    expect(await found({ email: 'pat@example.com', phase: 'pull' })).toEqual([1])
    expect(await found({ code: 'crmFailed' })).toEqual([1, 5])
    expect(await found({})).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('come page by page, with a cursor that fits this search only', async () => {
    const path = `/v1/runs/${runId}`
    expect(await allPages(path, { email: 'pat@example.com', limit: 1 })).toEqual(made.slice(0, 4))
    const { nextCursor: cursor } = await search(path, { email: 'pat@example.com', limit: 1 })
    for (const [url, body] of [
      [path, { email: 'kim@example.com', cursor }],
      [path, { email: 'pat@example.com', kind: 'skipped', cursor }],
      [`/v1/lists/${listId}`, { email: 'pat@example.com', cursor }],
    ] as const)
      expect((await api.call('POST', `${url}/entries/search`, { body })).body.code).toBe('invalidCursor')
  })

  test('of another list or account are not among them', async () => {
    const elsewhere = await freshList('elsewhere')
    const run = await addRun(api.db, api.account.id, { listId: elsewhere })
    await addEntries(elsewhere, run, [{ kind: 'skipped', code: 'noEmail', crmEntity: 'contact', crmId: 'C1' }])
    expect((await search(`/v1/lists/${listId}`, { crm: { entity: 'contact', id: 'C1' } })).items).toHaveLength(2)
    for (const path of [`/v1/runs/${runId}`, `/v1/lists/${listId}`]) {
      const answer = await api.call('POST', `${path}/entries/search`, { key: api.stranger.keys.admin, body: {} })
      expect(answer.body.code).toBe('notFound')
    }
  })

  test.for([
    [{ email: 'a@example.com', recordId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071' }, 'body'],
    [{ email: ' ' }, 'email'],
    [{ email: `${'x'.repeat(320)}@example.com` }, 'email'],
    [{ recordId: 'C1' }, 'recordId'],
    [{ crm: { entity: 'account', id: 'C1' } }, 'crm.entity'],
    [{ crm: { entity: 'lead' } }, 'crm.id'],
    [{ kind: 'lost' }, 'kind'],
    [{ phase: 'later' }, 'phase'],
    [{ limit: 201 }, 'limit'],
    [{ surprise: 1 }, 'surprise'],
  ] as const)('%j is refused', async ([body, path]) => {
    for (const url of [`/v1/runs/${runId}/entries/search`, `/v1/lists/${listId}/entries/search`]) {
      const answer = await api.call('POST', url, { body })
      expect([answer.body.code, answer.body.errors[0].path]).toEqual(['invalidInput', path])
    }
  })
})

test('fields whose column was removed since are named as it was', async () => {
  const listId = await freshList('removed column')
  const runId = await addRun(api.db, api.account.id, { listId, kind: 'undo' })
  const warnings = [{ code: 'notRestored', field: 'c8' }]
  await addEntries(listId, runId, [{ kind: 'updated', changes: { c8: { before: 'CEO', after: 'CTO' } }, warnings }])
  const url = `/v1/lists/${listId}/columns`
  const { body } = await api.call('GET', url)
  const { id, name } = body.items.find(({ key }: { key: string }) => key === 'c8')
  expect((await api.call('DELETE', `${url}/${id}`)).status).toBeLessThan(300)
  const [entry] = (await api.call('GET', `/v1/runs/${runId}/entries`)).body.items
  expect(entry).toMatchObject({ changes: { [name]: { before: 'CEO', after: 'CTO' } }, warnings: [{ field: name }] })
  expect(entry.warnings[0].message).toContain(name)
})

describe('what was created', () => {
  test('is what the pull put on the list and what the push put into the CRM, in the order of time', async () => {
    const listId = await freshList('created')
    const runId = await addRun(api.db, api.account.id, { listId, kind: 'sync' })
    const pulled = (crmId: string) => ({
      fields: { c1: `${crmId}@example.com` },
      crmEntity: 'contact' as const,
      crmId,
      createdRunId: runId,
    })
    const [first] = await addRecords(api.db, api.secrets, api.account.id, listId, [pulled('C1')])
    const [pushed] = await addEntries(listId, runId, [
      { kind: 'created', recordId: first!, crmEntity: 'lead', crmId: 'Q1', changes: { c8: { after: 'CEO' } } },
    ])
    const [second] = await addRecords(api.db, api.secrets, api.account.id, listId, [pulled('C2')])
    const expected = [first, pushed, second]
    const { body } = await api.call('GET', `/v1/runs/${runId}/entries?kind=created`)
    expect(ids(body.items)).toEqual(expected)
    expect(body.items.map(({ phase, crm }: { phase: string; crm: { id: string } }) => [phase, crm.id])).toEqual([
      ['pull', 'C1'],
      ['push', 'Q1'],
      ['pull', 'C2'],
    ])
    expect(body.items[1].changes).toEqual({ Title: { after: 'CEO' } })
    for (const limit of [1, 2])
      expect(await allPages(`/v1/runs/${runId}`, { kind: 'created', limit })).toEqual(expected)
    expect(await allPages(`/v1/runs/${runId}`, { kind: 'created', phase: 'push' })).toEqual([pushed])
    expect(await allPages(`/v1/runs/${runId}`, { kind: 'created', code: 'linkedByEmail' })).toEqual([])
    expect(await allPages(`/v1/runs/${runId}`, { email: 'c2@example.com' })).toEqual([second])
    expect(await allPages(`/v1/runs/${runId}`, {})).toEqual([pushed])
    expect(await allPages(`/v1/lists/${listId}`, { kind: 'created', limit: 1 })).toEqual(expected.toReversed())
    expect(await allPages(`/v1/lists/${listId}`, { email: 'c1@example.com', limit: 1 })).toEqual([pushed, first])
  })
})

describe('entries of all runs of a list', () => {
  test('come newest first, a renewed one by its last run; they stay when the list is removed', async () => {
    const listId = await freshList('history')
    const runs = []
    for (let index = 0; index < 3; index += 1) runs.push(await addRun(api.db, api.account.id, { listId, kind: 'sync' }))
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))
    const [renewed] = await addEntries(listId, runs[0]!, [
      {
        kind: 'rejected',
        code: 'noRight',
        crmEntity: 'contact',
        crmId: 'C1',
        lastRunId: runs[2]!,
        times: 3,
        at: at(9),
      },
    ])
    const [older] = await addEntries(listId, runs[0]!, [
      { kind: 'updated', crmEntity: 'contact', crmId: 'C2', at: at(1) },
    ])
    const same = await addEntries(listId, runs[1]!, [
      { kind: 'updated', crmEntity: 'contact', crmId: 'C3', at: at(5) },
      { kind: 'updated', crmEntity: 'contact', crmId: 'C4', at: at(5) },
      { kind: 'updated', crmEntity: 'contact', crmId: 'C5', at: at(5) },
    ])
    const expected = [renewed, ...same.toReversed(), older]
    expect(await allPages(`/v1/lists/${listId}`, {})).toEqual(expected)
    for (const limit of [1, 2, 3]) expect(await allPages(`/v1/lists/${listId}`, { limit })).toEqual(expected)
    expect(await allPages(`/v1/lists/${listId}`, { code: 'noRight' })).toEqual([renewed])
    await api.call('DELETE', `/v1/lists/${listId}`)
    expect(await allPages(`/v1/lists/${listId}`, {})).toEqual(expected)
  })
})

describe('causes', () => {
  test('a renewed entry counts once for each run from its first to its last', async () => {
    const listId = await freshList('renewed')
    const runs = []
    for (let index = 0; index < 4; index += 1) runs.push(await addRun(api.db, api.account.id, { listId, kind: 'sync' }))
    await addEntries(listId, runs[0]!, [
      { kind: 'rejected', code: 'requiredMissing', crmId: 'a', lastRunId: runs[2]!, times: 3 },
      { kind: 'rejected', code: 'requiredMissing', crmId: 'b', lastRunId: runs[1]!, times: 2 },
      { kind: 'skipped', code: 'noEmail', crmId: 'c' },
    ])
    await addEntries(listId, runs[2]!, [{ kind: 'rejected', code: 'requiredMissing', crmId: 'b' }])
    const counts = []
    for (const run of runs) {
      const { items } = (await api.call('GET', `/v1/runs/${run}/causes`)).body
      counts.push(items.map(({ code, count }: { code: string; count: number }) => `${count} ${code}`))
    }
    expect(counts).toEqual([['2 requiredMissing', '1 noEmail'], ['2 requiredMissing'], ['2 requiredMissing'], []])
  })

  test.for(
    'existsNotUpdated notFoundNotAdded noEmail needsDecision mergedIntoRecord removedHere notAdded notUpdated requiredMissing crmChanged deletedInCrm converted merged linkedByEmail differsHere missingHere pendingHere'.split(
      ' ',
    ),
  )('R25: %s has a sentence and a remedy of its own', (code) => {
    const { message, remedy } = causeOf(code)
    expect(`${message} ${remedy}`).toMatch(/^\p{Lu}.*\. \p{Lu}.*\.$/u)
    expect(message).not.toMatch(/code/)
  })
})

test('R8, R28: what was done otherwise than asked is said in a sentence, fields by their names', async () => {
  const listId = await freshList('warned')
  const runId = await addRun(api.db, api.account.id, { listId, kind: 'sync' })
  const warnings = [
    { code: 'valueCut', field: 'c9' },
    { code: 'otherMatches', ids: ['C7', 'C8'] },
    { code: 'noFieldOnLead', field: 'Department' },
    { code: 'addressNotMapped', field: 'c8' },
    { code: 'valueRewritten', field: 'c8' },
    { code: 'requiredMissing', field: 'Company' },
    { code: 'neverHeardOf' },
  ]
  await addEntries(listId, runId, [{ kind: 'updated', warnings }])
  const [entry] = (await search(`/v1/runs/${runId}`, {})).items
  expect(entry.warnings).toEqual([
    { code: 'valueCut', field: 'Hobby', message: expect.stringContaining('Hobby') },
    { code: 'otherMatches', ids: ['C7', 'C8'], message: 'The same address belongs to 2 other people in the CRM.' },
    { code: 'noFieldOnLead', field: 'Department', message: expect.stringContaining('Department') },
    { code: 'addressNotMapped', field: 'Title', message: expect.stringContaining('Title') },
    { code: 'valueRewritten', field: 'Title', message: expect.stringContaining('Title') },
    { code: 'requiredMissing', field: 'Company', message: expect.stringContaining('Company') },
    { code: 'neverHeardOf', message: expect.any(String) },
  ])
  for (const { message } of entry.warnings) expect(message).toMatch(/^\p{Lu}.*\.$/u)
})
