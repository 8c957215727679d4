import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGate } from '../../src/api/record/gate.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { crossed, types } from './awkward.ts'
import { addConnection, addList, addRecords } from './rows.ts'

let api: TestApi
let listId: string
let rows: { id: string; fields: Record<string, unknown> }[]

beforeAll(async () => {
  api = await openApi()
  const { db, secrets, account } = api
  const connectionId = await addConnection(db, account.id)
  listId = await addList(db, account.id, { connectionId, columns: types })
  const fields = crossed(240)
  const ids = await addRecords(
    db,
    secrets,
    account.id,
    listId,
    fields.map((each) => ({ fields: each })),
  )
  rows = ids.map((id, index) => ({ id, fields: fields[index]! }))
})
afterAll(() => api.close())

const search = (body: unknown, key?: string) => api.call('POST', `/v1/lists/${listId}/records/search`, { body, key })

describe('pages', () => {
  const walk = async (query: { sort?: string; order?: string; filter?: unknown; limit: number }) => {
    const seen: string[] = []
    let cursor: string | undefined
    for (let pages = 0; pages < 1000; pages += 1) {
      const answer = await search({ ...query, cursor })
      expect(answer.status).toBe(200)
      seen.push(...answer.body.items.map(({ id }: { id: string }) => id))
      if (answer.body.nextCursor === null) return seen
      expect(answer.body.items).toHaveLength(query.limit)
      cursor = answer.body.nextCursor
    }
    throw new Error('endless')
  }

  test.for(
    ['', 'email', 'lastName', ...Object.keys(types)].flatMap((sort) =>
      (['asc', 'desc'] as const).map((order) => ({ sort, order })),
    ),
  )('sorted by "$sort" $order: every record once, in one order, whatever the page size', async ({ sort, order }) => {
    const by = sort === '' ? {} : { sort }
    const large = await walk({ ...by, order, limit: 200 })
    expect(await walk({ ...by, order, limit: 53 })).toEqual(large)
    expect([...large].sort()).toEqual(rows.map(({ id }) => id).sort())
  })

  test('by id are read by their index, before and after the table is analysed, whatever other lists hold', async () => {
    const { db, secrets, account } = api
    const sql = db.$client
    const other = await addList(db, account.id, { name: 'older' })
    const newest = await addList(db, account.id, { name: 'newest' })
    const [one] = await addRecords(db, secrets, account.id, other, [{ fields: {} }])
    for (const list of [other, newest])
      await sql`
        insert into records (account_id, list_id, fields, agreed) select account_id, ${list}, fields, agreed
        from records, generate_series(1, 4000) where id = ${one!}`
    const ids = (await sql`select id from records where list_id = ${newest} order by id`).map(({ id }) => id as string)
    const pages: Record<string, [name: string, beyond: string, ids: string[]]> = {
      first: ['list_page', '00000000-0000-0000-0000-000000000000', ids.slice(0, 51)],
      deep: ['list_page', ids[2999]!, ids.slice(3000, 3051)],
      last: ['list_page', ids.at(-2)!, ids.slice(-1)],
      'first of the other order': ['list_page_back', 'ffffffff-ffff-ffff-ffff-ffffffffffff', ids.slice(-51).reverse()],
      'last of the other order': ['list_page_back', ids[1]!, ids.slice(0, 1)],
    }
    await sql.begin(async (sql) => {
      for (const state of ['never analysed', 'analysed']) {
        for (const [name, [page, beyond, expected]] of Object.entries(pages)) {
          const read = sql`${sql(page)}(${newest}, ${beyond}, 51)`
          // once before, for what planning reads
          expect((await sql`select ${read} as id`).map(({ id }) => id)).toEqual(expected)
          const [found] = await sql`explain (analyze, buffers, format json) select ${read}`
          const { Plan: plan } = found!['QUERY PLAN'][0]
          expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], `${name}, ${state}`).toBeLessThan(20)
        }
        await sql`analyze records`
      }
    })
  })

  test('text sorts as people expect, numbers by size, blanks and misfits last either way', async () => {
    const listId = await addList(api.db, api.account.id, { name: 'sorted', columns: types })
    const { secrets, account, db } = api
    const names = ['Zoe', 'äffin', 'Ananas', 'ana', null, 'Öde', '']
    const scores = [10, 9, 1.5, '7', -3, null, 100]
    await addRecords(
      db,
      secrets,
      account.id,
      listId,
      names.map((name, index) => ({ fields: { c3: name, c9: scores[index] } })),
    )
    const read = async (sort: string, order: string) => {
      const answer = await api.call('GET', `/v1/lists/${listId}/records?sort=${sort}&order=${order}`)
      return answer.body.items as { lastName: string | null; fields: { Score: unknown } }[]
    }
    const byName = (await read('lastName', 'asc')).map(({ lastName }) => lastName)
    expect(byName).toEqual(['äffin', 'ana', 'Ananas', 'Öde', 'Zoe', null, ''])
    expect((await read('lastName', 'desc')).map(({ lastName }) => lastName).slice(0, 5)).toEqual(
      byName.slice(0, 5).reverse(),
    )
    expect((await read('Score', 'desc')).map(({ fields }) => fields.Score).slice(0, 5)).toEqual([100, 10, 9, 1.5, -3])
  })

  test('a page of a filter and a sort goes on where it ended', async () => {
    const filter = { column: 'c3', operator: 'isNotBlank' }
    const seen = await walk({ filter, sort: 'c9', order: 'desc', limit: 11 })
    const named = rows.filter(({ fields }) => (fields['c3'] ?? '') !== '')
    expect([...seen].sort()).toEqual(named.map(({ id }) => id).sort())
  })

  test('a cursor that was made up, altered, or given for something else is refused', async () => {
    const { nextCursor } = (await search({ limit: 5, sort: 'lastName' })).body
    const flipped = nextCursor.slice(0, -3) + (nextCursor.endsWith('AAA') ? 'BBB' : 'AAA')
    const other = await addList(api.db, api.account.id, { name: 'other', columns: types })
    const attempts = [
      search({ limit: 5, sort: 'lastName', cursor: flipped }),
      search({ limit: 5, sort: 'lastName', cursor: 'made-up' }),
      search({ limit: 5, sort: 'lastName', cursor: '' }),
      search({ limit: 5, sort: 'lastName', order: 'desc', cursor: nextCursor }),
      search({ limit: 5, sort: 'email', cursor: nextCursor }),
      search({ limit: 5, sort: 'lastName', filter: { column: 'c8', operator: 'isBlank' }, cursor: nextCursor }),
      api.call('POST', `/v1/lists/${other}/records/search`, {
        body: { limit: 5, sort: 'lastName', cursor: nextCursor },
      }),
      api.call('GET', `/v1/lists?cursor=${nextCursor}`),
    ]
    for (const answer of await Promise.all(attempts))
      expect(answer.body).toMatchObject({ status: 422, code: 'invalidCursor' })
    const goesOn = await search({ limit: 50, sort: 'lastName', cursor: nextCursor })
    expect(goesOn.status).toBe(200)
  })

  test('R37: a cursor does not show what it sorts by', async () => {
    const { nextCursor } = (
      await search({ limit: 1, sort: 'email', filter: { column: 'email', operator: 'is', value: 'kim@example.org' } })
    ).body
    const parts = nextCursor.split('.').map((part: string) => Buffer.from(part, 'base64url').toString())
    expect(parts.join('') + nextCursor).not.toContain('kim')
  })

  test('an unknown column to sort by is refused', async () => {
    const answer = await api.call('GET', `/v1/lists/${listId}/records?sort=nothing`)
    expect(answer.body).toMatchObject({ code: 'invalidInput', errors: [{ path: 'sort' }] })
  })
})

describe('the gate of searches', () => {
  test('lets some run, those of another account before the next ones of the same, and refuses whoever has too many waiting', async () => {
    const gate = createGate(3, 2)
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const start = (name: string) =>
      gate(name[0]!, () => {
        begun.push(name)
        return new Promise<void>((resolve) => ends.set(name, resolve))
      })
    const all = new Map(['a1', 'a2', 'a3', 'a4', 'a5', 'b1', 'b2'].map((name) => [name, start(name)]))
    await expect(all.get('a5')).rejects.toMatchObject({ code: 'overloaded' })
    expect(begun).toEqual(['a1', 'a2', 'b1'])
    for (const name of ['a1', 'b1', 'a2', 'a3', 'b2', 'a4']) {
      await expect.poll(() => ends.has(name)).toBe(true)
      ends.get(name)!()
      await all.get(name)
    }
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'a4'])
    const failing = gate('a', () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    await gate('a', async () => undefined)
  })
})

describe('a record', () => {
  test('shows values by CRM field, absent ones not at all, blank ones as null (R8)', async () => {
    const { db, secrets, account } = api
    const listId = await addList(db, account.id, {
      name: 'one',
      columns: { ...types, c20: ['Note', 'text', null], c21: ['Title', 'text', null] },
    })
    const fields = { c1: 'Pat@Example.com', c2: 'Pat', c8: 'CEO', c9: 1.5, c10: null, c20: 'plain', c21: 'twin' }
    const [id = ''] = await addRecords(db, secrets, account.id, listId, [{ fields, crmEntity: 'lead', crmId: 'Q1' }])
    const answer = await api.call('GET', `/v1/lists/${listId}/records/${id}`)
    expect(answer.body).toEqual({
      id,
      email: 'Pat@Example.com',
      firstName: 'Pat',
      lastName: null,
      fields: { Title: 'CEO', Score: 1.5, DoNotEmail: null, Note: 'plain', c21: 'twin' },
      crm: { entity: 'lead', id: 'Q1', state: 'linked' },
      externalId: null,
      suppressed: false,
      version: 1,
      pending: [],
      held: [],
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: answer.body.createdAt,
      removedAt: null,
    })
    expect(Math.abs(Date.parse(answer.body.createdAt) - Date.now())).toBeLessThan(60_000)
  })

  test('keeps a decimal that a double cannot hold, as text', async () => {
    const { db, account } = api
    const listId = await addList(db, account.id, { name: 'exact', columns: types })
    const [row] = await db.$client<{ id: string }[]>`
      insert into records (account_id, list_id, fields) values (${account.id}, ${listId}, ${'{"c9":12345678901234567.89}'}::text::jsonb) returning id`
    const path = `/v1/lists/${listId}/records`
    expect((await api.call('GET', `${path}/${row?.id}`)).body.fields.Score).toBe('12345678901234567.89')
    for (const [value, count] of [
      ['12345678901234567.89', 1],
      ['12345678901234567.88', 0],
    ] as const) {
      const found = await api.call('POST', `${path}/search`, {
        body: { filter: { column: 'Score', operator: 'is', value } },
      })
      expect(found.body.items).toHaveLength(count)
    }
  })

  test('R15: says what became of its person in the CRM', async () => {
    const { db, secrets } = api
    const account = await api.newAccount()
    const connectionId = await addConnection(db, account.id)
    const listId = await addList(db, account.id, { connectionId })
    const ids = await addRecords(db, secrets, account.id, listId, [
      { fields: {}, crmEntity: 'lead', crmId: 'Q1' },
      { fields: {}, crmEntity: 'lead', crmId: 'Q2' },
      { fields: {} },
    ])
    await db
      .insert(t.crmPeople)
      .values({ connectionId, entity: 'lead', crmId: 'Q2', accountId: account.id, state: 'deletedInCrm' })
    const answer = await api.call('GET', `/v1/lists/${listId}/records`, { key: account.keys.viewer })
    expect(answer.body.items.map(({ id, crm }: { id: string; crm: unknown }) => [id, crm])).toEqual([
      [ids[0], { entity: 'lead', id: 'Q1', state: 'linked' }],
      [ids[1], { entity: 'lead', id: 'Q2', state: 'deletedInCrm' }],
      [ids[2], null],
    ])
  })

  test('R17: a removed one is not there', async () => {
    const { db, secrets, account } = api
    const listId = await addList(db, account.id, { name: 'removed' })
    const [id = ''] = await addRecords(db, secrets, account.id, listId, [
      { fields: { c1: 'x@example.com' }, removedAt: new Date() },
    ])
    expect((await api.call('GET', `/v1/lists/${listId}/records`)).body.items).toEqual([])
    expect((await api.call('GET', `/v1/lists/${listId}/records/${id}`)).status).toBe(404)
  })

  test('one of another list is not found under this one', async () => {
    const other = await addList(api.db, api.account.id, { name: 'elsewhere' })
    expect((await api.call('GET', `/v1/lists/${other}/records/${rows[0]!.id}`)).status).toBe(404)
  })
})
