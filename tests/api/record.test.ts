import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FairleadError } from '../../src/domain/errors.ts'
import { filterOperators, operatorsOf, readFilter, type FilterColumn } from '../../src/domain/filter.ts'
import type { FieldType } from '../../src/domain/crm.ts'
import { createGate } from '../../src/api/record/gate.ts'
import * as columns from '../../src/db/column.ts'
import * as records from '../../src/db/record/read.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { matches } from './reference.ts'
import { addConnection, addList, addRecords } from './rows.ts'

const types = {
  c8: ['Title', 'text', 'Title'],
  c9: ['Score', 'number', 'Score'],
  c10: ['Wants mail', 'boolean', 'DoNotEmail'],
  c11: ['Birthday', 'date', 'Birthday'],
  c12: ['Created', 'instant', 'CreateDate'],
  c13: ['Phone', 'phone', 'WorkPhone'],
  c14: ['Status', 'picklist', 'Status'],
  c15: ['City', 'text', 'Address/City'],
} satisfies Record<string, [string, FieldType, string]>

/** Values of every type, blanks of every kind, and some that do not fit their column. */
const pools: Record<string, unknown[]> = {
  c1: ['pat@example.com', ' PAT@Example.com', 'kim@example.org', 'nobody', null, '', 'a_b%c\\d@example.com'],
  c2: ['Pat', 'pat', 'Ágnes', 'ÁGNES', 'İdil', null],
  c3: ['Miller', 'miller', 'Müller', 'MÜLLER', "O'Neill", 'Straße', '100%', 'a_b', 'back\\slash', null, ''],
  c8: ['CEO', 'ceo', 'C_O', '', null, 5, true, 'x'.repeat(300)],
  c9: [0, 1, -1, 1.5, 10, 99_000, 0.1, null, '', 'seven', true, 1e21, '12345678901234567.89'],
  c10: [true, false, null, 'true', 1],
  c11: ['2026-01-31', '1999-12-31', '2026-02-01', null, ''],
  c12: ['2026-01-31T10:00:00.000Z', '2026-01-31T10:00:00.001Z', '1999-12-31T23:59:59.999Z', null],
  c13: ['+1 555 0100', '0100', null],
  c14: ['Hot', 'hot', 'Cold', null],
}

let api: TestApi
let listId: string
let known: columns.Column[]
let rows: { id: string; fields: Record<string, unknown> }[]

beforeAll(async () => {
  api = await openApi()
  const { db, secrets, account } = api
  const connectionId = await addConnection(db, account.id)
  listId = await addList(db, account.id, { connectionId, columns: types })
  known = await columns.all(db, account.id, listId)
  // Every value with every other in turn, and absent where a pool has run out.
  const fields = Array.from({ length: 240 }, (_, index) =>
    Object.fromEntries(
      Object.entries(pools).flatMap(([key, pool], place) => {
        const value = pool[Math.floor(index / (place + 1)) % (pool.length + 1)]
        return value === undefined ? [] : [[key, value]]
      }),
    ),
  )
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

const find = async (filter: unknown): Promise<string[]> => {
  const query = { filter: readFilter(filter, known), sort: { order: 'asc' as const }, limit: 1000 }
  const found = await records.page(api.db, api.secrets, api.account.id, { id: listId, connectionId: null }, query)
  return found.map(({ row }) => row.id)
}

const expected = (filter: unknown): string[] => {
  const read = readFilter(filter, known)
  return rows.filter(({ fields }) => matches(read, fields)).map(({ id }) => id)
}

const columnOfType = (type: FieldType): FilterColumn =>
  known.find((column) => column.type === type && column.key !== 'c2')!

const samples: Record<FieldType, unknown[]> = {
  text: ['miller', 'MÜLLER', 'STRASSE', 'e', '%', '_', '\\', "'"],
  email: ['PAT@example.com ', 'a_b', 'example', 'nobody'],
  phone: ['0100', '+1'],
  picklist: ['HOT', 'co'],
  number: [1, 0.1, -1, '12345678901234567.89', 1e21, 99_000],
  boolean: [true, false],
  date: ['2026-01-31', '1999-12-31'],
  instant: ['2026-01-31T10:00:00Z', '2026-01-31T11:00:00.001+01:00'],
}

const conditionOf = (column: string, operator: string, values: unknown[]) =>
  operator === 'isBlank' || operator === 'isNotBlank'
    ? { column, operator }
    : operator === 'between'
      ? { column, operator, values: [values[0], values[1] ?? values[0]] }
      : operator === 'in'
        ? { column, operator, values }
        : { column, operator, value: values[0] }

describe('filters', () => {
  const cases = Object.entries(operatorsOf).flatMap(([type, operators]) =>
    operators.map((operator) => ({ type: type as FieldType, operator })),
  )

  test.for(cases)('$operator on a $type column finds what a plain filter finds', async ({ type, operator }) => {
    const { key } = columnOfType(type)
    let found = 0
    for (const value of samples[type]) {
      const others = samples[type].filter((each) => each !== value)
      const filter = conditionOf(key, operator, [value, ...others.slice(0, operator === 'in' ? 2 : 1)])
      const ids = await find(filter)
      expect(ids, JSON.stringify(filter)).toEqual(expected(filter))
      found += ids.length
    }
    expect(found).toBeGreaterThan(0)
  })

  const condition = fc
    .constantFrom(...cases.map(({ type, operator }) => ({ type, operator })))
    .chain(({ type, operator }) =>
      fc
        .array(fc.oneof(fc.constantFrom(...samples[type]), anyValue(type)), { minLength: 1, maxLength: 3 })
        .map((values) => conditionOf(columnOfType(type).key, operator, values)),
    )
  const { filter: anyFilter } = fc.letrec((tie) => ({
    filter: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      condition,
      fc.record({ not: tie('filter') }),
      fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    ),
  }))

  test('any filter is valid SQL on any data, and finds what a plain filter finds', async () => {
    await fc.assert(
      fc.asyncProperty(anyFilter, async (filter) => {
        const read = attempt(() => readFilter(filter, known))
        fc.pre(read !== undefined)
        expect(await find(filter)).toEqual(expected(filter))
      }),
      { numRuns: 150 },
    )
  })

  test('any JSON is either a filter or refused with a place', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (filter) => {
        const answer = await search({ filter })
        expect([200, 422]).toContain(answer.status)
        if (answer.status === 422) expect(answer.body.errors[0].path).toMatch(/^filter/)
      }),
      { numRuns: 40 },
    )
  })

  test('R2: an e-mail address is found in any case and with blanks around it', async () => {
    const answer = await search({ filter: { column: 'email', operator: 'is', value: 'Pat@EXAMPLE.com' }, limit: 200 })
    const emails: string[] = answer.body.items.map(({ email }: { email: string }) => email)
    expect(new Set(emails)).toEqual(new Set(['pat@example.com', ' PAT@Example.com']))
  })

  test('columns go by alias, id, key, CRM field and name', async () => {
    const title = known.find(({ key }) => key === 'c8')!
    const found = await Promise.all(
      [title.id, 'c8', 'title', 'Title'].map((column) => find({ column, operator: 'is', value: 'CEO' })),
    )
    expect(found[0]?.length).toBeGreaterThan(0)
    for (const ids of found) expect(ids).toEqual(found[0])
    expect(await find({ column: 'lastName', operator: 'is', value: '100%' })).toEqual(
      await find({ column: 'c3', operator: 'is', value: '100%' }),
    )
  })

  test.for([
    [{ column: 'c9', operator: 'contains', value: 'x' }, 'filter.operator'],
    [{ column: 'c8', operator: 'greater', value: 'x' }, 'filter.operator'],
    [{ column: 'c9', operator: 'is', value: 'x' }, 'filter.value'],
    [{ column: 'c9', operator: 'is' }, 'filter.value'],
    [{ column: 'c10', operator: 'is', value: 'true' }, 'filter.value'],
    [{ column: 'c11', operator: 'less', value: '2026-02-30' }, 'filter.value'],
    [{ column: 'c12', operator: 'less', value: '2026-02-03' }, 'filter.value'],
    [{ column: 'c9', operator: 'between', values: [1] }, 'filter.values'],
    [{ column: 'c9', operator: 'between', values: [1, 'b'] }, 'filter.values[1]'],
    [{ column: 'c8', operator: 'in', values: [] }, 'filter.values'],
    [{ column: 'c8', operator: 'in', values: Array.from({ length: 201 }, () => 'a') }, 'filter.values'],
    [{ column: 'c8', operator: 'isBlank', value: 'x' }, 'filter.value'],
    [{ column: 'c8', operator: 'is', value: '' }, 'filter.value'],
    [{ column: 'c99', operator: 'isBlank' }, 'filter.column'],
    [{ operator: 'isBlank' }, 'filter.column'],
    [{ and: [] }, 'filter.and'],
    [{ and: [{ column: 'c8', operator: 'isBlank' }], or: [] }, 'filter.or'],
    [
      { or: [{ column: 'c8', operator: 'isBlank' }, { not: { column: 'c8', operator: 'nix' } }] },
      'filter.or[1].not.operator',
    ],
    [{ column: 'c8', operator: 'is', value: 'x', more: 1 }, 'filter.more'],
    [[], 'filter'],
  ] as [unknown, string][])('%j is refused at %s', async ([filter, path]) => {
    const answer = await search({ filter })
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalidInput', errors: [{ path }] } })
  })

  test('a filter nested too deep or with too many conditions is refused', () => {
    const leaf = { column: 'c8', operator: 'isBlank' }
    const deep = Array.from({ length: 12 }).reduce<unknown>((inner) => ({ not: inner }), leaf)
    const wide = { or: Array.from({ length: 101 }, () => leaf) }
    for (const filter of [deep, wide]) expect(() => readFilter(filter, known)).toThrow(FairleadError)
  })

  test('a query that takes too long ends with queryTimeout', async () => {
    const filter = readFilter({ column: 'c8', operator: 'is', value: 'CEO' }, known)
    const query = { filter, sort: { order: 'asc' as const }, limit: 10 }
    await api.db.transaction(async (tx) => {
      await tx.execute('lock table records in access exclusive mode')
      const slow = records.page(api.db, api.secrets, api.account.id, { id: listId, connectionId: null }, query, 50)
      await expect(slow).rejects.toMatchObject({ code: 'queryTimeout' })
    })
  })
})

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

const anyValue = (type: FieldType): fc.Arbitrary<unknown> => {
  if (type === 'number') return fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer())
  if (type === 'boolean') return fc.boolean()
  const noInvalidDate = true
  const range = { min: new Date('0001-01-01T00:00:00Z'), max: new Date('9998-12-31T00:00:00Z'), noInvalidDate }
  if (type === 'instant') return fc.date(range).map((at) => at.toISOString())
  if (type === 'date') return fc.date(range).map((at) => at.toISOString().slice(0, 10))
  return fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
}

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
    expect([...seen].sort()).toEqual([...expected(filter)].sort())
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
  test('lets some run, the next ones wait in turn, and the rest be refused', async () => {
    const gate = createGate(2, 2)
    const begun: number[] = []
    const ends: (() => void)[] = []
    const work = (number: number) => () => {
      begun.push(number)
      return new Promise<void>((resolve) => ends.push(resolve))
    }
    const all = [1, 2, 3, 4, 5].map((number) => gate(work(number)))
    await expect(all[4]).rejects.toMatchObject({ code: 'overloaded' })
    expect(begun).toEqual([1, 2])
    for (let index = 0; index < 4; index += 1) {
      ends[index]!()
      await all[index]
    }
    expect(begun).toEqual([1, 2, 3, 4])
    const failing = gate(() => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    await gate(async () => undefined)
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
      version: 1,
      pending: [],
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

test('every operator is offered by some type', () => {
  const offered = new Set(Object.values(operatorsOf).flat())
  expect([...offered].sort()).toEqual([...filterOperators].sort())
})
