import { and, eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addConnection, addList } from './rows.ts'

let api: TestApi
let account: Account
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const connected = async (): Promise<Account> => {
  account = await api.newAccount()
  await addConnection(api.db, account.id)
  return account
}
const start = (body: unknown, headers: Record<string, string> = {}) =>
  api.call('POST', '/v1/imports', { key: account.keys.marketer, body, headers })
const listsOf = async () => (await api.call('GET', '/v1/lists', { key: account.keys.viewer })).body.items

describe('imports', () => {
  test('I1, I4: the answer is 202 with the run and its place; the list is there at once', async () => {
    await connected()
    const answer = await start({ entity: 'lead', fields: ['WorkPhone', 'Address/City'] })
    expect(answer).toMatchObject({
      status: 202,
      body: { kind: 'import', state: 'queued', list: { name: 'All Infor CRM Leads' } },
    })
    expect(answer.headers['location']).toBe(`/v1/runs/${answer.body.id}`)
    expect(await listsOf()).toMatchObject([
      {
        name: 'All Infor CRM Leads',
        kind: 'crmLeads',
        position: 0,
        folder: { name: 'Default' },
        lastRun: { id: answer.body.id },
      },
    ])
    const columns = await api.call('GET', `/v1/lists/${answer.body.list.id}/columns`, { key: account.keys.viewer })
    const names = columns.body.items.map(({ crmField }: { crmField: string }) => crmField)
    expect(names).toEqual(expect.arrayContaining(['Email', 'FirstName', 'LastName', 'WorkPhone', 'Address/City']))
  })

  test('a second import of the entity while one runs answers 200 with the running one', async () => {
    await connected()
    const first = await start({ entity: 'contact' })
    const second = await start({ entity: 'contact' })
    expect(second).toMatchObject({ status: 200, body: { id: first.body.id } })
    expect(await listsOf()).toHaveLength(1)
  })

  test('I4: an entity that has a list answers 409 with that list', async () => {
    await connected()
    const { body } = await start({ entity: 'lead' })
    await api.db.update(t.runs).set({ state: 'succeeded' }).where(eq(t.runs.id, body.id))
    const again = await start({ entity: 'lead' })
    expect(again.body).toMatchObject({ status: 409, code: 'alreadyImported', list: body.list })
    const more = await start({ entity: 'lead', newList: true })
    expect(more).toMatchObject({ status: 202, body: { list: { name: 'All Infor CRM Leads (2)' } } })
  })

  test('a list that is renamed to the new name at that moment makes it the next one', async () => {
    await connected()
    const listId = await addList(api.db, account.id, { name: 'Prospects' })
    const rename = (name: string) =>
      api.call('PATCH', `/v1/lists/${listId}`, { key: account.keys.marketer, body: { name, position: 0 } })
    for (let round = 1; round <= 15; round += 1) {
      const name = `All Infor CRM Leads${round === 1 ? '' : ` (${round})`}`
      const answers = await Promise.all([start({ entity: 'lead', newList: true }), rename(name)])
      expect([answers[0].status, [200, 409].includes(answers[1].status)]).toEqual([202, true])
      await rename('Prospects')
    }
  })

  test.for([
    ['unknownField', ['Title', 'NoSuchField'], 'fields[1]'],
    ['secretField', ['UserPassword'], 'fields[0]'],
    ['duplicateField', ['Title', 'WorkPhone', 'title'], 'fields[2]'],
  ] as const)('%s names its place and stores nothing', async ([code, fields, path]) => {
    await connected()
    const answer = await start({ entity: 'lead', fields })
    expect(answer.body).toMatchObject({ status: 422, code, errors: [{ path }] })
    expect(await listsOf()).toEqual([])
    expect((await api.call('GET', '/v1/runs', { key: account.keys.viewer })).body.items).toEqual([])
    const sent = await api.db.select().from(t.outbox).where(eq(t.outbox.accountId, account.id))
    expect(sent).toEqual([])
  })
})

describe('Idempotency-Key', () => {
  const key = () => ({ 'idempotency-key': `key-${Math.random()}` })

  test('the same request with the same key gets the same answer and starts nothing twice', async () => {
    await connected()
    const headers = key()
    const first = await start({ entity: 'lead' }, headers)
    await api.db.update(t.runs).set({ state: 'succeeded' }).where(eq(t.runs.id, first.body.id))
    const second = await start({ entity: 'lead' }, headers)
    expect([second.status, second.headers['location'], second.body]).toEqual([
      202,
      first.headers['location'],
      first.body,
    ])
    expect(await listsOf()).toHaveLength(1)
  })

  test('another request with the same key answers 409', async () => {
    await connected()
    const headers = key()
    await start({ entity: 'lead' }, headers)
    for (const body of [{ entity: 'contact' }, { entity: 'lead', newList: true }]) {
      expect((await start(body, headers)).body).toMatchObject({ status: 409, code: 'idempotencyMismatch' })
    }
    expect(await listsOf()).toHaveLength(1)
  })

  test('the same key means nothing in another account', async () => {
    const headers = key()
    await connected()
    const first = await start({ entity: 'lead' }, headers)
    await connected()
    const second = await start({ entity: 'lead' }, headers)
    expect(second.status).toBe(202)
    expect(second.body.id).not.toBe(first.body.id)
  })

  test('ten at once start one', async () => {
    await connected()
    const headers = key()
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => start({ entity: 'lead', newList: true }, headers)),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
    expect(await listsOf()).toHaveLength(1)
  })

  test('a request that failed gives its key back', async () => {
    account = await api.newAccount()
    const headers = key()
    expect((await start({ entity: 'lead' }, headers)).body.code).toBe('notConnected')
    await addConnection(api.db, account.id)
    expect((await start({ entity: 'lead' }, headers)).status).toBe(202)
  })

  test('a repetition waits for the first request however long that takes, and starts nothing', async () => {
    await connected()
    const headers = key()
    const sql = api.db.$client
    const waiting = (count: number) =>
      vi.waitFor(async () => {
        const blocked = await sql`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        expect(blocked).toHaveLength(count)
      })
    const ask = () => start({ entity: 'lead', newList: true }, headers)
    const asked: ReturnType<typeof ask>[] = []
    await sql.begin(async (tx) => {
      await tx`lock table lists in share row exclusive mode`
      asked.push(ask())
      await waiting(1)
      await sql`update idempotency set created_at = now() - interval '61 seconds' where account_id = ${account.id}`
      asked.push(ask())
      await waiting(2)
    })
    const [first, second] = await Promise.all(asked)
    expect([second!.status, second!.body]).toEqual([202, first!.body])
    expect(await listsOf()).toHaveLength(1)
  })

  test('a request that breaks off after its work was stored is answered when it is repeated', async () => {
    await connected()
    const headers = key()
    const { relay } = api.services
    api.services.relay = () => Promise.reject(new Error('broken off'))
    expect((await start({ entity: 'lead', newList: true }, headers)).status).toBe(500)
    api.services.relay = relay
    const { status, body } = await start({ entity: 'lead', newList: true }, headers)
    expect([status, body.list.name]).toEqual([202, 'All Infor CRM Leads'])
    expect(await listsOf()).toHaveLength(1)
  })

  test.for(['audit', 'idempotency', 'outbox'])(
    'a start that fails at its row of %s leaves nothing, neither work nor key',
    async (table) => {
      await connected()
      const headers = key()
      const sql = api.db.$client
      await sql.unsafe(`create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end';
        create trigger refuse before insert on ${table} execute function refuse()`)
      expect((await start({ entity: 'lead' }, headers)).status).toBe(500)
      await sql.unsafe('drop function refuse cascade')
      const audited = () =>
        api.db
          .select()
          .from(t.audit)
          .where(and(eq(t.audit.accountId, account.id), eq(t.audit.action, 'import.start')))
      for (const each of [t.lists, t.runs, t.outbox, t.idempotency])
        expect(await api.db.select().from(each).where(eq(each.accountId, account.id))).toEqual([])
      expect(await audited()).toEqual([])
      expect((await start({ entity: 'lead' }, headers)).status).toBe(202)
      expect(await audited()).toHaveLength(1)
    },
  )

  test('ten at once with keys of their own start ten', async () => {
    await connected()
    const answers = await Promise.all(Array.from({ length: 10 }, () => start({ entity: 'lead', newList: true }, key())))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
    expect(await listsOf()).toHaveLength(10)
  })

  test('a key counts for a day', async () => {
    await connected()
    const headers = key()
    const first = await start({ entity: 'lead' }, headers)
    const age = (interval: string) =>
      api.db.$client`update idempotency set created_at = now() - ${interval}::interval where account_id = ${account.id}`
    await age('23 hours')
    expect((await start({ entity: 'lead' }, headers)).status).toBe(202)
    await age('25 hours')
    expect(await start({ entity: 'lead' }, headers)).toMatchObject({ status: 200, body: { id: first.body.id } })
    expect((await start({ entity: 'lead' }, headers)).status).toBe(200)
  })

  test('a key that is no key is refused', async () => {
    await connected()
    for (const bad of ['', 'has blanks', 'x'.repeat(256)]) {
      const answer = await start({ entity: 'lead' }, { 'idempotency-key': bad })
      expect(answer.body).toMatchObject({ code: 'invalidInput', errors: [{ path: 'idempotency-key' }] })
    }
  })
})
