import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FieldType } from '../../src/domain/crm.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type Answer, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords } from './rows.ts'

const types = {
  c8: ['Title', 'text', 'Title'],
  c9: ['Budget', 'number', 'CBudget'],
  c20: ['Note', 'text', null],
} satisfies Record<string, [string, FieldType, string | null]>

let api: TestApi
let connectionId: string
let count = 0

beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())

const newList = () => addList(api.db, api.account.id, { connectionId, name: `List ${(count += 1)}`, columns: types })
const path = (list: string) => `/v1/lists/${list}/records`

type Match = 'email' | 'externalId'
const bulk = (list: string, match: Match, records: unknown[], more: Record<string, unknown> = {}): Promise<Answer> =>
  api.call('POST', `${path(list)}/bulk`, { body: { match, records, ...more }, key: api.account.keys.marketer })

type Result = { result: string; id: string | null; others: number; code: string | null; path: string | null }
const resultsOf = ({ status, body }: Answer): Result[] => {
  expect(status).toBe(200)
  return body.results
}
const kinds = (answer: Answer): string[] => resultsOf(answer).map(({ result }) => result)
const all = async (list: string) => (await api.call('GET', `${path(list)}?limit=200`)).body.items
const expectCounted = async (list: string): Promise<number> => {
  const [row] = await api.db.$client<{ live: number; counted: number }[]>`
    select (select count(*)::int from records where list_id = l.id and removed_at is null) as live, record_count as counted
    from lists l where id = ${list}`
  expect(row!.counted).toBe(row!.live)
  return row!.live
}

/** Records that were there before, straight in the table. */
const add = async (list: string, rows: Parameters<typeof addRecords>[4]): Promise<string[]> => {
  if (rows.length === 0) return []
  const ids = await addRecords(api.db, api.secrets, api.account.id, list, rows)
  await api.db.$client`update lists set record_count = record_count + ${ids.length} where id = ${list}`
  return ids
}

describe('a bulk of records', () => {
  test('has a result for each row in order; a bad row harms no other', async () => {
    const list = await newList()
    const [there = ''] = await add(list, [
      { fields: { c1: 'Pat@Example.com', c2: 'Pat', c8: 'CEO' }, crmEntity: 'lead', crmId: 'Q1' },
    ])
    const answer = await bulk(list, 'email', [
      { email: 'new@example.com', fields: { Title: 'CTO' } },
      { email: ' PAT@example.com', fields: { Title: 'CFO' } },
      { email: 'pat@example.com', fields: { Title: 'CFO' } },
      { email: 'nobody' },
      { lastName: 'x', fields: { CBudget: 'much', Nothing: 1 } },
      { lastName: 'x', surprise: 1 },
      { lastName: 7 },
      'x',
      null,
      {},
      { lastName: 'a\u0000' },
      { email: 'new@example.com', lastName: 'Kim' },
    ])
    expect(resultsOf(answer).map(({ result, code, path }) => [result, code, path])).toEqual([
      ['created', null, null],
      ['updated', null, null],
      ['unchanged', null, null],
      ['rejected', 'invalidInput', 'records[3].email'],
      ['rejected', 'invalidInput', 'records[4].fields.CBudget'],
      ['rejected', 'invalidInput', 'records[5].surprise'],
      ['rejected', 'invalidInput', 'records[6].lastName'],
      ['rejected', 'invalidInput', 'records[7]'],
      ['rejected', 'invalidInput', 'records[8]'],
      ['rejected', 'invalidInput', 'records[9]'],
      ['rejected', 'invalidInput', 'records[10].lastName'],
      ['updated', null, null],
    ])
    expect(answer.body.counts).toEqual({ created: 1, updated: 2, unchanged: 1, skipped: 0, rejected: 8 })
    for (const each of answer.body.results) expect(typeof each.message).toBe(each.code === null ? 'object' : 'string')
    const [first, second, third, ...rest] = resultsOf(answer)
    expect([second?.id, third?.id, rest.at(-1)?.id]).toEqual([there, there, first?.id])
    expect(await all(list)).toMatchObject([
      // The same address in other letters is what it was found by, and no change.
      { id: there, email: 'Pat@Example.com', fields: { Title: 'CFO' }, pending: ['Title'], version: 2 },
      { id: first?.id, email: 'new@example.com', lastName: 'Kim', fields: { Title: 'CTO' }, pending: [], version: 1 },
    ])
    expect(await expectCounted(list)).toBe(2)
  })

  test('R1: several with the address: the one in the CRM is changed, else the oldest, and the rest are counted', async () => {
    const list = await newList()
    const fields = (email: string) => ({ fields: { c1: email } })
    const [, gone, linked, oldest] = await add(list, [
      fields('a@example.com'),
      { ...fields('a@example.com'), crmEntity: 'lead', crmId: 'GONE' },
      { ...fields('a@example.com'), crmEntity: 'lead', crmId: 'HERE' },
      fields('b@example.com'),
      fields('b@example.com'),
      { ...fields('c@example.com'), removedAt: new Date() },
    ])
    await api.db
      .insert(t.crmPeople)
      .values({ connectionId, entity: 'lead', crmId: 'GONE', accountId: api.account.id, state: 'deletedInCrm' })
    const answer = await bulk(
      list,
      'email',
      ['a', 'b', 'c'].map((name) => ({ email: `${name.toUpperCase()}@example.com`, lastName: 'x' })),
    )
    expect(resultsOf(answer)).toMatchObject([
      { result: 'updated', id: linked, others: 2 },
      { result: 'updated', id: oldest, others: 1 },
      { result: 'created', others: 0 },
    ])
    expect(linked).not.toBe(gone)
  })

  test('R6: rows without an address are always new when matched by it', async () => {
    const list = await newList()
    const rows = [{ lastName: 'x' }, { lastName: 'x', email: ' ' }]
    expect(kinds(await bulk(list, 'email', rows))).toEqual(['created', 'created'])
    expect(kinds(await bulk(list, 'email', rows))).toEqual(['created', 'created'])
    expect(await expectCounted(list)).toBe(4)
  })

  test('matched by external id changes the address too, and needs the id', async () => {
    const list = await newList()
    const one = resultsOf(await bulk(list, 'externalId', [{ externalId: ' a ', email: 'a@example.com' }]))[0]!
    const answer = await bulk(list, 'externalId', [
      { externalId: 'a', email: 'b@example.com' },
      { email: 'b@example.com' },
      { externalId: '', email: 'b@example.com' },
      { externalId: 'b', email: 'b@example.com' },
    ])
    expect(resultsOf(answer)).toMatchObject([
      { result: 'updated', id: one.id },
      { result: 'rejected', path: 'records[1].externalId' },
      { result: 'rejected', path: 'records[2].externalId' },
      { result: 'created' },
    ])
    const found = await bulk(list, 'email', [{ email: 'B@example.com', lastName: 'x' }])
    expect(resultsOf(found)).toMatchObject([{ result: 'updated', id: one.id, others: 1 }])
  })

  test('onMatch skip leaves those that are there, also those that the rows before have made', async () => {
    const list = await newList()
    const [id] = await add(list, [{ fields: { c1: 'a@example.com', c3: 'old' } }])
    const rows = ['a', 'b', 'b'].map((name) => ({ email: `${name}@example.com`, lastName: 'new' }))
    const answer = await bulk(list, 'email', rows, { onMatch: 'skip' })
    expect(kinds(answer)).toEqual(['skipped', 'created', 'skipped'])
    expect(resultsOf(answer)[0]?.id).toBe(id)
    expect((await all(list)).map(({ lastName }: { lastName: string }) => lastName)).toEqual(['old', 'new'])
  })

  test('an external id that another record has rejects the row and names that record', async () => {
    const list = await newList()
    const [owner, removed] = await add(list, [
      { fields: { c3: 'x' }, externalId: 'taken' },
      { fields: { c3: 'y' }, externalId: 'gone', removedAt: new Date() },
    ])
    const answer = await bulk(list, 'email', [
      { email: 'a@example.com', externalId: 'taken' },
      { email: 'b@example.com', externalId: 'gone' },
      { email: 'c@example.com', externalId: 'new' },
      { email: 'd@example.com', externalId: 'new' },
    ])
    const [, , made] = resultsOf(answer)
    expect(resultsOf(answer)).toMatchObject([
      { result: 'rejected', code: 'externalIdTaken', id: owner, path: 'records[0].externalId' },
      { result: 'rejected', code: 'externalIdTaken', id: removed },
      { result: 'created' },
      { result: 'rejected', code: 'externalIdTaken', id: made!.id },
    ])
    const byId = await bulk(list, 'externalId', [{ externalId: 'gone', lastName: 'z' }])
    expect(resultsOf(byId)).toMatchObject([{ result: 'rejected', code: 'recordRemoved', id: removed }])
  })

  test('an external id leads to the record that took the place of its own', async () => {
    const list = await newList()
    const [c = ''] = await add(list, [{ fields: { c3: 'c' }, externalId: 'mine' }])
    const [b = ''] = await add(list, [{ fields: { c3: 'b' }, removedAt: new Date(), mergedInto: c }])
    await add(list, [{ fields: { c3: 'a' }, externalId: 'theirs', removedAt: new Date(), mergedInto: b }])
    const answer = await bulk(list, 'externalId', [{ externalId: 'theirs', lastName: 'new' }])
    expect(resultsOf(answer)).toMatchObject([{ result: 'updated', id: c }])
    expect(await all(list)).toMatchObject([{ id: c, lastName: 'new', externalId: 'mine' }])
  })

  test('external ids may change hands within one request', async () => {
    const list = await newList()
    await add(list, [
      { fields: { c1: 'a@example.com' }, externalId: '1' },
      { fields: { c1: 'b@example.com' }, externalId: '2' },
    ])
    const answer = await bulk(list, 'email', [
      { email: 'a@example.com', externalId: null },
      { email: 'b@example.com', externalId: '1' },
      { email: 'a@example.com', externalId: '2' },
      { email: 'c@example.com', externalId: 'x' },
      { email: 'c@example.com', externalId: 'y' },
      { email: 'd@example.com', externalId: 'x' },
    ])
    expect(kinds(answer)).toEqual(['updated', 'updated', 'updated', 'created', 'updated', 'created'])
    const pairs = (await all(list)).map((each: { email: string; externalId: string }) => [
      each.email[0],
      each.externalId,
    ])
    expect(pairs).toEqual([
      ['a', '2'],
      ['b', '1'],
      ['c', 'y'],
      ['d', 'x'],
    ])
  })

  test.for<[body: Record<string, unknown>, place: string]>([
    [{ match: 'email', records: [] }, 'records'],
    [{ match: 'email', records: Array.from({ length: 1001 }, () => ({ lastName: 'x' })) }, 'records'],
    [{ match: 'name', records: [{}] }, 'match'],
    [{ records: [{}] }, 'match'],
    [{ match: 'email', records: [{}], onMatch: 'never' }, 'onMatch'],
    [{ match: 'email', records: [{}], surprise: 1 }, 'surprise'],
  ])('case %$: the whole is refused when it is no list of rows', async ([body, place]) => {
    const answer = await api.call('POST', `${path(await newList())}/bulk`, { body })
    expect(answer.body).toMatchObject({ status: 422, code: 'invalidInput', errors: [{ path: place }] })
  })

  test('a thousand rows take as few statements as ten', async () => {
    const list = await newList()
    const rows = (from: number, size: number) =>
      Array.from({ length: size }, (_, index) => ({
        email: `p${from + index}@example.com`,
        fields: { Note: `${from}` },
      }))
    const statements = async (records: unknown[]): Promise<number> => {
      const { db } = api
      const before = db.$client.options.debug
      let seen = 0
      db.$client.options.debug = () => void (seen += 1)
      const answer = await bulk(list, 'email', records).finally(() => (db.$client.options.debug = before))
      expect(answer.status).toBe(200)
      return seen
    }
    await statements(rows(0, 5))
    const few = await statements(rows(1, 10))
    const many = await statements(rows(3, 1000))
    expect(few).toBeGreaterThan(3)
    expect(many).toBeLessThanOrEqual(few)
    expect(await expectCounted(list)).toBe(1003)
  })
})

describe('bulks at the same moment', () => {
  test('make each person once, wait for no one for ever, and are counted', async () => {
    const list = await newList()
    const people = Array.from({ length: 60 }, (_, index) => index)
    const shuffled = (seed: number) => people.toSorted((a, b) => ((a * 7919 + seed) % 61) - ((b * 7919 + seed) % 61))
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, seed) =>
        bulk(
          list,
          seed % 2 === 0 ? 'email' : 'externalId',
          shuffled(seed).map((each) => ({
            email: `p${each}@example.com`,
            externalId: `x${each}`,
            lastName: `${seed}`,
          })),
        ),
      ),
    )
    for (const answer of answers) expect(kinds(answer).every((kind) => kind !== 'rejected')).toBe(true)
    expect(await expectCounted(list)).toBe(60)
  })

  test('as single changes, new records, removals and restores leave everything in order', async () => {
    const list = await newList()
    const ids = await add(
      list,
      Array.from({ length: 20 }, (_, index) => ({
        fields: { c1: `q${index}@example.com` },
        crmEntity: 'lead' as const,
        crmId: `Q${index}`,
      })),
    )
    const work = ids.flatMap((id, index) => [
      api.call('PATCH', `${path(list)}/${id}`, { body: { fields: { Title: `t${index}` }, externalId: `e${index}` } }),
      api.call('DELETE', `${path(list)}/${id}`),
      api.call('POST', `${path(list)}/${id}/restore`),
      api.call('POST', path(list), { body: { email: `q${index}@example.com`, externalId: `n${index % 5}` } }),
      bulk(
        list,
        'email',
        ids.map((_, each) => ({ email: `q${(each + index) % 20}@example.com`, fields: { CBudget: index } })),
      ),
    ])
    for (const { status } of await Promise.all(work)) expect([200, 201, 204, 404, 409]).toContain(status)
    await expectCounted(list)
  })
})

describe('any bulk', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const row = fc.record(
    {
      email: fc.constantFrom('a@example.com', 'A@Example.com', 'b@example.com', 'c@example.com', null, 'wrong'),
      externalId: fc.constantFrom('1', '2', '3', null),
      lastName: fc.oneof(name, fc.constant(null)),
      fields: fc.record(
        { Title: name, CBudget: fc.constantFrom(1, '1.0', '12345678901234567.89', 'wrong'), Note: name },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
  const present = fc.record({
    email: fc.constantFrom('a@example.com', 'b@example.com', null),
    externalId: fc.option(fc.constantFrom('1', '2'), { nil: null }),
    title: fc.option(name, { nil: undefined }),
    linked: fc.boolean(),
    removed: fc.constantFrom(true, false, false),
  })

  type Present = { email: string | null; externalId: string | null; title?: string; linked: boolean; removed: boolean }
  const furnish = async (people: Present[]): Promise<string> => {
    const list = await newList()
    await add(
      list,
      people.map(({ email, externalId, title, linked, removed }, index) => ({
        fields: { c1: email, ...(title === undefined ? {} : { c8: title }) },
        externalId,
        ...(linked ? { crmEntity: 'lead' as const, crmId: `Q${index}` } : {}),
        ...(removed ? { removedAt: new Date() } : {}),
      })),
    )
    await api.db.$client`
      update lists set record_count = (select count(*) from records where list_id = ${list} and removed_at is null) where id = ${list}`
    return list
  }

  /** Everything but ids, versions and times, in the order of making. */
  const stateOf = async (list: string) => {
    const rows = await api.db.$client<{ id: string; fields: string; agreed: string }[]>`
      select id::text, fields::text, agreed::text, external_id, encode(email_key, 'hex') as email, removed_at is not null as removed
      from records where list_id = ${list} order by id`
    const order = new Map(rows.map(({ id }, index) => [id, index]))
    return {
      order,
      rows: rows.map(({ id: _id, agreed, ...rest }) => ({ ...rest, agreed: agreed.replaceAll(/"at": "[^"]+"/g, '') })),
    }
  }

  test('does what its rows would do one by one', async () => {
    const people = fc.uniqueArray(present, {
      maxLength: 4,
      selector: ({ externalId }) => externalId ?? Symbol('none'),
    })
    const options = fc.record({
      match: fc.constantFrom<Match>('email', 'externalId'),
      onMatch: fc.constantFrom('update', 'update', 'skip'),
    })
    await fc.assert(
      fc.asyncProperty(people, fc.array(row, { minLength: 1, maxLength: 8 }), options, async (before, rows, asked) => {
        const [together, apart] = [await furnish(before), await furnish(before)]
        const { match, onMatch } = asked
        const results = resultsOf(await bulk(together, match, rows, { onMatch }))
        const single: Result[] = []
        for (const each of rows) single.push(...resultsOf(await bulk(apart, match, [each], { onMatch })))
        const [left, right] = [await stateOf(together), await stateOf(apart)]
        expect(left.rows).toEqual(right.rows)
        const shown = (all: Result[], order: Map<string, number>) =>
          all.map(({ id, path: place, others: _others, ...rest }) => ({
            ...rest,
            id: id === null ? null : order.get(id),
            place: place?.replace(/^records\[\d+\]/, ''),
          }))
        expect(shown(results, left.order)).toEqual(shown(single, right.order))
        await expectCounted(together)
      }),
      { numRuns: 80 },
    )
  })
})
