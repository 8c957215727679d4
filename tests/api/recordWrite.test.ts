import { eq } from 'drizzle-orm'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { FieldType } from '../../src/domain/crm.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type Answer, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRecords } from './rows.ts'

const types = {
  c4: ['Created', 'instant', 'CreateDate'],
  c6: ['No mail', 'boolean', 'DoNotEmail'],
  c8: ['Title', 'text', 'Title'],
  c9: ['Budget', 'number', 'CBudget'],
  c10: ['VIP', 'boolean', 'CVip'],
  c11: ['City', 'text', 'Address/City'],
  c20: ['Note', 'text', null],
} satisfies Record<string, [string, FieldType, string | null]>

let api: TestApi
let connectionId: string
let listId: string
let count = 0

beforeAll(async () => {
  api = await openApi()
  connectionId = await addConnection(api.db, api.account.id)
  listId = await newList()
})
afterAll(() => api.close())

const newList = () =>
  addList(api.db, api.account.id, { connectionId, name: `List ${(count += 1)}`, columns: types, recordCount: 0 })

const path = (list = listId) => `/v1/lists/${list}/records`
const post = (body: unknown, list = listId) => api.call('POST', path(list), { body, key: api.account.keys.marketer })
const patch = (id: string, body: unknown, list = listId) => api.call('PATCH', `${path(list)}/${id}`, { body })
const get = (id: string, list = listId) => api.call('GET', `${path(list)}/${id}`)
const remove = (id: string, list = listId) => api.call('DELETE', `${path(list)}/${id}`)
const restore = (id: string, list = listId) => api.call('POST', `${path(list)}/${id}/restore`)
const recordCount = async (list = listId): Promise<number> =>
  (await api.call('GET', `/v1/lists/${list}`)).body.recordCount

type Stored = { fields: string; agreed: string; email: string | null; version: number; external_id: string | null }
const stored = async (id: string): Promise<Stored> => {
  const [row] = await api.db.$client<Stored[]>`
    select fields::text, agreed::text, encode(email_key, 'hex') as email, version, external_id from records where id = ${id}`
  return row!
}

/** A record that belongs to somebody in the CRM; fields as JSON text, so that decimals keep their digits. */
const addLinked = async (fields: string, list = listId, agreed = '{}'): Promise<string> => {
  const [row] = await api.db.$client<{ id: string }[]>`
    insert into records (account_id, list_id, crm_entity, crm_id, fields, agreed)
    values (${api.account.id}, ${list}, 'lead', ${`Q${(count += 1)}`}, ${fields}::text::jsonb, ${agreed}::text::jsonb) returning id`
  await api.db.$client`update lists set record_count = record_count + 1 where id = ${list}`
  return row!.id
}

const places = ({ body }: Answer): string[] => body.errors.map((error: { path: string }) => error.path)

describe('a new record', () => {
  test('is stored, counted and answered with its address', async () => {
    const list = await newList()
    const body = {
      email: ' Pat@Example.com ',
      firstName: 'Pat',
      fields: { title: 'CEO', 'Address/City': '  ', VIP: 'Y', note: 'plain' },
      externalId: ' shop-1 ',
    }
    const made = await post(body, list)
    expect(made.status).toBe(201)
    expect(made.headers.location).toBe(`${path(list)}/${made.body.id}`)
    expect(made.body).toMatchObject({
      email: 'Pat@Example.com',
      firstName: 'Pat',
      lastName: null,
      fields: { Title: 'CEO', CVip: true, 'Address/City': null, Note: 'plain' },
      crm: null,
      externalId: 'shop-1',
      version: 1,
      pending: [],
      removedAt: null,
    })
    expect((await get(made.body.id, list)).body).toEqual(made.body)
    expect(await recordCount(list)).toBe(1)
    expect(JSON.parse((await stored(made.body.id)).fields)).not.toHaveProperty('c3')
  })

  test('R2: is found by its address in any spelling', async () => {
    const { body } = await post({ email: 'Ju\u0308rgen@Example.com' })
    const filter = { column: 'email', operator: 'is', value: ' JÜRGEN@example.com' }
    const found = await api.call('POST', `${path()}/search`, { body: { filter } })
    expect(found.body.items.map(({ id }: { id: string }) => id)).toEqual([body.id])
  })

  test('R1: is made also when another one has its address', async () => {
    const email = 'two@example.com'
    const [one, two] = [await post({ email }), await post({ email })]
    expect([one.status, two.status]).toEqual([201, 201])
    expect(one.body.id).not.toBe(two.body.id)
  })

  test('R8: keeps every digit of a number, given as number or as text', async () => {
    const headers = { 'content-type': 'application/json' }
    for (const numeral of ['12345678901234567.89', '"12345678901234567.89"', '-0.12345678901234567891', '1.50']) {
      const raw = `{"lastName":"x","fields":{"CBudget":${numeral}}}`
      const { status, body } = await api.call('POST', path(), { headers, raw })
      expect(status).toBe(201)
      const digits = numeral.replaceAll('"', '')
      expect(String(body.fields.CBudget)).toBe(digits === '1.50' ? '1.5' : digits)
      if (digits !== '1.50') expect((await stored(body.id)).fields).toContain(digits)
    }
    const raw = '{"externalId":12345678901234567890,"lastName":"x"}'
    expect(places(await api.call('POST', path(), { headers, raw }))).toEqual(['externalId'])
  })

  test.for<[body: unknown, code: string, places: string[] | undefined]>([
    [{ lastName: 'x', fields: { Nothing: 1 } }, 'invalidInput', ['fields.Nothing']],
    [
      { lastName: 'x', fields: { CBudget: 'a lot', CVip: 'perhaps' } },
      'invalidInput',
      ['fields.CBudget', 'fields.CVip'],
    ],
    [{ email: 'nobody' }, 'invalidInput', ['email']],
    [{ lastName: 7 }, 'invalidInput', ['lastName']],
    [{ lastName: 'a\u0000b' }, 'invalidInput', ['lastName']],
    [{ lastName: 'x', fields: { 'Address/City': 'a\ud800' } }, 'invalidInput', ['fields.Address/City']],
    [{ lastName: 'x', fields: { CreateDate: '2026-01-01T00:00:00Z' } }, 'fieldReadOnly', ['fields.CreateDate']],
    [{ lastName: 'x', fields: { DoNotEmail: false } }, 'fieldReadOnly', ['fields.DoNotEmail']],
    [{ lastName: 'x', externalId: 'x'.repeat(201) }, 'invalidInput', ['externalId']],
    [{ lastName: 'x', surprise: 1 }, 'invalidInput', ['surprise']],
    [{ lastName: ' ', fields: { Title: null } }, 'invalidInput', undefined],
    [
      { fields: Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`f${index}`, 1])) },
      'invalidInput',
      ['fields'],
    ],
  ])('%j is refused', async ([body, code, where]) => {
    const answer = await post(body)
    expect([answer.status, answer.body.code]).toEqual([422, code])
    if (where !== undefined) expect(places(answer)).toEqual(where)
  })

  test('with an external id that is taken answers 409 with the record that has it', async () => {
    const { body } = await post({ lastName: 'first', externalId: 'ext-1' })
    const second = await post({ lastName: 'second', externalId: 'ext-1' })
    expect(second).toMatchObject({ status: 409, body: { code: 'externalIdTaken', recordId: body.id } })
    await remove(body.id)
    const third = await post({ lastName: 'third', externalId: 'ext-1' })
    expect(third).toMatchObject({ status: 409, body: { code: 'externalIdTaken', recordId: body.id } })
    expect(third.body.detail).toContain('removed')
    expect((await post({ lastName: 'x', externalId: 'ext-1' }, await newList())).status).toBe(201)
  })
})

describe('a change', () => {
  test('touches what it names, raises the version, and moves the key of the address', async () => {
    const { body } = await post({ email: 'old@example.com', firstName: 'A', lastName: 'B', fields: { Title: 'x' } })
    const changed = await patch(body.id, { email: 'NEW@example.com', lastName: null, fields: { note: 'n' } })
    expect(changed).toMatchObject({
      status: 200,
      body: { email: 'NEW@example.com', firstName: 'A', lastName: null, fields: { Title: 'x', Note: 'n' }, version: 2 },
    })
    expect(Date.parse(changed.body.updatedAt)).toBeGreaterThanOrEqual(Date.parse(body.createdAt))
    const find = async (value: string) =>
      (
        await api.call('POST', `${path()}/search`, {
          body: { filter: { column: 'email', operator: 'is', value } },
        })
      ).body.items.length
    expect([await find('old@example.com'), await find('new@example.com')]).toEqual([0, 1])
    await patch(body.id, { email: '' })
    expect((await stored(body.id)).email).toBeNull()
  })

  test('that changes nothing writes nothing', async () => {
    const id = await addLinked('{"c2":"Pat","c9":12345678901234567.890,"c20":null}')
    const before = await get(id)
    const same = { firstName: 'Pat', externalId: null, fields: { CBudget: '12345678901234567.89', Note: '' } }
    expect((await patch(id, same)).body).toEqual(before.body)
    expect(await stored(id)).toMatchObject({ version: 1, agreed: '{}' })
    expect((await stored(id)).fields).toContain('12345678901234567.890')
  })

  test('R13: of a linked record is pending, with what both sides agreed on, until it goes back', async () => {
    const id = await addLinked('{"c2":"Pat","c9":12345678901234567.89,"c20":"n"}')
    const begun = Date.now()
    const { body } = await patch(id, { firstName: 'Kim', fields: { CBudget: 1, Title: 'CEO', Note: 'other' } })
    expect(body.pending).toEqual(['firstName', 'Title', 'CBudget'])
    const { agreed } = await stored(id)
    expect(agreed).toContain('"v": 12345678901234567.89')
    expect(JSON.parse(agreed)).toEqual({
      c2: { v: 'Pat', at: expect.stringMatching(/Z$/) },
      c8: { at: expect.stringMatching(/Z$/) },
      c9: { v: expect.anything(), at: expect.stringMatching(/Z$/) },
    })
    expect(Date.parse(JSON.parse(agreed).c2.at)).toBeGreaterThanOrEqual(begun)
    const back = await patch(id, { firstName: 'Pat', fields: { CBudget: '12345678901234567.89' } })
    expect(back.body.pending).toEqual(['Title'])
    expect(back.body.version).toBe(3)
  })

  test('of a record that nobody in the CRM belongs to is never pending', async () => {
    const { body } = await post({ firstName: 'Pat' })
    expect((await patch(body.id, { firstName: 'Kim' })).body.pending).toEqual([])
    expect((await stored(body.id)).agreed).toBe('{}')
  })

  test('R24: of a column that the CRM no longer knows is stored like any other', async () => {
    const list = await newList()
    const { body } = await post({ lastName: 'x' }, list)
    await api.db.update(t.columns).set({ staleAt: new Date() }).where(eq(t.columns.listId, list))
    expect((await patch(body.id, { fields: { Title: 'y' } }, list)).body.fields.Title).toBe('y')
  })

  test('for an older version answers 409 conflict and writes nothing', async () => {
    const { body } = await post({ lastName: 'one' })
    expect((await patch(body.id, { lastName: 'two', version: 1 })).body.version).toBe(2)
    const stale = await patch(body.id, { lastName: 'three', version: 1 })
    expect(stale).toMatchObject({ status: 409, body: { code: 'conflict', version: 2 } })
    expect((await get(body.id)).body.lastName).toBe('two')
  })

  test('that names nothing, or something unknown, is refused', async () => {
    const { body } = await post({ lastName: 'x' })
    for (const changes of [{}, { version: 1 }, { nothing: 1 }, { version: 0, lastName: 'y' }]) {
      expect((await patch(body.id, changes)).body.code).toBe('invalidInput')
    }
    expect(places(await patch(body.id, { fields: { nothing: 1 } }))).toEqual(['fields.nothing'])
  })

  test('of the external id keeps it unique', async () => {
    const [one, two] = [
      (await post({ lastName: 'a', externalId: 'u-1' })).body,
      (await post({ lastName: 'b', externalId: 'u-2' })).body,
    ]
    const taken = await patch(two.id, { externalId: 'u-1', lastName: 'c' })
    expect(taken).toMatchObject({ status: 409, body: { code: 'externalIdTaken', recordId: one.id } })
    expect((await get(two.id)).body).toEqual(two)
    expect((await patch(one.id, { externalId: null })).body.externalId).toBeNull()
    expect((await patch(two.id, { externalId: 'u-1' })).body).toMatchObject({ externalId: 'u-1', version: 2 })
  })

  test('at the same moment as others of other values leaves all of them', async () => {
    const id = await addLinked('{"c2":"a","c8":"a","c9":1,"c10":false,"c20":"a"}')
    const changes = [
      { firstName: 'b' },
      { fields: { Title: 'b' } },
      { fields: { CBudget: 2 } },
      { fields: { CVip: true } },
      { fields: { Note: 'b' } },
    ]
    const answers = await Promise.all(changes.map((body) => patch(id, body)))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect((await get(id)).body).toMatchObject({
      firstName: 'b',
      fields: { Title: 'b', CBudget: 2, CVip: true, Note: 'b' },
      pending: ['firstName', 'Title', 'CBudget', 'CVip'],
      version: 6,
    })
  })

  test('of external ids in circles at the same moment ends in order', async () => {
    const ids = await Promise.all(
      [1, 2, 3, 4].map(async (each) => (await post({ lastName: 'x', externalId: `o-${each}` })).body.id as string),
    )
    const answers = await Promise.all(
      ids.flatMap((id, index) => [1, 2].map((step) => patch(id, { externalId: `o-${((index + step) % 4) + 1}` }))),
    )
    for (const { status } of answers) expect([200, 409]).toContain(status)
    const now = await Promise.all(ids.map(async (id) => (await stored(id)).external_id))
    expect(new Set(now).size).toBe(4)
  })
})

describe('R17: a removed record', () => {
  test('is seen no more, is counted no more, and is shown among those that can be restored', async () => {
    const list = await newList()
    const keep = (await post({ lastName: 'keep' }, list)).body
    const gone = (await post({ lastName: 'gone', externalId: 'g' }, list)).body
    expect((await remove(gone.id, list)).status).toBe(204)
    for (const answer of [
      await get(gone.id, list),
      await patch(gone.id, { lastName: 'y' }, list),
      await remove(gone.id, list),
    ]) {
      expect(answer.body).toMatchObject({ status: 404, code: 'notFound' })
    }
    const ids = async (query = '') =>
      (await api.call('GET', `${path(list)}${query}`)).body.items.map(({ id }: { id: string }) => id)
    expect(await ids()).toEqual([keep.id])
    expect(await ids('?removed=true&sort=lastName')).toEqual([gone.id])
    expect(await recordCount(list)).toBe(1)
    const shown = (await api.call('GET', `${path(list)}?removed=true`)).body.items[0]
    expect(shown).toMatchObject({ lastName: 'gone', externalId: 'g', removedAt: expect.stringMatching(/Z$/) })
    const first = await api.call('GET', `${path(list)}?limit=1&removed=true`)
    expect(first.body.nextCursor).toBeNull()
  })

  test('comes back as it was, and its person is read by the next sync', async () => {
    const list = await newList()
    const id = await addLinked('{"c2":"Pat"}', list)
    const before = (await get(id, list)).body
    await remove(id, list)
    const back = await restore(id, list)
    const { version: _version, updatedAt: _updated, ...rest } = before
    expect(back).toMatchObject({ status: 200, body: { ...rest, removedAt: null, version: 3 } })
    expect((await restore(id, list)).body).toEqual(back.body)
    expect(await recordCount(list)).toBe(1)
    const late = await api.db.select().from(t.lateRows).where(eq(t.lateRows.listId, list))
    expect(late).toMatchObject([{ entity: 'lead', crmId: before.crm.id, accountId: api.account.id }])
    const plain = (await post({ lastName: 'x' }, list)).body.id
    await remove(plain, list)
    await restore(plain, list)
    expect(await api.db.select().from(t.lateRows).where(eq(t.lateRows.listId, list))).toHaveLength(1)
  })

  test('that was merged into another one cannot come back: 409 with that one', async () => {
    const list = await newList()
    const [into, from] = [(await post({ lastName: 'a' }, list)).body.id, (await post({ lastName: 'b' }, list)).body.id]
    await remove(from, list)
    await api.db.update(t.records).set({ mergedInto: into }).where(eq(t.records.id, from))
    expect(await restore(from, list)).toMatchObject({ status: 409, body: { code: 'recordMerged', recordId: into } })
    expect((await api.call('GET', `${path(list)}?removed=true`)).body.items).toEqual([])
  })

  test('leaves its external id to the record that it was merged into', async () => {
    const list = await newList()
    const into = (await post({ lastName: 'a' }, list)).body.id
    const from = (await post({ lastName: 'b', externalId: 'm' }, list)).body.id
    await remove(from, list)
    await api.db.update(t.records).set({ mergedInto: into }).where(eq(t.records.id, from))
    const taken = await post({ lastName: 'c', externalId: 'm' }, list)
    expect(taken.body).toMatchObject({ code: 'externalIdTaken', recordId: into })
    expect((await patch(into, { externalId: 'm' }, list)).body.externalId).toBe('m')
    expect((await stored(from)).external_id).toBeNull()
  })

  test('is removed and restored by many at once and still counted once', async () => {
    const list = await newList()
    const { id } = (await post({ lastName: 'x' }, list)).body
    const calls = [remove, restore, remove, restore, remove, restore].map((call) => call(id, list))
    for (const { status } of await Promise.all(calls)) expect([200, 204, 404]).toContain(status)
    const live = (await api.call('GET', path(list))).body.items.length
    expect(await recordCount(list)).toBe(live)
  })
})

describe('R36', () => {
  test('a record of another list, another account or a removed list is not there for any write', async () => {
    const other = await newList()
    const { id } = (await post({ lastName: 'x' }, other)).body
    const strange = await addList(api.db, api.stranger.id, { name: 'theirs' })
    const [theirs = ''] = await addRecords(api.db, api.secrets, api.stranger.id, strange, [{ fields: { c3: 'x' } }])
    const cases = [
      [id, listId],
      [theirs, listId],
      [theirs, strange],
    ] as const
    for (const [record, list] of cases) {
      for (const answer of [
        await patch(record, { lastName: 'y' }, list),
        await remove(record, list),
        await restore(record, list),
      ]) {
        expect(answer.status).toBe(404)
      }
    }
    await api.call('DELETE', `/v1/lists/${other}`)
    for (const answer of [
      await post({ lastName: 'y' }, other),
      await patch(id, { lastName: 'y' }, other),
      await remove(id, other),
      await restore(id, other),
    ]) {
      expect(answer.status).toBe(404)
    }
    expect(await stored(theirs)).toMatchObject({ version: 1 })
  })

  test('a viewer changes nothing', async () => {
    const { id } = (await post({ lastName: 'x' })).body
    const key = api.account.keys.viewer
    const answers = [
      await api.call('POST', path(), { body: { lastName: 'y' }, key }),
      await api.call('PATCH', `${path()}/${id}`, { body: { lastName: 'y' }, key }),
      await api.call('DELETE', `${path()}/${id}`, { key }),
      await api.call('POST', `${path()}/${id}/restore`, { key }),
      await api.call('POST', `${path()}/bulk`, { body: { match: 'email', records: [{ lastName: 'y' }] }, key }),
    ]
    for (const { body } of answers) expect(body.code).toBe('forbidden')
  })
})

describe('any sequence of changes', () => {
  /** Names, keys, and values as text that means the same to people, to the API and to the model. */
  const pools: Record<string, { key: string; bound: boolean; values: string[] }> = {
    firstName: { key: 'c2', bound: true, values: ['"a"', '"b"', '"c"', 'null'] },
    Title: { key: 'c8', bound: true, values: ['"a"', '"b"', 'null'] },
    CBudget: { key: 'c9', bound: true, values: ['1', '1.5', '12345678901234567.89', '-12345678901234567.89', 'null'] },
    CVip: { key: 'c10', bound: true, values: ['true', 'false', 'null'] },
    Note: { key: 'c20', bound: false, values: ['"a"', '"b"', 'null'] },
  }
  const names = Object.keys(pools)
  const some = (pick: (name: string) => fc.Arbitrary<string>) =>
    fc.record(Object.fromEntries(names.map((name) => [name, pick(name)])), { requiredKeys: [] })
  const change = some((name) => fc.constantFrom(...pools[name]!.values))
  const start = fc.record({
    linked: fc.boolean(),
    fields: change,
    agreed: some((name) => fc.constantFrom(...pools[name]!.values, 'never', 'absent')),
  })

  type Known = { v?: string; n?: true }
  type Model = { fields: Map<string, string>; agreed: Map<string, Known>; version: number }

  const bodyOf = (changes: Record<string, string | undefined>): string => {
    const { firstName, ...fields } = changes
    const inner = Object.entries(fields).map(([name, value]) => `"${name}":${value}`)
    return `{${firstName === undefined ? '' : `"firstName":${firstName},`}"fields":{${inner}}}`
  }

  const read = (json: string): Record<string, unknown> => {
    const guarded = json.replaceAll(/-?\d{17}\.\d+/g, (digits) => `"${digits}"`)
    return JSON.parse(guarded) as Record<string, unknown>
  }
  const plain = (json: string): unknown => Object.values(read(`{"x":${json}}`))[0]

  test('leaves exactly the values and agreements that a plain model has', async () => {
    const list = await newList()
    await fc.assert(
      fc.asyncProperty(start, fc.array(change, { maxLength: 6 }), async ({ linked, fields, agreed }, changes) => {
        const model: Model = { fields: new Map(), agreed: new Map(), version: 1 }
        for (const [name, value] of Object.entries(fields))
          if (value !== undefined) model.fields.set(pools[name]!.key, value)
        for (const [name, value] of linked ? Object.entries(agreed) : []) {
          const { key, bound } = pools[name]!
          if (!bound || value === undefined) continue
          model.agreed.set(key, value === 'never' ? { n: true } : value === 'absent' ? {} : { v: value })
        }
        const then = '2020-01-01T00:00:00.000Z'
        const before = [...model.agreed].map(([key, { v, n }]) => {
          const parts = [...(v === undefined ? [] : [`"v":${v}`]), ...(n ? ['"n":true'] : []), `"at":"${then}"`]
          return `"${key}":{${parts}}`
        })
        const id = await addLinked(
          `{${[...model.fields].map(([key, value]) => `"${key}":${value}`)}}`,
          list,
          `{${before}}`,
        )
        if (!linked) await api.db.$client`update records set crm_id = null, crm_entity = null where id = ${id}`
        const edited = new Set<string>()
        for (const each of changes) {
          let isChanged = false
          for (const [name, value] of Object.entries(each)) {
            const { key, bound } = pools[name]!
            const old = model.fields.get(key)
            if (value === undefined || old === value) continue
            isChanged = true
            model.fields.set(key, value)
            if (!linked || !bound) continue
            const known = model.agreed.get(key)
            if (known?.v === value) model.agreed.delete(key)
            else {
              edited.add(key)
              if (known === undefined) model.agreed.set(key, old === undefined ? {} : { v: old })
            }
          }
          if (isChanged) model.version += 1
          const headers = { 'content-type': 'application/json' }
          const answer = await api.call('PATCH', `${path(list)}/${id}`, { headers, raw: bodyOf(each) })
          expect(answer.status).toBe(200)
          expect(answer.body.version).toBe(model.version)
          const pending = names.filter((name) => model.agreed.has(pools[name]!.key))
          expect(new Set(answer.body.pending)).toEqual(new Set(pending))
        }
        const row = await stored(id)
        expect(read(row.fields)).toEqual(
          Object.fromEntries([...model.fields].map(([key, value]) => [key, plain(value)])),
        )
        const after = read(row.agreed) as Record<string, { v?: unknown; n?: true; at: string }>
        expect(Object.keys(after).sort()).toEqual([...model.agreed.keys()].sort())
        for (const [key, { v, n }] of model.agreed) {
          const { at, ...rest } = after[key]!
          expect(rest).toEqual({ ...(v === undefined ? {} : { v: plain(v) }), ...(n ? { n } : {}) })
          expect(at === then).toBe(!edited.has(key))
        }
      }),
      { numRuns: 60 },
    )
    const [{ n } = { n: -1 }] = await api.db.$client<{ n: number }[]>`
      select count(*)::int as n from records where list_id = ${list} and removed_at is null`
    expect(await recordCount(list)).toBe(n)
  })
})
