import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import type { FieldType } from '../../src/domain/crm.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addList, addRecords } from './rows.ts'

let api: TestApi
let listId: string
beforeAll(async () => {
  api = await openApi()
  listId = await newList('People')
})
afterAll(() => api.close())

const own: Record<string, [string, FieldType, string | null]> = {
  c8: ['City', 'text', 'Address/City'],
  c9: ['Score', 'number', null],
  c10: ['Visited', 'date', null],
}
const newList = (name: string, columns = own) => addList(api.db, api.account.id, { name, columns })
const inCity = (city: string) => ({ column: 'Address/City', operator: 'is', value: city })

const post = (body: unknown, list = listId, key?: string) =>
  api.call('POST', `/v1/lists/${list}/segments`, { body, key })
const get = (id: string, rest = '') => api.call('GET', `/v1/segments/${id}${rest}`)
const patch = (id: string, body: unknown) => api.call('PATCH', `/v1/segments/${id}`, { body })
const made = async (name: string, filter: unknown, list = listId): Promise<string> => {
  const answer = await post({ name, filter }, list)
  expect(answer.status).toBe(201)
  return answer.body.id
}
const columnId = async (list: string, key: string): Promise<string> => {
  const { body } = await api.call('GET', `/v1/lists/${list}/columns`)
  return body.items.find((each: { key: string }) => each.key === key).id
}
const drop = async (list: string, key: string) =>
  api.call('DELETE', `/v1/lists/${list}/columns/${await columnId(list, key)}`)

describe('a segment', () => {
  test('is saved, shown, listed and removed', async () => {
    const answer = await post({ name: ' Springfield ', filter: inCity('Springfield') })
    expect(answer).toMatchObject({ status: 201, headers: { location: `/v1/segments/${answer.body.id}` } })
    expect(answer.body).toEqual({
      id: answer.body.id,
      listId,
      name: 'Springfield',
      filter: inCity('Springfield'),
      version: 1,
      problems: [],
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: answer.body.createdAt,
    })
    const { id } = answer.body
    expect((await get(id)).body).toEqual(answer.body)
    const listed = await api.call('GET', `/v1/lists/${listId}/segments`)
    expect(listed.body.items).toContainEqual(answer.body)
    expect((await api.call('DELETE', `/v1/segments/${id}`)).body).toEqual({ usedBy: [] })
    for (const rest of ['', '/records', '/count', '/versions']) expect((await get(id, rest)).status).toBe(404)
    expect((await api.call('DELETE', `/v1/segments/${id}`)).status).toBe(404)
    expect((await post({ name: 'springfield', filter: inCity('Springfield') })).status).toBe(201)
  })

  test('holds whoever matches at this moment, in pages and in any order', async () => {
    const list = await newList('Holds')
    const fields = Array.from({ length: 25 }, (_, index) => ({ c8: index % 2 === 0 ? 'Here' : 'There', c9: index }))
    await addRecords(
      api.db,
      api.secrets,
      api.account.id,
      list,
      fields.map((each) => ({ fields: each })),
    )
    const id = await made('Here', { column: 'c8', operator: 'is', value: 'HERE' }, list)
    expect((await get(id, '/count')).body).toEqual({ count: 13, exact: true, low: 13, high: 13 })
    const first = await get(id, '/records?limit=10&sort=Score&order=desc')
    expect(first.body.complete).toBe(true)
    const second = await get(id, `/records?limit=10&sort=Score&order=desc&cursor=${first.body.nextCursor}`)
    const scores = [...first.body.items, ...second.body.items].map((each) => each.fields.Score)
    expect(scores).toEqual([24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0])
    expect(second.body.nextCursor).toBeNull()
    const other = await made('There', { column: 'c8', operator: 'is', value: 'There' }, list)
    const foreign = await get(other, `/records?limit=10&sort=Score&order=desc&cursor=${first.body.nextCursor}`)
    expect(foreign.body.code).toBe('invalidCursor')
    const tried = await api.call('POST', `/v1/lists/${list}/records/count`, {
      body: { filter: { column: 'Score', operator: 'less', value: 5 } },
      key: api.account.keys.viewer,
    })
    expect(tried.body).toEqual({ count: 5, exact: true, low: 5, high: 5 })
    expect((await api.call('POST', `/v1/lists/${list}/records/count`, { body: {} })).body.count).toBe(25)
  })

  test('shows nobody twice and misses nobody who stays, while records come, go and change', async () => {
    const list = await newList('Moving')
    const { db, secrets, account } = api
    const rows = Array.from({ length: 60 }, (_, index) => ({ fields: { c8: 'Here', c9: index } }))
    const ids = await addRecords(db, secrets, account.id, list, rows)
    const id = await made('Here', { column: 'c8', operator: 'is', value: 'Here' }, list)
    const seen: string[] = []
    let cursor: string | undefined
    for (let page = 0; ; page += 1) {
      const query: string = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { body } = await get(id, `/records?limit=7${query}`)
      seen.push(...body.items.map((each: { id: string }) => each.id))
      if (body.nextCursor === null) break
      cursor = body.nextCursor
      const leaving = ids[page * 5 + 3]!
      await api.call('PATCH', `/v1/lists/${list}/records/${leaving}`, { body: { fields: { City: 'Gone' } } })
      await api.call('DELETE', `/v1/lists/${list}/records/${ids[page * 5 + 4]!}`)
      await addRecords(db, secrets, account.id, list, [{ fields: { c8: 'Here' } }])
    }
    expect(new Set(seen).size).toBe(seen.length)
    const stayed = (await db.select().from(t.records).where(eq(t.records.listId, list))).filter(
      ({ fields, removedAt }) => fields['c8'] === 'Here' && removedAt === null,
    )
    expect(seen).toEqual(expect.arrayContaining(stayed.map((each) => each.id)))
  })

  test('has a name of its own on its list, in any case; one that was removed frees it', async () => {
    const list = await newList('Names')
    const id = await made('Fans', inCity('a'), list)
    expect((await post({ name: 'FANS', filter: inCity('b') }, list)).body.code).toBe('nameTaken')
    expect((await post({ name: 'Fans', filter: inCity('b') })).status).toBe(201)
    const other = await made('Others', inCity('b'), list)
    expect((await patch(other, { version: 1, name: 'fans' })).body.code).toBe('nameTaken')
    expect((await patch(id, { version: 1, name: 'FANS' })).body).toMatchObject({ name: 'FANS', version: 2 })
    await api.call('DELETE', `/v1/segments/${id}`)
    expect((await patch(other, { version: 1, name: 'fans' })).body).toMatchObject({ name: 'fans', version: 2 })
  })

  test('is changed for the version that was read, and keeps every version with who saved it', async () => {
    const { body } = await post({ name: 'Versions', filter: inCity('a') }, listId, api.account.keys.marketer)
    const second = await patch(body.id, { version: 1, filter: inCity('b') })
    expect(second.body).toMatchObject({ version: 2, filter: inCity('b') })
    expect(second.body.updatedAt > body.updatedAt).toBe(true)
    const stale = await patch(body.id, { version: 1, filter: inCity('c') })
    expect(stale).toMatchObject({ status: 409, body: { code: 'conflict', version: 2 } })
    expect((await patch(body.id, { version: 2, name: 'Versions', filter: inCity('b') })).body.version).toBe(2)
    expect((await patch(body.id, { version: 2, name: 'Renamed' })).body.version).toBe(3)
    const all = await get(body.id, '/versions')
    expect(
      all.body.items.map((each: { version: number; name: string; filter: unknown }) => [
        each.version,
        each.name,
        each.filter,
      ]),
    ).toEqual([
      [3, 'Renamed', inCity('b')],
      [2, 'Versions', inCity('b')],
      [1, 'Versions', inCity('a')],
    ])
    const keys = await api.call('GET', '/v1/api-keys')
    const keyOf = (role: string) => keys.body.items.find((each: { role: string }) => each.role === role).id
    expect(all.body.items.map((each: { apiKeyId: string }) => each.apiKeyId)).toEqual([
      keyOf('admin'),
      keyOf('admin'),
      keyOf('marketer'),
    ])
    const first = await get(body.id, '/versions?limit=2')
    const rest = await get(body.id, `/versions?limit=2&cursor=${first.body.nextCursor}`)
    expect([...first.body.items, ...rest.body.items]).toEqual(all.body.items)
  })

  test('that is changed by many at once takes one of them', async () => {
    const id = await made('Race', inCity('a'))
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => patch(id, { version: 1, filter: inCity(`city ${index}`) })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
    expect((await get(id, '/versions')).body.items).toHaveLength(2)
  })

  test.for([
    [{ name: 'x' }, 'filter'],
    [{ name: 'x', filter: { column: 'Nothing', operator: 'isBlank' } }, 'filter.column'],
    [
      { name: 'x', filter: { and: [inCity('a'), { column: 'c9', operator: 'is', value: 'a' }] } },
      'filter.and[1].value',
    ],
    [{ name: '', filter: inCity('a') }, 'name'],
    [{ name: 'x', filter: inCity('a'), version: 1 }, 'version'],
  ] as [unknown, string][])('%j is refused at %s', async ([body, path]) => {
    expect(await post(body)).toMatchObject({ status: 422, body: { code: 'invalidInput', errors: [{ path }] } })
  })

  test('a change that names nothing, or no version, is refused', async () => {
    const id = await made('Nothing', inCity('a'))
    expect((await patch(id, { version: 1 })).status).toBe(422)
    expect((await patch(id, { name: 'x' })).body.errors[0].path).toBe('version')
    expect((await patch(id, { version: 1, filter: null })).body.errors[0].path).toBe('filter')
  })

  test('a list has at most a thousand', async () => {
    const list = await newList('Full')
    const definition = { key: 'c8', type: 'text' as const, operator: 'is' as const, values: ['a'] }
    const rows = Array.from({ length: 999 }, (_, index) => ({
      accountId: api.account.id,
      listId: list,
      name: `S${index}`,
      definition,
    }))
    await api.db.insert(t.segments).values(rows)
    const id = await made('The last', inCity('a'), list)
    const refused = await post({ name: 'One more', filter: inCity('a') }, list)
    expect(refused).toMatchObject({ status: 422, body: { detail: 'A list has at most 1,000 segments.' } })
    await api.call('DELETE', `/v1/segments/${id}`)
    expect((await post({ name: 'One more', filter: inCity('a') }, list)).status).toBe(201)
  })

  test('is hidden with its list', async () => {
    const list = await newList('Doomed')
    const id = await made('Doomed', inCity('a'), list)
    await api.call('DELETE', `/v1/lists/${list}`)
    for (const rest of ['', '/records', '/count', '/versions']) expect((await get(id, rest)).status).toBe(404)
    expect((await patch(id, { version: 1, name: 'x' })).status).toBe(404)
    expect((await api.call('DELETE', `/v1/segments/${id}`)).status).toBe(404)
    expect((await api.call('GET', `/v1/lists/${list}/segments`)).status).toBe(404)
    expect((await post({ name: 'x', filter: inCity('a') }, list)).status).toBe(404)
  })

  test('leaves its changes in the audit, and nobody’s values', async () => {
    const id = await made('Audited', { column: 'email', operator: 'is', value: 'secret.person@example.com' })
    await patch(id, {
      version: 1,
      name: 'Audited too',
      filter: { column: 'lastName', operator: 'is', value: 'Secretperson' },
    })
    await api.call('DELETE', `/v1/segments/${id}`)
    const { body } = await api.call('GET', '/v1/audit')
    const own = body.items.filter((each: { targetId: string }) => each.targetId === id)
    expect(own.map((each: { action: string; details: unknown }) => [each.action, each.details])).toEqual([
      ['segment.remove', {}],
      ['segment.update', { version: 2, changed: ['name', 'filter'] }],
      ['segment.create', { listId }],
    ])
    expect(JSON.stringify(body)).not.toMatch(/secret\.?person/i)
    expect(api.logged.join('')).not.toMatch(/secret\.?person/i)
  })
})

describe('the columns of a segment', () => {
  const everything = {
    and: [
      { column: 'Address/City', operator: 'in', values: ['A', 'B'] },
      {
        or: [
          { column: 'Score', operator: 'between', values: [1, 2.5] },
          { column: 'Score', operator: 'is', value: '12345678901234567.89' },
        ],
      },
      { not: { column: 'Visited', operator: 'withinLastDays', value: 30 } },
      { column: 'email', operator: 'isNotBlank' },
      { property: 'crmState', operator: 'notIn', values: ['deletedInCrm'] },
      { property: 'suppressed', operator: 'is', value: false },
    ],
  }

  test('are shown as somebody would name them, and what is shown can be saved again', async () => {
    const list = await newList('Shown')
    const id = await made('Everything', everything, list)
    const shown = (await get(id)).body
    expect(shown.filter).toEqual(everything)
    expect((await patch(id, { version: 1, filter: shown.filter })).body.version).toBe(1)
  })

  test('can be renamed, also by swapping names', async () => {
    const list = await newList('Renamed', { c8: ['Home', 'text', null], c9: ['Work', 'text', null] })
    await addRecords(api.db, api.secrets, api.account.id, list, [{ fields: { c8: 'x', c9: 'y' } }])
    const id = await made('At home', { column: 'Home', operator: 'is', value: 'x' }, list)
    for (const [key, name] of [
      ['c8', 'Swap'],
      ['c9', 'Home'],
      ['c8', 'Work'],
    ] as const) {
      await api.call('PATCH', `/v1/lists/${list}/columns/${await columnId(list, key)}`, { body: { name } })
    }
    expect((await get(id)).body).toMatchObject({
      filter: { column: 'Work', operator: 'is', value: 'x' },
      problems: [],
      version: 1,
    })
    expect((await get(id, '/count')).body.count).toBe(1)
  })

  test('that are called like another column’s id or key still lead to themselves', async () => {
    const list = await newList('Confusing', { c8: ['Plain', 'text', null], c9: ['Other', 'text', null] })
    const otherId = await columnId(list, 'c9')
    await api.db
      .update(t.columns)
      .set({ name: otherId })
      .where(eq(t.columns.id, await columnId(list, 'c8')))
    const id = await made('Confusing', { column: 'c8', operator: 'is', value: 'x' }, list)
    const { filter } = (await get(id)).body
    expect((await patch(id, { version: 1, filter })).body).toMatchObject({ version: 1, problems: [] })
  })

  test('that are removed make the segment say so, and never find the wrong people', async () => {
    const list = await newList('Removed')
    await addRecords(api.db, api.secrets, api.account.id, list, [{ fields: { c8: 'A', c9: 1 } }])
    const broken = await made('Broken', everything, list)
    const whole = await made('Whole', { column: 'Visited', operator: 'isBlank' }, list)
    await api.call('PATCH', `/v1/lists/${list}/columns/${await columnId(list, 'c9')}`, { body: { name: 'Points' } })
    expect((await drop(list, 'c9')).body).toEqual({
      removedFrom: [],
      segments: [{ id: broken, name: 'Broken' }],
      forms: [],
    })

    const shown = (await get(broken)).body
    const message = 'The column "Points" was removed from the list.'
    expect(shown.problems).toEqual([
      { path: 'filter.and[1].or[0].column', message, column: 'Points' },
      { path: 'filter.and[1].or[1].column', message, column: 'Points' },
    ])
    expect(shown.filter.and[1].or[0]).toEqual({ column: 'Points', operator: 'between', values: [1, 2.5] })
    expect((await get(whole)).body.problems).toEqual([])
    expect((await get(whole, '/count')).body.count).toBe(1)
    for (const rest of ['/records', '/count']) {
      expect(await get(broken, rest)).toMatchObject({
        status: 409,
        body: {
          code: 'segmentBroken',
          detail: `filter.and[1].or[0].column: ${message}`,
          errors: [
            { path: 'filter.and[1].or[0].column', message },
            { path: 'filter.and[1].or[1].column', message },
          ],
          segment: { id: broken, name: 'Broken' },
        },
      })
    }
    expect((await patch(broken, { version: 1, filter: shown.filter })).body).toMatchObject({
      code: 'invalidInput',
      errors: [{ path: 'filter.and[1].or[0].column' }],
    })
    expect((await patch(broken, { version: 1, name: 'Still broken' })).body).toMatchObject({
      version: 2,
      problems: shown.problems,
    })
    const mended = await patch(broken, { version: 2, filter: { column: 'Address/City', operator: 'is', value: 'a' } })
    expect(mended.body).toMatchObject({ version: 3, problems: [] })
    expect((await get(broken, '/count')).body.count).toBe(1)
    const { items } = (await get(broken, '/versions')).body
    expect(items.map((each: { problems: unknown[] }) => each.problems.length)).toEqual([0, 2, 2])
  })

  test('of a new column with the old name are other ones', async () => {
    const list = await newList('Again')
    const id = await made('Scored', { column: 'Score', operator: 'is', value: 1 }, list)
    await drop(list, 'c9')
    await api.call('POST', `/v1/lists/${list}/columns`, { body: { name: 'Score', type: 'number' } })
    expect((await get(id, '/count')).body.code).toBe('segmentBroken')
    expect((await patch(id, { version: 1, filter: (await get(id)).body.filter })).body).toMatchObject({
      version: 2,
      problems: [],
    })
    expect((await get(id, '/count')).body.count).toBe(0)
  })

  test('whose type has changed are a problem, unless it is text as before', async () => {
    const list = await newList('Typed')
    const id = await made('Typed', { and: [{ column: 'Score', operator: 'greater', value: 1 }, inCity('a')] }, list)
    await api.db
      .update(t.columns)
      .set({ type: 'picklist' })
      .where(eq(t.columns.id, await columnId(list, 'c8')))
    expect((await get(id)).body.problems).toEqual([])
    await api.db
      .update(t.columns)
      .set({ type: 'text' })
      .where(eq(t.columns.id, await columnId(list, 'c9')))
    expect((await get(id)).body.problems).toEqual([
      {
        path: 'filter.and[0].column',
        column: 'Score',
        message: 'The column "Score" was of type number and is of type text now.',
      },
    ])
    expect((await get(id, '/records')).body.code).toBe('segmentBroken')
  })
})
