import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addList, addRecords } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const using = ({ keys }: Account) => ({
  suppress: (body: unknown, key = keys.marketer) => api.call('POST', '/v1/suppressions', { body, key }),
  bulk: (suppressions: unknown[], key = keys.marketer) =>
    api.call('POST', '/v1/suppressions/bulk', { body: { suppressions }, key }),
  search: (body: unknown) => api.call('POST', '/v1/suppressions/search', { body, key: keys.viewer }),
  list: (query = '') => api.call('GET', `/v1/suppressions${query}`, { key: keys.viewer }),
  lift: (id: string, key = keys.marketer, body: unknown = { evidence: 'Signed up again.' }) =>
    api.call('DELETE', `/v1/suppressions/${id}`, { body, key }),
})

describe('R34: a suppression', () => {
  test.for([
    ['unsubscribed', 'person'],
    ['complained', 'person'],
    ['optedOut', 'person'],
    ['bounced', 'api'],
    ['manual', 'api'],
  ] as const)('R34: %s is the doing of %s where nobody is named', async ([reason, source]) => {
    const { suppress } = using(await api.newAccount())
    expect((await suppress({ email: `${reason}@example.com`, reason })).body.source).toBe(source)
  })

  test('is made once for an address and a source, however it is spelled', async () => {
    const account = await api.newAccount()
    const { suppress, search } = using(account)
    const made = await suppress({
      email: ' J\u00fcrgen@Example.com',
      reason: 'unsubscribed',
      source: 'person',
      evidence: 'By phone.',
    })
    expect(made.status).toBe(201)
    expect(made.body).toEqual({
      id: made.body.id,
      email: 'J\u00fcrgen@Example.com',
      reason: 'unsubscribed',
      source: 'person',
      evidence: 'By phone.',
      createdAt: expect.stringMatching(/Z$/),
      createdBy: expect.any(String),
      liftedAt: null,
      liftedBy: null,
      liftEvidence: null,
      crm: null,
    })
    const again = await suppress({ email: 'JU\u0308RGEN@example.com ', reason: 'complained', source: 'person' })
    expect([again.status, again.body]).toEqual([200, made.body])
    const other = await suppress({ email: 'j\u00fcrgen@example.com', reason: 'bounced' })
    expect(other).toMatchObject({ status: 201, body: { source: 'api', evidence: null } })
    const found = await search({ email: 'J\u00dcRGEN@EXAMPLE.COM' })
    expect(found.body.items).toEqual([other.body, made.body])
    expect((await search({ email: 'somebody.else@example.com' })).body.items).toEqual([])
  })

  test('is a ratchet: only its own lifting with evidence ends it, and others of the address stay', async () => {
    const account = await api.newAccount()
    const { suppress, lift, search, list } = using(account)
    const { body: byApi } = await suppress({ email: 'pat@example.com', reason: 'bounced' })
    const { body: byPerson } = await suppress({ email: 'pat@example.com', reason: 'unsubscribed', source: 'person' })
    expect((await api.call('DELETE', `/v1/suppressions/${byApi.id}`, { key: account.keys.marketer })).status).toBe(422)
    for (const body of [{}, { evidence: '' }, { evidence: '  ' }, { evidence: null }]) {
      expect([body, (await lift(byApi.id, account.keys.marketer, body)).status]).toEqual([body, 422])
    }
    const lifted = await lift(byApi.id)
    expect(lifted).toMatchObject({
      status: 200,
      body: { id: byApi.id, liftEvidence: 'Signed up again.', liftedBy: expect.any(String) },
    })
    expect((await lift(byApi.id, account.keys.marketer, { evidence: 'Another reason.' })).body).toEqual(lifted.body)
    expect((await list()).body.items).toEqual([byPerson])
    expect((await list('?lifted=true')).body.items).toEqual([lifted.body])
    expect((await search({ email: 'pat@example.com', lifted: false })).body.items).toEqual([byPerson])
    expect((await search({ email: 'pat@example.com' })).body.items).toEqual([byPerson, lifted.body])
    const anew = await suppress({ email: 'pat@example.com', reason: 'bounced' })
    expect([anew.status, anew.body.id === byApi.id]).toEqual([201, false])
  })

  test('of a person or an administrator is lifted by an administrator, one of the CRM by the CRM alone', async () => {
    const account = await api.newAccount()
    const { suppress, lift } = using(account)
    const { admin, marketer } = account.keys
    const person = await suppress({ email: 'a@example.com', reason: 'complained', source: 'person' })
    const decided = await suppress({ email: 'b@example.com', reason: 'manual', source: 'admin' }, admin)
    for (const { body } of [person, decided]) {
      expect((await lift(body.id, marketer)).body).toMatchObject({ status: 403, code: 'forbidden' })
      expect((await lift(body.id, admin)).body.liftedAt).not.toBeNull()
    }
    const emailKey = emailKeyOf(await hashKeyOf(api.db, api.secrets, account.id), 'c@example.com')!
    const [fromCrm] = await api.db
      .insert(t.suppressions)
      .values({ accountId: account.id, email: 'c@example.com', emailKey, reason: 'optedOut', source: 'crm' })
      .returning()
    for (const key of [marketer, admin]) {
      expect((await lift(fromCrm!.id, key)).body).toMatchObject({ status: 409, code: 'suppressionOfCrm' })
    }
    expect((await suppress({ email: 'd@example.com', reason: 'optedOut', source: 'crm' }, admin)).body).toMatchObject({
      code: 'invalidInput',
      errors: [{ path: 'source' }],
    })
    expect((await suppress({ email: 'd@example.com', reason: 'manual', source: 'admin' })).body.code).toBe('forbidden')
  })

  test.for([
    [{ email: '', reason: 'manual' }, 'email'],
    [{ email: 'nobody', reason: 'manual' }, 'email'],
    [{ email: `${'x'.repeat(320)}@example.com`, reason: 'manual' }, 'email'],
    [{ email: 'a b@example.com', reason: 'manual' }, 'email'],
    [{ email: 'a@example.com', reason: 'bored' }, 'reason'],
    [{ email: 'a@example.com' }, 'reason'],
    [{ email: 'a@example.com', reason: 'manual', source: 'nobody' }, 'source'],
    [{ email: 'a@example.com', reason: 'manual', evidence: 'x'.repeat(2001) }, 'evidence'],
    [{ email: 'a@example.com', reason: 'manual', more: 1 }, 'more'],
  ] as [unknown, string][])('%j is refused at %s, alone and among others', async ([row, path]) => {
    const { suppress, bulk, list } = using(await api.newAccount())
    expect((await suppress(row)).body).toMatchObject({ status: 422, code: 'invalidInput', errors: [{ path }] })
    const among = await bulk([row, { email: 'good@example.com', reason: 'manual' }])
    expect(among.body.counts).toEqual({ created: 1, unchanged: 0, rejected: 1 })
    expect(among.body.results[0]).toMatchObject({
      result: 'rejected',
      id: null,
      code: 'invalidInput',
      path: `suppressions[0].${path}`,
    })
    expect((await list()).body.items.map((each: { email: string }) => each.email)).toEqual(['good@example.com'])
  })

  test('comes a thousand at a time, each row with its result', async () => {
    const account = await api.newAccount()
    const { bulk, list, suppress } = using(account)
    const { body: there } = await suppress({ email: 'n7@example.com', reason: 'bounced' })
    const rows: unknown[] = Array.from({ length: 998 }, (_, n) => ({ email: `n${n}@example.com`, reason: 'manual' }))
    rows.push(
      { email: 'N3@Example.com', reason: 'bounced' },
      { email: 'n3@example.com', reason: 'manual', source: 'admin' },
    )
    const { body, status } = await bulk(rows)
    expect([status, body.counts]).toEqual([200, { created: 997, unchanged: 2, rejected: 1 }])
    expect(body.results[7]).toMatchObject({ result: 'unchanged', id: there.id })
    expect(body.results[998]).toMatchObject({ result: 'unchanged', id: body.results[3].id })
    expect(body.results[999]).toMatchObject({ result: 'rejected', code: 'forbidden', path: 'suppressions[999].source' })
    expect((await bulk(rows)).body.counts).toEqual({ created: 0, unchanged: 999, rejected: 1 })
    expect((await bulk([...rows, rows[0]])).status).toBe(422)
    expect((await bulk([])).status).toBe(422)

    const seen: string[] = []
    let cursor = ''
    for (;;) {
      const { body } = await list(`?limit=150${cursor}`)
      seen.push(...body.items.map((each: { id: string }) => each.id))
      if (body.nextCursor === null) break
      cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`
    }
    expect(seen).toEqual([...new Set(seen)].sort().reverse())
    expect(seen).toHaveLength(998)
  })

  test('by many at once is one', async () => {
    const account = await api.newAccount()
    const { bulk, suppress, list } = using(account)
    const rows = Array.from({ length: 50 }, (_, n) => ({ email: `r${n}@example.com`, reason: 'manual' }))
    const answers = await Promise.all([
      bulk(rows),
      bulk(rows.toReversed()),
      bulk(rows),
      ...rows.slice(0, 5).map((row) => suppress(row)),
    ])
    for (const { status } of answers) expect(status).toBeLessThan(300)
    const ids = answers.slice(0, 3).map(({ body }) => body.results.map((each: { id: string }) => each.id))
    expect(ids[1].toReversed()).toEqual(ids[0])
    expect((await list('?limit=200')).body.items).toHaveLength(50)
  })

  test('shows on every record with the address, until the last one is lifted', async () => {
    const account = await api.newAccount()
    const { suppress, lift } = using(account)
    const { db, secrets } = api
    const lists = await Promise.all(['One', 'Two'].map((name) => addList(db, account.id, { name })))
    for (const list of lists) {
      await addRecords(db, secrets, account.id, list, [
        { fields: { c1: 'Pat@Example.com' } },
        { fields: { c1: 'kim@example.com' } },
        { fields: {} },
      ])
    }
    const shown = async () => {
      const call = (list: string) => api.call('GET', `/v1/lists/${list}/records`, { key: account.keys.viewer })
      const answers = await Promise.all(lists.map(call))
      return answers.flatMap(({ body }) => body.items.map((each: { suppressed: boolean }) => each.suppressed))
    }
    expect(await shown()).toEqual([false, false, false, false, false, false])
    const first = await suppress({ email: 'pat@example.com', reason: 'bounced' })
    const second = await suppress({ email: 'pat@example.com', reason: 'unsubscribed', source: 'person' })
    expect(await shown()).toEqual([true, false, false, true, false, false])
    const found = await api.call('POST', `/v1/lists/${lists[0]}/records/count`, {
      body: { filter: { property: 'suppressed', operator: 'is', value: true } },
      key: account.keys.viewer,
    })
    expect(found.body.count).toBe(1)
    await lift(first.body.id)
    expect(await shown()).toEqual([true, false, false, true, false, false])
    await lift(second.body.id, account.keys.admin)
    expect(await shown()).toEqual([false, false, false, false, false, false])
  })

  test('R36: is an account’s own', async () => {
    const [one, two] = [await api.newAccount(), await api.newAccount()]
    const { body } = await using(one).suppress({ email: 'pat@example.com', reason: 'manual' })
    expect((await using(two).list()).body.items).toEqual([])
    expect((await using(two).search({ email: 'pat@example.com' })).body.items).toEqual([])
    expect((await using(two).lift(body.id, two.keys.admin)).status).toBe(404)
    expect((await using(two).suppress({ email: 'pat@example.com', reason: 'manual' })).status).toBe(201)
    expect((await using(one).list()).body.items).toEqual([body])
  })

  test('R37: leaves no address in audit, log and cursor', async () => {
    const account = await api.newAccount()
    const { suppress, bulk, lift, search } = using(account)
    const { body } = await suppress({ email: 'hidden@example.com', reason: 'manual', evidence: 'hidden too' })
    await bulk([
      { email: 'hidden@example.com', reason: 'manual' },
      ...['a', 'b'].map((name) => ({ email: `hidden.${name}@example.com`, reason: 'manual' })),
    ])
    await lift(body.id)
    await suppress({ email: 'hidden@example.com', reason: 'manual' })
    const { nextCursor } = (await search({ email: 'hidden@example.com', limit: 1 })).body
    expect(nextCursor).toMatch(/./)
    const { body: audit } = await api.call('GET', '/v1/audit', { key: account.keys.admin })
    const actions = audit.items.map((each: { action: string; details: unknown }) => [each.action, each.details])
    expect(actions.slice(0, 4)).toEqual([
      ['suppression.create', { reason: 'manual', source: 'api' }],
      ['suppression.lift', { reason: 'manual', source: 'api' }],
      ['suppression.create', { count: 2 }],
      ['suppression.create', { reason: 'manual', source: 'api' }],
    ])
    const parts = nextCursor.split('.').map((part: string) => Buffer.from(part, 'base64url').toString())
    for (const text of [JSON.stringify(audit), api.logged.join(''), nextCursor, ...parts])
      expect(text).not.toContain('hidden')
    const rows = await api.db.select().from(t.audit).where(eq(t.audit.accountId, account.id))
    expect(JSON.stringify(rows)).not.toContain('hidden')
  })
})
