import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openApi, type Answer, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords } from './rows.ts'

let api: TestApi
let listId: string
let connectionId: string
let count = 0

beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())
beforeEach(async () => {
  const columns = [{ name: 'City' }, { name: 'Score', type: 'number' }]
  listId = (await post('/v1/lists', { name: `List ${(count += 1)}`, columns })).body.id
})

const post = (path: string, body: unknown = {}): Promise<Answer> =>
  api.call('POST', path, { body, key: api.account.keys.marketer })
const find = (body: unknown = {}) => post(`/v1/lists/${listId}/duplicates`, body)
const remove = (body: unknown = {}) => post(`/v1/lists/${listId}/duplicates/remove`, body)

type Row = Record<string, unknown> & { crmId?: string }
/** Straight in the table; `email`, `first`, `City` and `Score` are values. Answers the ids. */
const fill = async (rows: Row[]): Promise<string[]> => {
  const ids = await addRecords(
    api.db,
    api.secrets,
    api.account.id,
    listId,
    rows.map(({ email, first, City, Score, crmId }) => ({
      fields: { c1: email, c2: first, c8: City, c9: Score },
      ...(crmId === undefined ? {} : { crmId, crmEntity: 'lead' as const }),
    })),
  )
  await api.db.$client`update lists set record_count = record_count + ${ids.length} where id = ${listId}`
  return ids
}
const shown = async (): Promise<{ id: string; email: string | null; firstName: string | null; fields: Row }[]> =>
  (await api.call('GET', `/v1/lists/${listId}/records?limit=200`)).body.items
const groups = ({ body }: Answer): string[][] =>
  body.items.map(({ records }: { records: { id: string }[] }) => records.map(({ id }) => id)).sort()

describe('finding duplicates', () => {
  test('R2: addresses are equal in any case and spacing; records without one are nobody’s duplicates', async () => {
    const [a, b, , , c] = await fill([
      { email: 'Pat@Example.com' },
      { email: ' pat@example.com ' },
      { email: null },
      { email: null },
      { email: 'PAT@EXAMPLE.COM' },
      { email: 'other@example.com' },
    ])
    const found = await find()
    expect(groups(found)).toEqual([[a, b, c]])
    expect(found.body).toMatchObject({ items: [{ count: 3 }], nextCursor: null })
  })

  test('in several columns; one that is blank in any of them is no duplicate', async () => {
    const [a, b] = await fill([
      { first: 'Zoë', City: 'Bern', Score: 1 },
      { first: 'ZOË', City: ' bern ', Score: 1 },
      { first: 'Zoë', City: 'Bern' },
      { first: 'Zoë', City: null, Score: 1 },
      { first: 'Zoë', City: 'Basel', Score: 1 },
    ])
    expect(groups(await find({ by: ['firstName', 'City', 'c9'] }))).toEqual([[a, b]])
    expect((await find({ by: ['firstName'] })).body.items[0].count).toBe(5)
    expect((await find({ by: ['Town'] })).body).toMatchObject({
      code: 'invalidInput',
      errors: [{ path: 'by[0]', message: 'The list has no such column.' }],
    })
  })

  test('page by page, each group once; at most 20 records of a group are shown, and all are counted', async () => {
    await fill(Array.from({ length: 60 }, (_, at) => ({ email: `p${at % 20}@example.com` })))
    await fill(Array.from({ length: 30 }, () => ({ email: 'crowd@example.com' })))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const { body } = await find({ limit: 6, ...(cursor === undefined ? {} : { cursor }) })
      for (const { count, records } of body.items) {
        seen.push(records[0].email)
        expect([count, records.length]).toEqual(records[0].email.startsWith('crowd') ? [30, 20] : [3, 3])
      }
      cursor = body.nextCursor ?? undefined
    } while (cursor !== undefined)
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen).toHaveLength(21)
  })

  test('R36: another account’s list is not found, and a cursor fits only the search that it came of', async () => {
    const theirs = await addList(api.db, api.stranger.id, { name: 'Theirs' })
    expect((await post(`/v1/lists/${theirs}/duplicates`)).body.code).toBe('notFound')
    expect((await post(`/v1/lists/${theirs}/duplicates/remove`)).body.code).toBe('notFound')
    await fill(Array.from({ length: 8 }, (_, at) => ({ email: `p${at % 4}@example.com`, first: `p${at % 4}` })))
    const { nextCursor: cursor } = (await find({ limit: 2 })).body
    expect((await find({ limit: 2, cursor })).status).toBe(200)
    expect((await find({ limit: 2, cursor, by: ['firstName'] })).body.code).toBe('invalidCursor')
  })
})

test('numbers are equal by their size, text in whatever composition and blanks around it', async () => {
  const [a, b, c, d] = await fill([
    { first: 'Andr\u00e9', Score: 1.5 },
    { first: ' Andre\u0301\n', Score: 2 },
    { first: 'x', Score: 3 },
    { first: 'y', Score: 3 },
  ])
  await api.db.$client`update records set fields = jsonb_set(fields, '{c9}', '3.00') where id = ${d!}`
  expect(groups(await find({ by: ['firstName'] }))).toEqual([[a, b]])
  expect(groups(await find({ by: ['Score'] }))).toEqual([[c, d]])
})

describe('removing duplicates', () => {
  test('an external id goes to the record that stays, if that has none', async () => {
    const [a, b] = await fill([
      { email: 'pat@example.com', first: 'Pat' },
      { email: 'pat@example.com', first: 'Pat' },
    ])
    await api.db.$client`update records set external_id = 'shop-1' where id = ${b!}`
    expect((await remove()).body.removed).toBe(1)
    const again = await api.call('POST', `/v1/lists/${listId}/records/bulk`, {
      body: { match: 'externalId', records: [{ externalId: 'shop-1', firstName: 'Patricia' }] },
    })
    expect(again.body.results).toMatchObject([{ result: 'updated', id: a }])
    expect((await post(`/v1/lists/${listId}/records/${b}/restore`)).body.externalId).toBeNull()
  })

  test('R17: the oldest stays and takes over what it lacks; the others can be restored', async () => {
    const [a, b, c] = await fill([
      { email: 'pat@example.com', first: 'Pat', City: null },
      { email: 'PAT@example.com', first: 'Patricia', City: 'Bern' },
      { email: 'pat@example.com', City: 'Basel', Score: 7 },
    ])
    expect((await remove()).body).toEqual({ groups: 1, removed: 2, filled: 2, changedMeanwhile: 0, more: false })
    expect(await shown()).toMatchObject([{ id: a, firstName: 'Pat', fields: { City: 'Bern', Score: 7 } }])
    expect((await api.call('GET', `/v1/lists/${listId}`)).body.recordCount).toBe(1)
    expect((await find()).body.items).toEqual([])
    for (const id of [b, c]) expect((await post(`/v1/lists/${listId}/records/${id}/restore`)).status).toBe(200)
    expect((await api.call('GET', `/v1/lists/${listId}`)).body.recordCount).toBe(3)
  })

  test('the newest stays where that is asked for, and nothing is filled where it is not', async () => {
    const [, b] = await fill([{ email: 'pat@example.com', City: 'Bern' }, { email: 'pat@example.com' }])
    expect((await remove({ keep: 'newest', fillBlanks: false })).body).toMatchObject({ removed: 1, filled: 0 })
    expect((await shown()).map(({ id, fields }) => [id, fields['City'] ?? null])).toEqual([[b, null]])
  })

  test('R1: two people in the CRM who are equal both stay, unless that is asked for; what one takes over waits to be pushed', async () => {
    listId = await addList(api.db, api.account.id, {
      connectionId,
      name: `Leads ${(count += 1)}`,
      columns: { c8: ['Title', 'text', 'Title'] },
    })
    const [, b, c] = await fill([
      { email: 'pat@example.com', City: 'Boss' },
      { email: 'pat@example.com', crmId: 'Q1' },
      { email: 'pat@example.com', crmId: 'Q2' },
    ])
    expect((await find()).body.items[0].records[0].id).toBe(b)
    expect((await remove()).body).toMatchObject({ removed: 1, filled: 1 })
    expect(await shown()).toMatchObject([{ id: b, fields: { Title: 'Boss' }, pending: ['Title'] }, { id: c }])
    expect((await remove()).body).toMatchObject({ removed: 0 })
    expect((await remove({ linked: true })).body).toMatchObject({ removed: 1 })
    expect((await shown()).map(({ id }) => id)).toEqual([b])
  })

  test('R7: a record whose lead may be on its way to the CRM stays', async () => {
    const [a, b] = await fill([{ email: 'pat@example.com' }, { email: 'pat@example.com' }])
    await api.db.$client`
      insert into creations (connection_id, email_key, account_id, record_id, run_id, sent_at)
      values (${connectionId}, 'x', ${api.account.id}, ${b!}, ${b!}, now())`
    expect((await remove()).body.removed).toBe(0)
    expect((await shown()).map(({ id }) => id)).toEqual([a, b])
  })

  test('beside people who edit the same records: none of a group’s edits is lost, one record stays', async () => {
    const ids = await fill(
      Array.from({ length: 40 }, (_, at) => ({ email: `p${at % 10}@example.com`, first: `f${at}` })),
    )
    const edits = ids.map((id, at) =>
      api.call('PATCH', `/v1/lists/${listId}/records/${id}`, { body: { fields: { Score: at } } }),
    )
    const answers = await Promise.all([remove(), ...edits, remove()])
    while ((await remove()).body.removed > 0);
    const left = await shown()
    expect(left).toHaveLength(10)
    for (const [at, id] of ids.entries()) {
      const kept = left.find((record) => record.id === id)
      if (kept !== undefined && answers[at + 1]!.status === 200) expect(kept.fields['Score']).toBe(at)
    }
    expect((await api.call('GET', `/v1/lists/${listId}`)).body.recordCount).toBe(10)
  })

  test('of random people one stays for each address, and nobody without a twin is touched', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 40 }), async (people) => {
        listId = (await post('/v1/lists', { name: `List ${(count += 1)}`, columns: [{ name: 'City' }] })).body.id
        if (people.length > 0)
          await fill(people.map((at) => ({ email: at === 0 ? null : `p${at}@example.com`, City: `c${at}` })))
        const removed = (await remove()).body
        const known = new Set(people.filter((at) => at > 0))
        const nobody = people.filter((at) => at === 0).length
        expect(await shown()).toHaveLength(known.size + nobody)
        expect(removed.removed).toBe(people.length - known.size - nobody)
      }),
      { numRuns: 25 },
    )
  })
})
