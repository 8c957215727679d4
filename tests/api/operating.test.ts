import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import { toFairleadError } from '../../src/api/errors.ts'
import { openDatabase } from '../../src/db/database.ts'
import { errorTable } from '../../src/domain/errors.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addList } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const get = (url: string) => api.call('GET', url, { key: null })

describe('O4: health', () => {
  test('alive and ready need no key', async () => {
    expect(await get('/healthz')).toMatchObject({ status: 200, body: { alive: true } })
    expect(await get('/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, database: 'ok', migrations: 'ok', engine: 'ok' },
    })
  })

  test('without the engine it is alive and not ready, and says which part is missing', async () => {
    for (const engineReady of [async () => false, () => Promise.reject(new Error('away'))]) {
      api.services.engineReady = engineReady
      expect(await get('/readyz')).toMatchObject({
        status: 503,
        body: { ready: false, database: 'ok', engine: 'unavailable' },
      })
      expect((await get('/healthz')).status).toBe(200)
    }
    api.services.engineReady = async () => true
  })

  test('a schema that is older than the code is not ready', async () => {
    const sql = api.db.$client
    await sql`update drizzle.__drizzle_migrations set created_at = created_at - 1000000000`
    expect(await get('/readyz')).toMatchObject({ status: 503, body: { database: 'ok', migrations: 'unavailable' } })
    await sql`update drizzle.__drizzle_migrations set created_at = created_at + 1000000000`
  })

  test('without the database requests answer 503 databaseUnavailable with Retry-After', async () => {
    const db = openDatabase('postgres://nobody@127.0.0.1:1/none', { max: 1 })
    const app = await buildApp({ ...api.services, db, log: pino({ level: 'silent' }) })
    const authorization = `Bearer fl_${'A'.repeat(43)}`
    const answer = await app.inject({ method: 'GET', url: '/v1/lists', headers: { authorization } })
    expect([answer.statusCode, answer.json().code, answer.headers['retry-after']]).toEqual([
      503,
      'databaseUnavailable',
      '2',
    ])
    const ready = await app.inject({ method: 'GET', url: '/readyz' })
    expect([ready.statusCode, ready.json().database]).toEqual([503, 'unavailable'])
    await app.close()
    await db.$client.end()
  })

  test('a request that loses a deadlock answers 503 overloaded with Retry-After, and can be repeated', async () => {
    const { id } = api.account
    const listId = await addList(api.db, id, { name: 'Contended' })
    const rename = () => api.call('PATCH', `/v1/lists/${listId}`, { body: { name: 'Renamed' } })
    const answer = await api.db.$client.begin(async (tx) => {
      await tx`set local deadlock_timeout = '1min'`
      await tx`select from lists where id = ${listId} for update`
      const renamed = rename()
      await vi.waitFor(async () => {
        const blocked = await api.db.$client`
          select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
        expect(blocked).toHaveLength(1)
      })
      await tx`select from accounts where id = ${id} for update`
      return renamed
    })
    expect([answer.status, answer.body.code, answer.headers['retry-after']]).toEqual([503, 'overloaded', '1'])
    expect((await rename()).status).toBe(200)
  })

  test.for(['40P01', '40001', '55P03'])('%s of Postgres is a reason to repeat the request', async (sqlState) => {
    const refused = api.db.execute(`do $$ begin raise exception 'no' using errcode = '${sqlState}'; end $$`)
    expect(toFairleadError(await refused.catch((error: unknown) => error))).toMatchObject({ code: 'overloaded' })
  })

  test('metrics name routes by pattern and hold no ids', async () => {
    const { id } = api.account
    await api.call('GET', `/v1/lists/${id}`)
    await api.call('GET', '/v1/account')
    const { text, status } = await get('/metrics')
    expect(status).toBe(200)
    expect(text).toContain(
      'fairlead_http_request_duration_seconds_count{method="GET",route="/v1/lists/:listId",status="404"} 1',
    )
    expect(text).toContain('process_cpu_seconds_total')
    expect(text).not.toContain(id)
  })
})

describe('pages', () => {
  test('every code has its place on the page of problems', async () => {
    const { text, headers } = await get('/docs/problems')
    expect(headers['content-type']).toMatch(/^text\/html/)
    for (const code of Object.keys(errorTable)) expect(text).toContain(`<tr id="${code}">`)
  })

  test('the page of the API is served from here alone, with a policy that lets it work', async () => {
    const page = await get('/docs/')
    expect(page.status).toBe(200)
    const policy = String(page.headers['content-security-policy'])
    expect(policy).toMatch(/script-src 'self'(;|$)/)
    expect(policy).not.toContain('upgrade-insecure-requests')
    const sources = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!)
    expect(sources.length).toBeGreaterThan(4)
    for (const source of sources) {
      expect(source).toMatch(/^\.\//)
      expect((await get(`/docs/${source.slice(2)}`)).status).toBe(200)
    }
    expect(page.text).not.toMatch(/<script>[^<]|onclick=/)
    expect((await get('/docs/json')).body.openapi).toBe('3.1.0')
  })

  test('every answer tells browsers not to guess its type or frame it', async () => {
    const { headers } = await get('/healthz')
    expect(headers['x-request-id']).toMatch(/^[\w-]{36}$/)
    expect((await api.call('GET', '/v1/account')).headers['cache-control']).toBe('no-store')
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN' })
  })
})
