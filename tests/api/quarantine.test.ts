import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

/** A list of which four records are parked for two causes, with the run that rejected them. */
const furnish = async (account: Account) => {
  const { db, secrets } = api
  const accountId = account.id
  const connectionId = await addConnection(db, accountId)
  const listId = await addList(db, accountId, { connectionId, name: 'Parked' })
  const runId = await addRun(db, accountId, { kind: 'sync', listId, connectionId, entity: 'lead' })
  const people = ['a', 'b', 'c', 'd'].map((name) => ({ fields: { c1: `${name}@example.com` } }))
  const ids = await addRecords(db, secrets, accountId, listId, people)
  const crm = { status: 400, code: 'BadName', message: 'Not this name.' }
  const entries = ids.map((recordId, at) => ({
    accountId,
    listId,
    firstRunId: runId,
    lastRunId: runId,
    phase: 'push',
    kind: 'rejected' as const,
    code: at < 3 ? 'crmRefused' : 'requiredMissing',
    recordId,
    times: 3,
    ...(at < 3 ? { crm } : { warnings: [{ code: 'requiredMissing', field: 'Company' }] }),
  }))
  const made = await db.insert(t.entries).values(entries).returning()
  const rows = made.map(({ id: entryId, recordId, code }, at) => {
    const detail = at < 3 ? 'BadName' : 'Company'
    return { accountId, listId, recordId: recordId!, code: code!, detail, entryId, version: 1, mapping: 'then' }
  })
  await db.insert(t.parkedRecords).values(rows)
  const { keys } = account
  return {
    listId,
    runId,
    ids,
    connectionId,
    entryIds: made.map(({ id }) => id),
    parked: async () => (await db.select().from(t.parkedRecords).where(eq(t.parkedRecords.listId, listId))).length,
    groups: (query = '', key = keys.viewer) => api.call('GET', `/v1/quarantine${query}`, { key }),
    records: (query: string, key = keys.viewer) => api.call('GET', `/v1/quarantine/records?${query}`, { key }),
    release: (body: unknown, key = keys.marketer) => api.call('POST', '/v1/quarantine/release', { body, key }),
    retry: (body: unknown, headers = {}, key = keys.marketer) =>
      api.call('POST', `/v1/runs/${runId}/retry`, { body, headers, key }),
  }
}

describe('R23: the quarantine', () => {
  test('shows causes with sentence, remedy, the CRM’s own words and a few records, in pages', async () => {
    const { listId, ids, groups } = await furnish(await api.newAccount())
    const { body } = await groups()
    expect(body.items).toEqual([
      {
        list: { id: listId, name: 'Parked' },
        code: 'crmRefused',
        detail: 'BadName',
        message: expect.stringMatching(/\.$/),
        remedy: expect.stringMatching(/\.$/),
        said: { status: 400, code: 'BadName', message: 'Not this name.' },
        count: 3,
        since: expect.stringMatching(/Z$/),
        sampleRecordIds: ids.slice(0, 3),
      },
      expect.objectContaining({ code: 'requiredMissing', detail: 'Company', count: 1, said: null }),
    ])
    const first = (await groups(`?listId=${listId}&limit=1`)).body
    const second = (await groups(`?listId=${listId}&limit=1&cursor=${encodeURIComponent(first.nextCursor)}`)).body
    expect([...first.items, ...second.items]).toEqual(body.items)
    expect(second.nextCursor).toBeNull()
  })

  test('shows the records of a cause in pages', async () => {
    const { listId, ids, entryIds, records } = await furnish(await api.newAccount())
    const query = `listId=${listId}&code=crmRefused&detail=BadName&limit=2`
    const first = (await records(query)).body
    const second = (await records(`${query}&cursor=${encodeURIComponent(first.nextCursor)}`)).body
    const shown = [...first.items, ...second.items]
    expect(shown.map(({ recordId, entryId }) => [recordId, entryId])).toEqual(
      ids.slice(0, 3).map((id, at) => [id, entryIds[at]]),
    )
    expect((await records(`listId=${listId}&code=crmRefused`)).body.items).toEqual([])
  })

  test('releases by hand what is named, counts it and writes it down', async () => {
    const account = await api.newAccount()
    const { listId, ids, release, parked } = await furnish(account)
    for (const body of [{}, { recordIds: [] }, { all: true }]) expect((await release(body)).status).toBe(422)
    expect((await release({ listId, code: 'noRight' })).body).toEqual({ released: 0 })
    expect((await release({ recordIds: [ids[0], ids[3]], code: 'crmRefused' })).body).toEqual({ released: 1 })
    expect((await release({ code: 'crmRefused', detail: 'BadName' })).body).toEqual({ released: 2 })
    expect((await release({ listId })).body).toEqual({ released: 1 })
    expect(await parked()).toBe(0)
    const audit = (await api.call('GET', '/v1/audit', { key: account.keys.admin })).body.items
    const said = audit.map(({ action, details }: { action: string; details: unknown }) => [action, details])
    expect(said.slice(0, 3)).toEqual([
      ['quarantine.release', { released: 1 }],
      ['quarantine.release', { released: 2, code: 'crmRefused' }],
      ['quarantine.release', { released: 1, code: 'crmRefused', records: 2 }],
    ])
  })

  test('R36: is nobody else’s, and a viewer changes nothing', async () => {
    const account = await api.newAccount()
    const { listId, ids, groups, records, release, retry, parked } = await furnish(account)
    const { viewer, marketer } = (await api.newAccount()).keys
    expect((await groups('', viewer)).body).toEqual({ items: [], nextCursor: null })
    expect((await groups(`?listId=${listId}`, viewer)).status).toBe(404)
    expect((await records(`listId=${listId}&code=crmRefused&detail=BadName`, viewer)).status).toBe(404)
    expect((await release({ recordIds: ids }, marketer)).body).toEqual({ released: 0 })
    expect((await release({ listId }, marketer)).status).toBe(404)
    expect((await retry({ code: 'crmRefused' }, {}, marketer)).status).toBe(404)
    expect((await release({ listId }, account.keys.viewer)).status).toBe(403)
    expect((await retry({ code: 'crmRefused' }, {}, account.keys.viewer)).status).toBe(403)
    expect(await parked()).toBe(4)
  })
})

describe('R23: a retry', () => {
  test('is a run with its source, once for an idempotency key, and releases what it tries', async () => {
    const account = await api.newAccount()
    const { runId, entryIds, retry, parked } = await furnish(account)
    const body = { entryIds: entryIds.slice(0, 2) }
    const headers = { 'idempotency-key': 'once' }
    const made = await retry(body, headers)
    expect(made).toMatchObject({ status: 202, body: { kind: 'sync', state: 'queued', source: { runId, as: 'retry' } } })
    expect(made.headers['location']).toBe(`/v1/runs/${made.body.id}`)
    expect((await retry(body, headers)).body.id).toBe(made.body.id)
    expect((await retry({ code: 'crmRefused' }, headers)).body.code).toBe('idempotencyMismatch')
    expect(await parked()).toBe(2)
    // that one waits already
    expect((await retry({ code: 'crmRefused' })).body).toMatchObject({ status: 409, code: 'runActive' })
    expect(await parked()).toBe(2)
    const audit = (await api.call('GET', '/v1/audit', { key: account.keys.admin })).body.items
    expect(audit.slice(0, 1)).toMatchObject([
      { action: 'retry.start', targetId: made.body.id, details: { of: runId, entries: 2 } },
    ])
  })

  test('says what it cannot try', async () => {
    const account = await api.newAccount()
    const { listId, connectionId, entryIds, retry, parked } = await furnish(account)
    const other = await furnish(await api.newAccount())
    expect((await retry({ code: 'noRight' })).body).toMatchObject({ status: 409, code: 'nothingToRetry' })
    expect((await retry({ entryIds: [entryIds[0], other.entryIds[0]] })).body).toMatchObject({
      status: 422,
      errors: [{ path: 'entryIds[1]' }],
    })
    for (const body of [{}, { entryIds: [] }, { code: 'crmRefused', entryIds }, { code: 'crmRefused', all: true }])
      expect((await retry(body)).status).toBe(422)
    const upload = await addRun(api.db, account.id, { kind: 'upload', listId, connectionId })
    const answer = await api.call('POST', `/v1/runs/${upload}/retry`, { body: { code: 'invalidCell' } })
    expect(answer.status).toBe(404)
    const own = await api.call('POST', `/v1/runs/${upload}/retry`, {
      body: { code: 'invalidCell' },
      key: account.keys.marketer,
    })
    expect(own.body).toMatchObject({ status: 409, code: 'nothingToRetry' })
    expect(await parked()).toBe(4)
  })
})
