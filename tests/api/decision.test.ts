import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords, addRun } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const furnish = async (account: Account) => {
  const { db, secrets } = api
  const accountId = account.id
  const connectionId = await addConnection(db, accountId)
  const listId = await addList(db, accountId, { connectionId, name: 'Asked', columns: { c8: ['Score', 'number'] } })
  const runId = await addRun(db, accountId, { kind: 'sync', listId, connectionId })
  const people = [{ c1: 'a@example.com' }, { c1: 'b@example.com' }, { c1: 'c@example.com' }]
  const ids = await addRecords(
    db,
    secrets,
    accountId,
    listId,
    people.map((fields) => ({ fields: { ...fields, c3: 'Here', c8: 1.5 } })),
  )
  const candidates = ['C1', 'C2'].map((id) => ({
    entity: 'contact' as const,
    id,
    values: { c3: `Name ${id}`, c99: 1 },
  }))
  const kinds = ['match', 'match', 'successor'] as const
  const rows = ids.map((recordId, at) => {
    const gone = kinds[at] === 'successor' ? { crmEntity: 'lead' as const, crmId: 'L1' } : {}
    return { accountId, listId, recordId, kind: kinds[at]!, candidates, runId, ...gone }
  })
  const made = await db.insert(t.decisions).values(rows).returning()
  return {
    listId,
    ids,
    decisionIds: made.map(({ id }) => id),
    find: (query = '', key = account.keys.viewer) => api.call('GET', `/v1/decisions${query}`, { key }),
    decide: (id: string, body: unknown, key = account.keys.marketer) =>
      api.call('POST', `/v1/decisions/${id}`, { body, key }),
  }
}

describe('the decision inbox', () => {
  test('shows a record and its candidates side by side, by the names of the columns, in pages', async () => {
    const { listId, ids, decisionIds, find } = await furnish(await api.newAccount())
    const { body } = await find()
    expect(body.items.map(({ id }: { id: string }) => id)).toEqual(decisionIds.toReversed())
    expect(body.items[0]).toMatchObject({ kind: 'successor', gone: { entity: 'lead', id: 'L1' } })
    expect(body.items[2]).toEqual({
      id: decisionIds[0],
      kind: 'match',
      state: 'open',
      list: { id: listId, name: 'Asked' },
      record: { id: ids[0], values: { Email: 'a@example.com', LastName: 'Here', Score: 1.5 } },
      gone: null,
      candidates: ['C1', 'C2'].map((id) => ({ entity: 'contact', id, values: { LastName: `Name ${id}` } })),
      since: expect.stringMatching(/Z$/),
      decidedAt: null,
      decidedBy: null,
      chosen: null,
      closedAt: null,
    })
    const first = (await find(`?listId=${listId}&limit=2`)).body
    const second = (await find(`?listId=${listId}&limit=2&cursor=${encodeURIComponent(first.nextCursor)}`)).body
    expect([...first.items, ...second.items]).toEqual(body.items)
  })

  test('takes one of the candidates, once, and remembers who said so', async () => {
    const account = await api.newAccount()
    const { decisionIds, find, decide } = await furnish(account)
    const [match, , successor] = decisionIds as [string, string, string]
    for (const crmId of ['C3', null])
      expect((await decide(match, { crmId })).body).toMatchObject({
        status: 422,
        errors: [{ path: 'crmId', message: expect.stringContaining('C1, C2') }],
      })
    for (const body of [{}, { crmId: 1 }, { crmId: 'C1', why: 'so' }])
      expect((await decide(match, body)).status).toBe(422)
    const answer = await decide(match, { crmId: 'C2' })
    expect(answer).toMatchObject({
      status: 200,
      body: { state: 'decided', chosen: { entity: 'contact', id: 'C2' }, decidedBy: expect.any(String) },
    })
    expect((await decide(match, { crmId: 'C1' })).body).toMatchObject({ status: 409, code: 'alreadyDecided' })
    expect((await decide(successor, { crmId: null })).body).toMatchObject({ state: 'decided', chosen: null })
    expect((await find()).body.items).toHaveLength(1)
    expect((await find('?state=decided')).body.items).toHaveLength(2)
    expect((await find('?state=all')).body.items).toHaveLength(3)
    const audit = (await api.call('GET', '/v1/audit', { key: account.keys.admin })).body.items
    expect(audit.slice(0, 2)).toMatchObject([
      { action: 'decision.make', targetId: successor, details: { kind: 'successor', answer: 'nobody' } },
      { action: 'decision.make', targetId: match, details: { kind: 'match', answer: 'person' } },
    ])
  })

  test('of two answers at once one holds', async () => {
    const { decisionIds, decide } = await furnish(await api.newAccount())
    const answers = await Promise.all(['C1', 'C2'].map((crmId) => decide(decisionIds[0]!, { crmId })))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
  })

  test('R36: is nobody else’s, and a viewer decides nothing', async () => {
    const account = await api.newAccount()
    const { listId, decisionIds, find, decide } = await furnish(account)
    const { keys } = await api.newAccount()
    expect((await find('', keys.viewer)).body.items).toEqual([])
    expect((await find(`?listId=${listId}`, keys.viewer)).status).toBe(404)
    expect((await decide(decisionIds[0]!, { crmId: 'C1' }, keys.admin)).status).toBe(404)
    expect((await decide(decisionIds[0]!, { crmId: 'C1' }, account.keys.viewer)).status).toBe(403)
    expect((await find()).body.items).toHaveLength(3)
  })
})
