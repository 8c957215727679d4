import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import type { FieldType } from '../../src/domain/crm.ts'
import { operatorsOf, properties } from '../../src/domain/filter.ts'
import { addConnection, addList } from '../api/rows.ts'
import { openApi, type TestApi } from '../support/api.ts'

const size = 1_000_000
const columns: Record<string, [string, FieldType, string | null]> = {
  c8: ['Title', 'text', 'Title'],
  c9: ['Score', 'number', 'Score'],
  c10: ['Vip', 'boolean', null],
  c11: ['Birthday', 'date', null],
  c12: ['Visited', 'instant', null],
  c13: ['Phone', 'phone', 'WorkPhone'],
  c14: ['Status', 'picklist', 'Status'],
}

let api: TestApi
let listId: string

beforeAll(async () => {
  api = await openApi()
  const { db, account } = api
  const connectionId = await addConnection(db, account.id)
  listId = await addList(db, account.id, { connectionId, recordCount: size, columns })
  const sql = db.$client
  const others = Array.from({ length: 12 }, (_, index) => `c${20 + index}`)
  await sql`alter table records set (autovacuum_enabled = false)`
  await sql.unsafe(
    `insert into records (account_id, list_id, crm_entity, crm_id, email_key, external_id, updated_at, fields)
     select '${account.id}', '${listId}', case when n % 10 > 0 then 'lead' end, case when n % 10 > 0 then 'Q' || n end,
       decode(md5(n::text), 'hex'), case when n % 4 = 0 then 'shop-' || n end,
       case when n % 3 = 0 then now() - make_interval(secs => n * 60) end,
       jsonb_build_object('c1', 'person.' || n || '@example.com', 'c2', 'First' || n % 5000, 'c3', 'Müller ' || n % 90000,
         'c8', case when n % 5 = 0 then null else 'Head of Department ' || n % 1000 end, 'c9', (n::bigint * 7919) % 1000003, 'c10', n % 2 = 0,
         'c11', to_char(date '1950-01-01' + n % 25000, 'YYYY-MM-DD'),
         'c12', to_char(timestamp '2020-01-01' + make_interval(secs => n * 180), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
         'c13', '+1 555 ' || lpad(n::text, 7, '0'), 'c14', (array['Hot', 'Warm', 'Cold'])[1 + n % 3])
       || (select jsonb_object_agg(key, 'Some value ' || n % 777) from unnest(array['${others.join("','")}']) key)
     from generate_series(1, ${size}) n`,
  )
  await sql`insert into crm_people (connection_id, entity, crm_id, account_id, state)
    select ${connectionId}, 'lead', 'Q' || n, ${account.id}, 'deletedInCrm' from generate_series(1, ${size}, 97) n where n % 10 > 0`
  await sql`insert into suppressions (account_id, email_key, email, reason, source)
    select ${account.id}, decode(md5(n::text), 'hex'), 'person.' || n || '@example.com', 'manual', 'api' from generate_series(1, ${size}, 50) n`
  await sql`vacuum analyze records`
  await sql`vacuum analyze suppressions`
  await sql`vacuum analyze crm_people`
  await sql`select count(*) from records where fields ->> 'c8' = 'nothing'`
  await db.insert(t.folders).values({ accountId: account.id, name: 'Other' })
}, 1_800_000)
afterAll(() => api.close())

/** One value that matches many and one that matches few or none, which has to look at everybody. */
const samples: Record<string, [many: unknown, few: unknown]> = {
  c1: ['example.com', 'nobody@example.net'],
  c3: ['müller 5', 'MÜLLER 89999x'],
  c8: ['HEAD OF DEPARTMENT 7', 'Tail'],
  c9: [500_000, -1],
  c10: [true, false],
  c11: ['1980-05-05', '1900-01-01'],
  c12: ['2022-01-01T00:00:00Z', '1999-01-01T00:00:00Z'],
  c13: ['+1 555 0000777', '999x'],
  c14: ['hot', 'Frozen'],
  crmState: ['linked', 'merged'],
  crmEntity: ['lead', 'contact'],
  suppressed: [false, true],
  pending: [false, true],
  createdAt: ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z'],
  updatedAt: ['2025-01-01T00:00:00Z', '2099-01-01T00:00:00Z'],
  externalId: ['SHOP-4', 'nothing'],
}

const types = {
  c1: 'email',
  c3: 'text',
  ...Object.fromEntries(Object.entries(columns).map(([key, [, type]]) => [key, type])),
}
const cases = [
  ...Object.entries(types).flatMap(([column, type]) =>
    operatorsOf[type as 'text'].map((operator) => ({
      on: { column },
      name: column,
      type: type as string,
      operator: operator as string,
    })),
  ),
  ...Object.entries(properties).flatMap(([property, { type, operators }]) =>
    operators.map((operator) => ({
      on: { property },
      name: property,
      type: type as string,
      operator: operator as string,
    })),
  ),
]

const filterOf = ({ on, name, operator }: (typeof cases)[number], few: boolean) => {
  const value = samples[name]![few ? 1 : 0]
  if (operator === 'isBlank' || operator === 'isNotBlank') return { ...on, operator }
  if (operator === 'between') return { ...on, operator, values: [samples[name]![1], value] }
  if (operator === 'in' || operator === 'notIn') return { ...on, operator, values: [value] }
  return { ...on, operator, value: /Days/.test(operator) ? (few ? 1 : 365) : value }
}

const timed = async (path: string, body: unknown) => {
  const began = performance.now()
  const answer = await api.call('POST', `/v1/lists/${listId}/records/${path}`, { body })
  expect(answer.status).toBe(200)
  return { ms: Math.round(performance.now() - began), body: answer.body }
}

describe('over a million records', () => {
  const slowest = { page: 0, count: 0 }
  test.for(cases)('$name ($type) $operator answers page and count', async (each) => {
    const line: string[] = []
    for (const few of [false, true]) {
      const filter = filterOf(each, few)
      const page = await timed('search', { filter, limit: 50 })
      const counted = await timed('count', { filter })
      slowest.page = Math.max(slowest.page, page.ms)
      slowest.count = Math.max(slowest.count, counted.ms)
      const { count, exact, low, high } = counted.body
      line.push(
        `page ${page.ms} ms (${page.body.items.length}${page.body.complete ? '' : ', not complete'}), count ${counted.ms} ms (${count}${exact ? '' : `, ${low} to ${high}`})`,
      )
      if (page.body.complete && page.body.nextCursor === null) {
        const found = page.body.items.length
        expect(low).toBeLessThanOrEqual(found)
        expect(high).toBeGreaterThanOrEqual(found)
        if (exact) expect(count).toBe(found)
      }
    }
    console.log(
      `${each.type.padEnd(9)} ${each.name.padEnd(11)} ${each.operator.padEnd(26)} many: ${line[0]}; few: ${line[1]}`,
    )
  })

  test('everybody is found by going on from pages that are not complete', async () => {
    const filter = { column: 'c13', operator: 'endsWith', value: '00000' }
    const found: string[] = []
    let cursor: string | undefined
    for (let pages = 0; pages < 100; pages += 1) {
      const { body } = await timed('search', { filter, limit: 200, cursor })
      found.push(...body.items.map((item: { id: string }) => item.id))
      if (body.nextCursor === null) break
      cursor = body.nextCursor
    }
    expect(new Set(found).size).toBe(size / 100_000)
    console.log(`slowest page ${slowest.page} ms, slowest count ${slowest.count} ms`)
  })

  test('an estimate holds the truth', async () => {
    const { count } = await import('../../src/db/record/count.ts')
    const { readFilter } = await import('../../src/domain/filter.ts')
    const known = await (await import('../../src/db/column.ts')).all(api.db, api.account.id, listId)
    const clock = { now: new Date(), timeZone: 'UTC' }
    const list = { id: listId, connectionId: null }
    for (const given of [
      { column: 'c10', operator: 'is', value: true },
      { column: 'c8', operator: 'isBlank' },
      { column: 'c9', operator: 'less', value: 1000 },
      { column: 'c13', operator: 'endsWith', value: '00000' },
    ]) {
      const filter = readFilter(given, known)
      const truth = await count(api.db, api.secrets, api.account.id, list, { filter, clock }, { exactMs: 60_000 })
      const began = performance.now()
      const guess = await count(api.db, api.secrets, api.account.id, list, { filter, clock }, { exactMs: 1 })
      console.log(
        JSON.stringify(given),
        truth.count,
        JSON.stringify(guess),
        `${Math.round(performance.now() - began)} ms`,
      )
      if (guess.exact) throw new Error('counted')
      expect(guess.low).toBeLessThanOrEqual(truth.count)
      expect(guess.high).toBeGreaterThanOrEqual(truth.count)
    }
  })
})
