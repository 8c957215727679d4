import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FieldType } from '../../src/domain/crm.ts'
import { FairleadError } from '../../src/domain/errors.ts'
import {
  filterOperators,
  operatorsOf,
  properties,
  readFilter,
  type FilterColumn,
  type FilterOperator,
  type PropertyName,
} from '../../src/domain/filter.ts'
import * as columns from '../../src/db/column.ts'
import { count } from '../../src/db/record/count.ts'
import * as records from '../../src/db/record/read.ts'
import * as t from '../../src/db/schema.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { anyValue, crossed, randomFields, types } from './awkward.ts'
import { matches, type Person, type World } from './reference.ts'
import { addConnection, addList, addRecords } from './rows.ts'

const world: World = {
  types: {
    c1: 'email',
    c2: 'text',
    c3: 'text',
    ...Object.fromEntries(Object.entries(types).map(([key, [, type]]) => [key, type])),
  },
  now: new Date('2026-02-27T23:30:00.000Z'),
  timeZone: 'Pacific/Auckland',
}
const clock = { now: world.now, timeZone: world.timeZone }

let api: TestApi
let listId: string
let connectionId: string
let known: columns.Column[]
let people: (Person & { id: string })[]

const states = ['linked', 'deletedInCrm', 'converted', 'merged', 'unlinked'] as const

/** Everything that a filter can ask of a record besides its columns, in turn. */
const surroundings = (index: number) => {
  const state = states[index % 5]!
  const linked = state !== 'unlinked'
  const at = new Date(world.now.getTime() + ((index % 9) - 4) * 86_400_000 + (index % 3) - 1)
  return {
    crmEntity: linked ? (index % 2 === 0 ? ('lead' as const) : ('contact' as const)) : null,
    crmId: linked ? `Q${index}` : null,
    state,
    agreed: index % 7 === 0 ? { c3: { v: 'before', at: '2026-01-01T00:00:00.000Z' } } : {},
    externalId: index % 4 === 0 ? null : `Shop-${index}%`,
    updatedAt: index % 6 === 0 ? null : at,
  }
}

const suppressedAddress = 'kim@example.org'

beforeAll(async () => {
  api = await openApi()
  const { db, secrets, account, stranger } = api
  connectionId = await addConnection(db, account.id)
  listId = await addList(db, account.id, { connectionId, columns: types })
  known = await columns.all(db, account.id, listId)
  const fields = [...crossed(600), ...randomFields(600, 42)]
  const around = fields.map((_, index) => surroundings(index))
  const ids = await addRecords(
    db,
    secrets,
    account.id,
    listId,
    fields.map((each, index) => {
      const { state: _state, ...rest } = around[index]!
      return { fields: each, ...rest }
    }),
  )
  const gone = around.filter(({ state, crmId }) => crmId !== null && state !== 'linked')
  await db.insert(t.crmPeople).values(
    gone.map(({ crmEntity, crmId, state }) => ({
      connectionId,
      accountId: account.id,
      entity: crmEntity!,
      crmId: crmId!,
      state: state as 'converted',
    })),
  )
  for (const [accountId, email, liftedAt] of [
    [account.id, suppressedAddress, null],
    [account.id, 'pat@example.com', new Date()],
    [stranger.id, 'pat@example.com', null],
  ] as const) {
    const emailKey = emailKeyOf(await hashKeyOf(db, secrets, account.id), email)!
    await db.insert(t.suppressions).values({ accountId, email, emailKey, reason: 'manual', source: 'api', liftedAt })
  }
  people = ids.map((id, index) => {
    const { state, agreed, updatedAt, crmEntity, externalId } = around[index]!
    return {
      id,
      fields: fields[index]!,
      crmEntity,
      crmState: state,
      suppressed: fields[index]!['c1'] === suppressedAddress,
      pending: Object.keys(agreed).length > 0,
      createdAt: new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toISOString(),
      updatedAt: updatedAt?.toISOString() ?? null,
      externalId,
    }
  })
})
afterAll(() => api.close())

const search = (filter: unknown) => api.call('POST', `/v1/lists/${listId}/records/search`, { body: { filter } })

/** Ids alone: whole records would be most of the work. */
const find = async (filter: unknown, at = clock): Promise<string[]> => {
  const { db, secrets, account } = api
  const query = { filter: readFilter(filter, known), clock: at }
  const condition = await records.matching(db, secrets, account.id, { id: listId, connectionId }, query)
  const rows = await db.select({ id: t.records.id }).from(t.records).where(condition).orderBy(t.records.id)
  return rows.map(({ id }) => id)
}

const expected = (filter: unknown, at: Partial<World> = {}): string[] =>
  people.filter((person) => matches(filter, person, { ...world, ...at })).map(({ id }) => id)

const columnOfType = (type: FieldType): FilterColumn =>
  known.find((column) => column.type === type && column.key !== 'c2')!

const samples: Record<FieldType, unknown[]> = {
  text: ['miller', 'MÜLLER', 'STRASSE', 'e', '%', '_', '\\', "'"],
  email: ['PAT@example.com ', 'a_b', 'example', 'nobody', '.com'],
  phone: ['0100', '+1', '555'],
  picklist: ['HOT', 'co', 'D'],
  number: [1, 0.1, -1, '12345678901234567.89', 1e21, 99_000],
  boolean: [true, false],
  date: ['2026-01-31', '1999-12-31', '2026-02-28'],
  instant: ['2026-01-31T10:00:00Z', '2026-01-31T11:00:00.001+01:00'],
}
const dayCounts = [1, 2, 7, 28, 60, 366]
const takesDays = (operator: string) => /Days|Anniversary/i.test(operator)

/** A condition on a column or a property, with as many of the values as its operator takes. */
const conditionOf = (on: { column: string } | { property: string }, operator: string, values: unknown[]) => {
  if (operator === 'isBlank' || operator === 'isNotBlank') return { ...on, operator }
  if (operator === 'between') return { ...on, operator, values: [values[0], values[1] ?? values[0]] }
  if (operator === 'in' || operator === 'notIn') return { ...on, operator, values }
  return { ...on, operator, value: values[0] }
}

const columnCases = Object.entries(operatorsOf).flatMap(([type, operators]) =>
  operators.map((operator) => ({ type: type as FieldType, operator })),
)
const propertyCases = Object.entries(properties).flatMap(([property, { type, operators }]) =>
  operators.map((operator) => ({ property: property as PropertyName, type: type as FieldType, operator })),
)
const propertySamples: Record<PropertyName, unknown[]> = {
  crmState: [...states],
  crmEntity: ['lead', 'contact'],
  suppressed: [true, false],
  pending: [true, false],
  createdAt: ['2020-01-01T00:00:00Z', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'],
  updatedAt: ['2026-02-27T23:30:00.000Z', '2026-02-26T23:30:00.001Z', '0000-01-01T00:00:00Z', '9999-12-31T00:00:00Z'],
  externalId: ['shop-1%', 'SHOP', '%', 'Shop-14%', 'p-1'],
}

describe('operators', () => {
  test.for(columnCases)('$operator on a $type column finds what a plain filter finds', async ({ type, operator }) => {
    const { key } = columnOfType(type)
    let found = 0
    const values = takesDays(operator) ? dayCounts : samples[type]
    for (const value of values) {
      const others = values.filter((each) => each !== value)
      const filter = conditionOf({ column: key }, operator, [value, ...others.slice(0, 2)])
      const ids = await find(filter)
      expect(ids, JSON.stringify(filter)).toEqual(expected(filter))
      found += ids.length
    }
    expect(found).toBeGreaterThan(0)
  })

  test.for(propertyCases)('$operator on the property $property finds what a plain filter finds', async (each) => {
    const { property, operator } = each
    const [first, second] = [people[10]!.createdAt!, people[700]!.createdAt!]
    const own = property === 'createdAt' ? [first, second, ...propertySamples.createdAt] : propertySamples[property]
    const values = takesDays(operator) ? dayCounts : own
    // What was made in this test was made today, whatever the clock of the others says.
    const now = property === 'createdAt' ? new Date(Date.parse(people[0]!.createdAt!) + 86_400_000) : world.now
    for (const value of values) {
      const others = values.filter((each) => each !== value)
      const filter = conditionOf({ property }, operator, [value, ...others.slice(0, 2)])
      expect(await find(filter, { ...clock, now }), JSON.stringify(filter)).toEqual(expected(filter, { now }))
    }
  })

  test('every operator is offered by some type, and every property takes only operators of its type', () => {
    const offered = new Set(Object.values(operatorsOf).flat())
    expect([...offered].sort()).toEqual([...filterOperators].sort())
    for (const { type, operator } of propertyCases) expect(operatorsOf[type]).toContain(operator)
  })

  test('contraries and `not` include blanks', async () => {
    const blank = people.filter(({ fields }) => (fields['c3'] ?? '') === '').map(({ id }) => id)
    const asked = [
      { column: 'lastName', operator: 'isNot', value: 'miller' },
      { column: 'lastName', operator: 'notIn', values: ['miller'] },
      { column: 'lastName', operator: 'notContains', value: 'miller' },
      { not: { column: 'lastName', operator: 'beginsWith', value: 'miller' } },
    ]
    for (const filter of asked) expect(await find(filter)).toEqual(expect.arrayContaining(blank))
  })
})

describe('the clock', () => {
  const onDay = async (day: string, at: Date, timeZone: string, operator: FilterOperator, value: number) => {
    const { db, secrets, account } = api
    const list = await addList(db, account.id, {
      name: `${day} ${at.getTime()} ${timeZone} ${operator} ${value}`,
      columns: types,
    })
    await addRecords(db, secrets, account.id, list, [{ fields: { c11: day } }])
    const filter = readFilter({ column: 'c11', operator, value }, known)
    const query = { filter, clock: { now: at, timeZone } }
    return (await count(db, secrets, account.id, { id: list, connectionId: null }, query)).count === 1
  }

  test('a day is today in the account’s time zone, not in that of the server', async () => {
    const at = new Date('2026-11-23T23:30:00Z')
    expect(await onDay('2026-11-24', at, 'Europe/Berlin', 'withinLastDays', 1)).toBe(true)
    expect(await onDay('2026-11-24', at, 'UTC', 'withinLastDays', 1)).toBe(false)
    expect(await onDay('2026-11-23', at, 'America/Los_Angeles', 'withinLastDays', 1)).toBe(true)
    expect(await onDay('2026-11-23', at, 'Europe/Berlin', 'withinLastDays', 1)).toBe(false)
    expect(await onDay('2026-11-23', at, 'Europe/Berlin', 'withinLastDays', 2)).toBe(true)
  })

  test('days are counted by the calendar, also over a change to summer time', async () => {
    const at = new Date('2027-03-29T22:30:00Z')
    expect(await onDay('2027-03-24', at, 'Europe/Berlin', 'withinLastDays', 7)).toBe(true)
    expect(await onDay('2027-03-23', at, 'Europe/Berlin', 'withinLastDays', 7)).toBe(false)
    expect(await onDay('2027-03-23', at, 'Europe/Berlin', 'moreThanDaysAgo', 7)).toBe(true)
    expect(await onDay('2027-03-24', at, 'Europe/Berlin', 'moreThanDaysAgo', 7)).toBe(false)
    expect(await onDay('2027-04-05', at, 'Europe/Berlin', 'withinNextDays', 7)).toBe(true)
    expect(await onDay('2027-04-06', at, 'Europe/Berlin', 'moreThanDaysAhead', 7)).toBe(true)
  })

  test('an anniversary comes every year, that of 29 February on the 28th where there is no other', async () => {
    const at = (day: string) => new Date(`${day}T12:00:00Z`)
    const within = 'anniversaryWithinNextDays'
    expect(await onDay('1980-01-02', at('2026-12-28'), 'UTC', within, 6)).toBe(true)
    expect(await onDay('1980-01-02', at('2026-12-28'), 'UTC', within, 5)).toBe(false)
    expect(await onDay('1980-02-29', at('2027-02-28'), 'UTC', within, 1)).toBe(true)
    expect(await onDay('1980-02-29', at('2028-02-28'), 'UTC', within, 1)).toBe(false)
    expect(await onDay('1980-02-29', at('2028-02-29'), 'UTC', within, 1)).toBe(true)
    expect(await onDay('2030-12-31', at('2026-12-31'), 'UTC', within, 366)).toBe(true)
  })

  test('all pages of a search have the "now" of the first one', async () => {
    const { db, secrets, account } = api
    const list = await addList(db, account.id, { name: 'now', columns: types })
    const almostOut = new Date(Date.now() - 86_400_000 + 3000).toISOString()
    await addRecords(db, secrets, account.id, list, [{ fields: { c12: almostOut } }, { fields: { c12: almostOut } }])
    const filter = { column: 'c12', operator: 'withinLastDays', value: 1 }
    const path = `/v1/lists/${list}/records/search`
    const first = await api.call('POST', path, { body: { filter, limit: 1 } })
    expect(first.body.items).toHaveLength(1)
    await expect
      .poll(async () => (await api.call('POST', path, { body: { filter, limit: 1 } })).body.items.length, {
        timeout: 10_000,
      })
      .toBe(0)
    const second = await api.call('POST', path, { body: { filter, limit: 1, cursor: first.body.nextCursor } })
    expect(second.body.items).toHaveLength(1)
  })
})

const dayCount = fc.oneof(fc.constantFrom(...dayCounts), fc.integer({ min: 1, max: 366 }))
const valuesFor = (type: FieldType, operator: string, some: readonly unknown[]) =>
  fc.array(takesDays(operator) ? dayCount : fc.oneof(fc.constantFrom(...some), anyValue(type)), {
    minLength: 1,
    maxLength: 3,
  })
const anyCondition = fc.oneof(
  fc
    .constantFrom(...columnCases)
    .chain(({ type, operator }) =>
      valuesFor(type, operator, samples[type]).map((values) =>
        conditionOf({ column: columnOfType(type).key }, operator, values),
      ),
    ),
  fc
    .constantFrom(...propertyCases)
    .chain(({ property, type, operator }) =>
      valuesFor(type, operator, propertySamples[property]).map((values) => conditionOf({ property }, operator, values)),
    ),
)
const { filter: anyFilter } = fc.letrec((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    anyCondition,
    fc.record({ not: tie('filter') }),
    fc.record({ and: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }) }),
  ),
}))

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined
  }
}

describe('any filter', () => {
  test('is valid SQL on any data, and finds what a plain filter finds', async () => {
    await fc.assert(
      fc.asyncProperty(anyFilter, async (filter) => {
        fc.pre(attempt(() => readFilter(filter, known)) !== undefined)
        expect(await find(filter)).toEqual(expected(filter))
      }),
      { numRuns: 200 },
    )
  })

  test('R36: finds rows of its own list alone', async () => {
    const { db, secrets, account, stranger } = api
    const theirs = await addList(db, stranger.id, { columns: types })
    await addRecords(
      db,
      secrets,
      stranger.id,
      theirs,
      crossed(20).map((fields) => ({ fields })),
    )
    const mine = new Set(people.map(({ id }) => id))
    await fc.assert(
      fc.asyncProperty(anyFilter, async (filter) => {
        fc.pre(attempt(() => readFilter(filter, known)) !== undefined)
        for (const id of await find({ or: [filter, { not: filter }] })) expect(mine).toContain(id)
        const read = readFilter(filter, known)
        const strange = await count(db, secrets, account.id, { id: theirs, connectionId }, { filter: read, clock })
        expect(strange).toEqual({ count: 0, exact: true })
      }),
      { numRuns: 40 },
    )
  })

  test('is counted and paged alike, in either order', async () => {
    const { db, secrets, account } = api
    const list = { id: listId, connectionId }
    await fc.assert(
      fc.asyncProperty(anyFilter, fc.constantFrom('asc', 'desc'), async (given, order) => {
        const filter = attempt(() => readFilter(given, known))
        fc.pre(filter !== undefined)
        const ids = expected(given)
        const counted = await count(db, secrets, account.id, list, { filter, clock })
        expect(counted).toEqual({ count: ids.length, exact: true })
        const query = { filter, clock, sort: { order }, limit: 100 }
        const { rows, ranOut } = await records.page(db, secrets, account.id, list, query)
        const wanted = order === 'asc' ? ids : ids.toReversed()
        expect([rows.map(({ row }) => row.id), ranOut]).toEqual([wanted.slice(0, 100), null])
      }),
      { numRuns: 50 },
    )
  })

  test('is either read or refused with a place, whatever JSON it is', async () => {
    const words = fc.constantFrom<unknown>(
      'and',
      'or',
      'not',
      'column',
      'property',
      'operator',
      'value',
      'values',
      '__proto__',
      'constructor',
    )
    const parts = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      anyCondition,
      words,
      fc.constantFrom('c8', 'is', 'crmState', 'between', 'toString'),
    )
    const garbage = fc.oneof(
      fc.jsonValue({ maxDepth: 4 }),
      fc.dictionary(words.map(String), parts, { maxKeys: 4 }),
      fc.record({ and: fc.array(fc.dictionary(words.map(String), parts, { maxKeys: 4 }), { maxLength: 3 }) }),
    )
    await fc.assert(
      fc.asyncProperty(garbage, async (filter) => {
        const answer = await search(filter)
        // Fastify itself refuses `__proto__` and `constructor`.
        expect([200, 400, 422]).toContain(answer.status)
        if (answer.status === 422) expect(answer.body.errors[0].path).toMatch(/^filter/)
      }),
      { numRuns: 150 },
    )
  })
})

describe('a filter', () => {
  test('R2: finds an e-mail address in any case and with blanks around it', async () => {
    const answer = await api.call('POST', `/v1/lists/${listId}/records/search`, {
      body: { filter: { column: 'email', operator: 'is', value: 'Pat@EXAMPLE.com' }, limit: 200 },
    })
    const emails: string[] = answer.body.items.map(({ email }: { email: string }) => email)
    expect(new Set(emails.map((email) => email.trim().toLowerCase()))).toEqual(new Set(['pat@example.com']))
    expect(new Set(emails).size).toBeGreaterThan(1)
  })

  test('R8: finds a number by all its digits, however it is written', async () => {
    const { body: list } = await api.call('POST', '/v1/lists', {
      body: { name: 'Numbers', columns: [{ name: 'Size', type: 'number' }] },
    })
    const raw = (method: 'POST', path: string, json: string) =>
      api.call(method, path, { raw: json, headers: { 'content-type': 'application/json' } })
    const make = (size: string) => raw('POST', `/v1/lists/${list.id}/records`, `{"fields":{"Size":${size}}}`)
    const ids = [await make('12345678901234567890'), await make('12345678901234567891'), await make('7')].map(
      ({ body }) => body.id,
    )
    const where = async (value: string): Promise<string[]> => {
      const filter = `{"filter":{"column":"Size","operator":"in","values":[${value}]}}`
      const { body } = await raw('POST', `/v1/lists/${list.id}/records/search`, filter)
      return body.items.map(({ id }: { id: string }) => id)
    }
    expect(await where('12345678901234567890')).toEqual([ids[0]])
    expect(await where('"12345678901234567891"')).toEqual([ids[1]])
    expect(await where('"007"')).toEqual([ids[2]])
    expect(await where('"-0", "00.5", "07.0"')).toEqual([ids[2]])
    const segment = await raw(
      'POST',
      `/v1/lists/${list.id}/segments`,
      '{"name":"Big","filter":{"column":"Size","operator":"is","value":12345678901234567891}}',
    )
    expect(segment.body.filter.value).toBe('12345678901234567891')
  })

  test('names columns by alias, id, key, CRM field and name', async () => {
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

  test('is harmless whatever a column is called', async () => {
    const { db, secrets, account } = api
    const evil = [
      "'; drop table records; --",
      'crmState',
      '"c8"',
      '${1}',
      'constructor',
      '__proto__',
      "c8' or 'a' = 'a",
    ]
    const list = await addList(db, account.id, {
      name: 'evil',
      columns: Object.fromEntries(evil.map((name, index) => [`c${20 + index}`, [name, 'text'] as [string, FieldType]])),
    })
    await addRecords(
      db,
      secrets,
      account.id,
      list,
      evil.map((name, index) => ({ fields: { [`c${20 + index}`]: name } })),
    )
    for (const name of evil) {
      const path = `/v1/lists/${list}/records/search`
      const found = await api.call('POST', path, { body: { filter: { column: name, operator: 'is', value: name } } })
      expect([name, found.status, found.body.items?.length]).toEqual([name, 200, 1])
      const sorted = await api.call('POST', path, { body: { sort: name } })
      expect([name, sorted.body.items?.length]).toEqual([name, evil.length])
    }
  })

  test.for([
    [{ column: 'c9', operator: 'contains', value: 'x' }, 'filter.operator'],
    [{ column: 'c8', operator: 'greater', value: 'x' }, 'filter.operator'],
    [{ column: 'c9', operator: 'before', value: 1 }, 'filter.operator'],
    [{ column: 'c12', operator: 'anniversaryWithinNextDays', value: 1 }, 'filter.operator'],
    [{ column: 'c9', operator: 'is', value: 'x' }, 'filter.value'],
    [{ column: 'c9', operator: 'is' }, 'filter.value'],
    [{ column: 'c10', operator: 'is', value: 'true' }, 'filter.value'],
    [{ column: 'c11', operator: 'less', value: '2026-02-30' }, 'filter.value'],
    [{ column: 'c12', operator: 'less', value: '2026-02-03' }, 'filter.value'],
    [{ column: 'c11', operator: 'withinLastDays', value: 0 }, 'filter.value'],
    [{ column: 'c11', operator: 'withinLastDays', value: 36_501 }, 'filter.value'],
    [{ column: 'c11', operator: 'withinNextDays', value: 1.5 }, 'filter.value'],
    [{ column: 'c12', operator: 'moreThanDaysAgo', value: '7' }, 'filter.value'],
    [{ column: 'c11', operator: 'anniversaryWithinNextDays', value: 367 }, 'filter.value'],
    [{ column: 'c9', operator: 'between', values: [1] }, 'filter.values'],
    [{ column: 'c9', operator: 'between', values: [1, 'b'] }, 'filter.values[1]'],
    [{ column: 'c9', operator: 'between', value: 1 }, 'filter.value'],
    [{ column: 'c8', operator: 'in', values: [] }, 'filter.values'],
    [{ column: 'c8', operator: 'notIn', values: [1] }, 'filter.values[0]'],
    [{ column: 'c8', operator: 'in', values: Array.from({ length: 201 }, () => 'a') }, 'filter.values'],
    [{ column: 'c8', operator: 'isBlank', value: 'x' }, 'filter.value'],
    [{ column: 'c8', operator: 'is', value: '' }, 'filter.value'],
    [{ column: 'c99', operator: 'isBlank' }, 'filter.column'],
    [{ operator: 'isBlank' }, 'filter.column'],
    [{ property: 'crmstate', operator: 'is', value: 'linked' }, 'filter.property'],
    [{ property: 'crmState', operator: 'is', value: 'Linked' }, 'filter.value'],
    [{ property: 'crmState', operator: 'isBlank' }, 'filter.operator'],
    [{ property: 'suppressed', operator: 'is', value: 1 }, 'filter.value'],
    [{ property: 'createdAt', operator: 'after', value: '2026-01-01' }, 'filter.value'],
    [{ property: 'pending', column: 'c8', operator: 'is', value: true }, 'filter.column'],
    [{ property: 'toString', operator: 'is', value: true }, 'filter.property'],
    [{ and: [] }, 'filter.and'],
    [{ and: [{ column: 'c8', operator: 'isBlank' }], or: [] }, 'filter.or'],
    [
      { or: [{ column: 'c8', operator: 'isBlank' }, { not: { column: 'c8', operator: 'nix' } }] },
      'filter.or[1].not.operator',
    ],
    [{ column: 'c8', operator: 'is', value: 'x', more: 1 }, 'filter.more'],
    [[], 'filter'],
    [null, 'filter'],
  ] as [unknown, string][])('%j is refused at %s', async ([filter, path]) => {
    const answer = await search(filter)
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalidInput', errors: [{ path }] } })
  })

  test('is refused when it is nested too deep or has too many conditions', () => {
    const leaf = { column: 'c8', operator: 'isBlank' }
    const deep = Array.from({ length: 12 }).reduce<unknown>((inner) => ({ not: inner }), leaf)
    const wide = { or: Array.from({ length: 101 }, () => leaf) }
    for (const filter of [deep, wide]) expect(() => readFilter(filter, known)).toThrow(FairleadError)
  })

  test('with as many conditions and values as it may have is answered', async () => {
    const values = Array.from({ length: 200 }, (_, index) => `value ${index}`)
    const filter = { or: Array.from({ length: 100 }, () => ({ column: 'c8', operator: 'in', values })) }
    expect((await search(filter)).status).toBe(200)
  })

  test('of a list that is locked ends with queryTimeout', async () => {
    const filter = readFilter({ column: 'c8', operator: 'is', value: 'CEO' }, known)
    const query = { filter, clock, sort: { order: 'asc' as const }, limit: 10 }
    const list = { id: listId, connectionId: null }
    await api.db.transaction(async (tx) => {
      await tx.execute('lock table records in access exclusive mode')
      const slow = records.page(api.db, api.secrets, api.account.id, list, query, { timeoutMs: 50 })
      await expect(slow).rejects.toMatchObject({ code: 'queryTimeout' })
      const counted = count(api.db, api.secrets, api.account.id, list, query, { exactMs: 50, sampleMs: 50 })
      await expect(counted).rejects.toMatchObject({ code: 'queryTimeout' })
    })
  })
})

describe('a long list', () => {
  const size = 30_000
  let long: string
  beforeAll(async () => {
    const { db, account } = api
    long = await addList(db, account.id, { name: 'long', columns: types, recordCount: size })
    await db.$client`
      insert into records (account_id, list_id, fields)
      select ${account.id}, ${long}, jsonb_build_object('c8', 'Title ' || n % 1000, 'c9', n) from generate_series(1, ${size}) n`
    await db.$client`vacuum analyze records`
  })
  const list = () => ({ id: long, connectionId: null })
  const rare = { column: 'c8', operator: 'is', value: 'title 999' }

  test.for(['asc', 'desc'] as const)(
    'answers what it found when the time is up, and goes on from there (%s)',
    async (order) => {
      const numbers: unknown[] = []
      let after: records.Page['ranOut'] | undefined
      let short = 0
      for (let pages = 0; ; pages += 1) {
        const query = { filter: readFilter(rare, known), clock, sort: { order }, limit: 5, after: after ?? undefined }
        const { rows, ranOut } = await records.page(api.db, api.secrets, api.account.id, list(), query, { budgetMs: 0 })
        expect(rows.length).toBeLessThanOrEqual(5)
        numbers.push(...rows.map(({ row }) => row.values['c9']))
        if (ranOut !== null) short += 1
        after = ranOut ?? (rows.length === 5 ? rows.at(-1)!.key : null)
        if (after === null) break
        expect(pages).toBeLessThan(100)
      }
      const all = Array.from({ length: size / 1000 }, (_, index) => 999 + index * 1000)
      expect(numbers).toEqual(order === 'asc' ? all : all.toReversed())
      expect(short).toBeGreaterThan(5)
    },
  )

  test('the API says so with `complete`', async () => {
    const hasty = await openApi({ searchMs: 0 })
    try {
      const { db, account, call } = hasty
      const listId = await addList(db, account.id, { name: 'long', columns: types })
      await db.$client`
        insert into records (account_id, list_id, fields)
        select ${account.id}, ${listId}, jsonb_build_object('c9', n) from generate_series(1, 5000) n`
      const filter = { column: 'c9', operator: 'greater', value: 4995 }
      const found: number[] = []
      const completes: boolean[] = []
      let cursor: string | undefined
      do {
        const { body } = await call('POST', `/v1/lists/${listId}/records/search`, {
          body: { filter, limit: 3, cursor },
        })
        found.push(...body.items.map((each: { fields: { Score: number } }) => each.fields.Score))
        completes.push(body.complete)
        cursor = body.nextCursor ?? undefined
      } while (cursor !== undefined)
      expect(found).toEqual([4996, 4997, 4998, 4999, 5000])
      expect(completes).toEqual([false, false, true, true])
    } finally {
      await hasty.close()
    }
  })

  test('is counted exactly where there is time, and else estimated with a range that holds the truth', async () => {
    for (const [filter, truth] of [
      [rare, 30],
      [{ column: 'c9', operator: 'lessOrEqual', value: 12_345 }, 12_345],
      [{ column: 'c8', operator: 'isBlank' }, 0],
      [{ column: 'c8', operator: 'isNotBlank' }, size],
    ] as const) {
      const query = { filter: readFilter(filter, known), clock }
      expect(await count(api.db, api.secrets, api.account.id, list(), query)).toEqual({ count: truth, exact: true })
      const guess = await count(api.db, api.secrets, api.account.id, list(), query, { exactMs: 1 })
      expect(guess).toMatchObject({ exact: false })
      if (guess.exact) throw new Error('counted')
      expect(guess.low).toBeLessThanOrEqual(truth)
      expect(guess.high).toBeGreaterThanOrEqual(truth)
      expect(guess.low).toBeLessThanOrEqual(guess.count)
      expect(guess.high).toBeGreaterThanOrEqual(guess.count)
      expect(guess.high).toBeLessThanOrEqual(size)
    }
  })
})
