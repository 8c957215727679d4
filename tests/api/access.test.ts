import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eq } from 'drizzle-orm'
import * as apiKeys from '../../src/db/apiKey.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as t from '../../src/db/schema.ts'
import { permits, roles, type Role } from '../../src/domain/account.ts'
import type { RunUpload } from '../../src/domain/upload.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { definitionFor } from '../support/message.ts'
import { addConnection, addList, addRecords, addRun, defaultFolder } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  // Every route is called with five keys that are refused.
  api = await openApi({ waitMs: 0, limits: { refusedPerAddress: 10_000 } })
})
afterAll(() => api.close())

type Operation = { 'x-role': Role; requestBody?: { content: Record<string, { example: unknown }> } }
type Route = { method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'; path: string; role: Role; body: unknown }

const routes = (): Route[] => {
  const { paths } = api.app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations)
      .filter(() => path.startsWith('/v1/'))
      .map(([method, operation]) => ({
        method: method.toUpperCase() as Route['method'],
        path,
        role: operation['x-role'],
        body: operation.requestBody?.content['application/json']?.example,
      })),
  )
}

const uploadExample: RunUpload = {
  fileId: '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071',
  fileBytes: 10,
  chunks: 1,
  encoding: 'utf-8',
  delimiter: ',',
  columns: [{ header: 'E-mail', to: 'c1' }],
  options: { match: 'none', onMatch: 'update', blanks: 'keep', dates: 'iso', decimal: 'point' },
}

const noProof = {
  records: 0,
  entries: 0,
  edits: 0,
  submissions: 0,
  deliveries: 0,
  previews: 0,
  notes: 0,
  suppressions: 0,
  optOuts: 0,
  decisions: 0,
  hashes: 0,
}

/** One of everything that a route can name. */
const furnish = async ({ id }: Account): Promise<Record<string, string>> => {
  const { db, secrets } = api
  const connectionId = await addConnection(db, id)
  const listId = await addList(db, id, { connectionId })
  const runId = await addRun(db, id, { listId, connectionId, entity: 'lead' })
  const [recordId = ''] = await addRecords(db, secrets, id, listId, [{ fields: { c1: 'pat@example.com' } }])
  const { apiKey } = await apiKeys.insert(db, id, { name: 'spare', role: 'viewer' })
  const definition = { key: 'c3', type: 'text' as const, operator: 'isBlank' as const, values: [] }
  const [segment] = await db.insert(t.segments).values({ accountId: id, listId, name: 'Blank', definition }).returning()
  const email = 'pat@example.com'
  const emailKey = emailKeyOf(await hashKeyOf(db, secrets, id), email)!
  const suppression = { accountId: id, email, emailKey, reason: 'manual' as const, source: 'api' as const }
  const [suppressed] = await db.insert(t.suppressions).values(suppression).returning()
  const candidates = [{ entity: 'contact' as const, id: 'CF8AAA000001', values: {} }]
  const asked = { accountId: id, listId, recordId, kind: 'match' as const, candidates, runId }
  const [decision] = await db.insert(t.decisions).values(asked).returning()
  const [webhook] = await db
    .insert(t.webhooks)
    .values({ accountId: id, url: 'https://hooks.example.com', secret: secrets.seal('whsec_AAAA', '') })
    .returning()
  const told = {
    accountId: id,
    webhookId: webhook!.id,
    channel: 'webhook' as const,
    event: 'test' as const,
    body: '{}',
  }
  const [delivery] = await db.insert(t.alertDeliveries).values(told).returning()
  const proof = { ...noProof, crmUntouched: true as const }
  const [erasure] = await db.insert(t.erasures).values({ accountId: id, proof }).returning()
  const [message] = await db.insert(t.messages).values({ accountId: id, name: 'News' }).returning()
  const written = { messageId: message!.id, version: 1, accountId: id, definition: definitionFor(listId) }
  await db.insert(t.messageVersions).values(written)
  const [sent] = await db
    .insert(t.deliveries)
    .values({ accountId: id, messageId: message!.id, version: 1, email, emailKey })
    .returning()
  const others = {
    erasureId: erasure!.id,
    messageId: message!.id,
    sentId: sent!.id,
    webhookId: webhook!.id,
    deliveryId: delivery!.id,
    segmentId: segment!.id,
    suppressionId: suppressed!.id,
    folderId: await defaultFolder(db, id),
    decisionId: decision!.id,
  }
  const uploadId = await addRun(db, id, { kind: 'upload', listId, settings: { upload: uploadExample } })
  return { listId, runId, recordId, uploadId, keyId: apiKey.id, ...others }
}

const fill = (path: string, ids: Record<string, string>): string => {
  const named = path.replace('/v1/deliveries/{deliveryId}', '/v1/deliveries/{sentId}')
  const filled = named.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'nothing')
  return path === '/v1/crm/fields' ? `${filled}?entity=lead` : filled
}

describe('R36: keys and roles', () => {
  test('every route answers 401 without a key, with an unknown, a malformed, a revoked and an expired one', async () => {
    const { account, db } = api
    const ids = await furnish(account)
    const revoked = await apiKeys.insert(db, account.id, { name: 'revoked', role: 'admin' })
    await apiKeys.revoke(db, account.id, revoked.apiKey.id)
    const past = new Date(Date.now() - 1000)
    const expired = await apiKeys.insert(db, account.id, { name: 'expired', role: 'admin', expiresAt: past })
    const cases = [
      [null, 'unauthenticated'],
      [`fl_${'A'.repeat(43)}`, 'unauthenticated'],
      ['fl_short', 'unauthenticated'],
      [revoked.key, 'keyRevoked'],
      [expired.key, 'keyExpired'],
    ] as const
    for (const { method, path, body } of routes()) {
      for (const [key, code] of cases) {
        const answer = await api.call(method, fill(path, ids), { key, body })
        expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 401, code])
        expect(answer.headers['www-authenticate']).toMatch(/^Bearer/)
      }
    }
  })

  test('a role may call exactly the routes that name it or a lower one', async () => {
    for (const role of roles) {
      const account = await api.newAccount()
      const ids = await furnish(account)
      for (const { method, path, role: needed, body } of routes()) {
        const answer = await api.call(method, fill(path, ids), { key: account.keys[role], body })
        const allowed = permits(role, needed)
        expect([role, method, path, answer.status === 403]).toEqual([role, method, path, !allowed])
        if (!allowed) expect(answer.body.code).toBe('forbidden')
        else expect([401, 403, 500]).not.toContain(answer.status)
      }
    }
  })

  test('a viewer reads everything but keys and audit, a marketer changes lists and runs, the rest is an administrator’s', () => {
    const byRole = Object.fromEntries(
      roles.map((role) => [
        role,
        routes()
          .filter((route) => route.role === role)
          .map(({ method, path }) => `${method} ${path}`),
      ]),
    )
    expect(byRole['viewer']?.filter((route) => !route.startsWith('GET')).sort()).toEqual([
      'POST /v1/lists/{listId}/duplicates',
      'POST /v1/lists/{listId}/entries/search',
      'POST /v1/lists/{listId}/records/count',
      'POST /v1/lists/{listId}/records/search',
      'POST /v1/runs/{runId}/entries/search',
      'POST /v1/suppressions/search',
    ])
    expect(byRole['admin']?.sort()).toEqual([
      'DELETE /v1/api-keys/{keyId}',
      'DELETE /v1/lists/{listId}/schedule',
      'DELETE /v1/segments/{segmentId}/schedule',
      'DELETE /v1/webhooks/{webhookId}',
      'GET /v1/api-keys',
      'GET /v1/audit',
      'GET /v1/webhooks',
      'GET /v1/webhooks/{webhookId}/deliveries',
      'PATCH /v1/account',
      'PATCH /v1/webhooks/{webhookId}',
      'POST /v1/api-keys',
      'POST /v1/connection/reconfirm',
      'POST /v1/connection/reset',
      'POST /v1/erasures',
      'POST /v1/lists/{listId}/schedule/pause',
      'POST /v1/lists/{listId}/schedule/resume',
      'POST /v1/runs/{runId}/undo',
      'POST /v1/segments/{segmentId}/schedule/pause',
      'POST /v1/segments/{segmentId}/schedule/resume',
      'POST /v1/standard-fields/optimize',
      'POST /v1/webhooks',
      'POST /v1/webhooks/{webhookId}/deliveries/{deliveryId}/retry',
      'POST /v1/webhooks/{webhookId}/test',
      'PUT /v1/connection',
      'PUT /v1/lists/{listId}/schedule',
      'PUT /v1/segments/{segmentId}/schedule',
      'PUT /v1/standard-fields',
    ])
    expect(byRole['marketer']?.some((route) => route.startsWith('GET'))).toBe(false)
  })

  test('another account’s ids answer 404 on every route, and nothing of it changes', async () => {
    const victim = await api.newAccount()
    const ids = await furnish(victim)
    const before = await snapshot(victim.id)
    const thief = await api.newAccount()
    await furnish(thief)
    const withIds = routes().filter(({ path }) => path.includes('{'))
    expect(withIds.length).toBeGreaterThan(14)
    for (const { method, path, body } of withIds) {
      const answer = await api.call(method, fill(path, ids), { key: thief.keys.admin, body })
      expect([method, path, answer.status, answer.body.code]).toEqual([method, path, 404, 'notFound'])
    }
    for (const url of [`/v1/runs?listId=${ids['listId']}`, `/v1/lists?folderId=${ids['folderId']}`]) {
      expect((await api.call('GET', url, { key: thief.keys.admin })).status).toBe(404)
    }
    expect(await snapshot(victim.id)).toEqual(before)
  })

  test('malformed ids answer like unknown ones', async () => {
    for (const id of ['1', 'zzz', '%00', '..%2f', "'; drop table lists; --", '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071']) {
      const answer = await api.call('GET', `/v1/lists/${encodeURIComponent(id)}`)
      expect(answer.body).toMatchObject({ status: 404, code: 'notFound' })
    }
  })

  test('collections show the caller’s own rows only', async () => {
    const fresh = await api.newAccount()
    for (const path of [
      '/v1/lists',
      '/v1/runs',
      '/v1/messages',
      '/v1/suppressions',
      '/v1/quarantine',
      '/v1/decisions',
    ]) {
      const answer = await api.call('GET', path, { key: fresh.keys.admin })
      expect(answer.body).toEqual({ items: [], nextCursor: null })
    }
    const keys = await api.call('GET', '/v1/api-keys', { key: fresh.keys.admin })
    expect(keys.body.items.map((key: { name: string }) => key.name)).toEqual(['viewer', 'marketer', 'admin'])
  })
})

const snapshot = async (accountId: string) => {
  const { db } = api
  const lists = await db.select().from(t.lists).where(eq(t.lists.accountId, accountId))
  const runs = await db.select().from(t.runs).where(eq(t.runs.accountId, accountId))
  const keys = await db.select().from(t.apiKeys).where(eq(t.apiKeys.accountId, accountId))
  const audit = await db.select().from(t.audit).where(eq(t.audit.accountId, accountId))
  const segments = await db.select().from(t.segments).where(eq(t.segments.accountId, accountId))
  const suppressions = await db.select().from(t.suppressions).where(eq(t.suppressions.accountId, accountId))
  const decisions = await db.select().from(t.decisions).where(eq(t.decisions.accountId, accountId))
  const webhooks = await db.select().from(t.webhooks).where(eq(t.webhooks.accountId, accountId))
  const deliveries = await db.select().from(t.alertDeliveries).where(eq(t.alertDeliveries.accountId, accountId))
  return { lists, runs, keys, audit, segments, suppressions, decisions, webhooks, deliveries }
}

describe('API keys', () => {
  test('a key is shown once, works at once, and is stored as a hash only', async () => {
    const account = await api.newAccount()
    const made = await api.call('POST', '/v1/api-keys', {
      key: account.keys.admin,
      body: { name: 'Website', role: 'viewer', expiresAt: '2099-01-01T00:00:00Z' },
    })
    expect(made).toMatchObject({ status: 201, body: { name: 'Website', role: 'viewer', revokedAt: null } })
    const { key, id } = made.body
    expect(key).toMatch(/^fl_[\w-]{43}$/)
    expect(key.startsWith(made.body.prefix)).toBe(true)
    expect((await api.call('GET', '/v1/lists', { key })).status).toBe(200)
    const listed = await api.call('GET', '/v1/api-keys', { key: account.keys.admin })
    expect(listed.text).not.toContain(key)
    const [row] = await api.db.select().from(t.apiKeys).where(eq(t.apiKeys.id, id))
    expect(JSON.stringify(row)).not.toContain(key)
    expect(row?.lastUsedAt).not.toBeNull()
  })

  test('a revoked key stops at once and stays on the list; revoking it again is no error', async () => {
    const account = await api.newAccount()
    const { key, id } = (
      await api.call('POST', '/v1/api-keys', { key: account.keys.admin, body: { name: 'a', role: 'viewer' } })
    ).body
    for (const _ of [1, 2]) {
      expect((await api.call('DELETE', `/v1/api-keys/${id}`, { key: account.keys.admin })).status).toBe(204)
    }
    expect((await api.call('GET', '/v1/lists', { key })).body.code).toBe('keyRevoked')
    const listed = await api.call('GET', '/v1/api-keys', { key: account.keys.admin })
    expect(listed.body.items.find((each: { id: string }) => each.id === id).revokedAt).not.toBeNull()
  })

  test('the last live administrator key cannot be revoked, not even by two requests at once', async () => {
    const account = await api.newAccount()
    const { key, id } = (
      await api.call('POST', '/v1/api-keys', { key: account.keys.admin, body: { name: 'b', role: 'admin' } })
    ).body
    const listed = await api.call('GET', '/v1/api-keys', { key })
    const first = listed.body.items.find((each: { name: string }) => each.name === 'admin').id
    const answers = await Promise.all([
      api.call('DELETE', `/v1/api-keys/${id}`, { key }),
      api.call('DELETE', `/v1/api-keys/${first}`, { key: account.keys.admin }),
    ])
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([204, 409])
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('lastAdminKey')
  })

  test('an expired administrator key does not count as a live one', async () => {
    const account = await api.newAccount()
    await apiKeys.insert(api.db, account.id, { name: 'old', role: 'admin', expiresAt: new Date(Date.now() - 1) })
    const listed = await api.call('GET', '/v1/api-keys', { key: account.keys.admin })
    const { id } = listed.body.items.find((each: { name: string }) => each.name === 'admin')
    expect((await api.call('DELETE', `/v1/api-keys/${id}`, { key: account.keys.admin })).body.code).toBe('lastAdminKey')
  })
})

describe('limits', () => {
  test('too many requests of one key answer 429 with Retry-After, other keys go on', async () => {
    const limited = await openApi({ limits: { perKey: 3, refusedPerAddress: 2 } })
    try {
      const { account, call } = limited
      const statuses = []
      for (let index = 0; index < 4; index += 1)
        statuses.push(await call('GET', '/v1/account', { key: account.keys.viewer }))
      expect(statuses.map(({ status }) => status)).toEqual([200, 200, 200, 429])
      expect(statuses[3]?.body.code).toBe('tooManyRequests')
      expect(Number(statuses[3]?.headers['retry-after'])).toBeGreaterThan(0)
      expect((await call('GET', '/v1/account', { key: account.keys.marketer })).status).toBe(200)
      const refused = []
      for (let index = 0; index < 3; index += 1) refused.push((await call('GET', '/v1/account', { key: null })).status)
      expect(refused).toEqual([401, 401, 429])
    } finally {
      await limited.close()
    }
  })
})
