import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as alerts from '../../src/db/alert.ts'
import { openApi, type Account, type TestApi } from '../support/api.ts'
import { addList } from './rows.ts'

let api: TestApi
let account: Account
beforeAll(async () => {
  api = await openApi()
})
beforeEach(async () => {
  account = await api.newAccount()
})
afterAll(() => api.close())

const url = 'https://hooks.example.com/fairlead'
const call = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
  api.call(method, `/v1/${path}`, { key: account.keys.admin, body })

describe('webhooks', () => {
  test('a secret is shown when it is made and when it is changed, and never again, nor kept readable or logged', async () => {
    const made = await call('POST', 'webhooks', { url, events: ['runFailed'] })
    expect(made).toMatchObject({ status: 201, body: { url, events: ['runFailed'], previousSecretUntil: null } })
    expect(made.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const path = `webhooks/${made.body.id}`
    const changed = await call('PATCH', path, { events: [] })
    expect(changed.body).toMatchObject({ events: [], previousSecretUntil: null })
    const rotated = await call('PATCH', path, { rotateSecret: true })
    expect(rotated.body.secret).not.toBe(made.body.secret)
    expect(Date.parse(rotated.body.previousSecretUntil) - Date.now()).toBeGreaterThan(23.9 * 3_600_000)
    const listed = await call('GET', 'webhooks')
    expect(listed.body.items).toEqual([expect.objectContaining({ id: made.body.id, url, events: [] })])
    const rows = await api.db.$client`select w::text as row from webhooks w`
    const audit = await call('GET', 'audit')
    expect(audit.body.items.map(({ action }: { action: string }) => action).slice(0, 3)).toEqual([
      'webhook.update',
      'webhook.update',
      'webhook.create',
    ])
    const elsewhere = [changed.text, listed.text, audit.text, api.logged.join(''), JSON.stringify(rows)].join('')
    for (const secret of [made.body.secret, rotated.body.secret]) expect(elsewhere).not.toContain(secret.slice(6))
  })

  test('addresses that no webhook may call are refused, also in a change', async () => {
    const { body } = await call('POST', 'webhooks', { url })
    for (const bad of ['http://169.254.169.254/latest', 'http://[fe80::1]:80/', 'http://metadata.google.internal/']) {
      const refused = { status: 422, body: { code: 'webhookHostNotAllowed' } }
      expect(await call('POST', 'webhooks', { url: bad })).toMatchObject(refused)
      expect(await call('PATCH', `webhooks/${body.id}`, { url: bad })).toMatchObject(refused)
    }
    for (const bad of ['ftp://hooks.example.com', 'hooks.example.com', 'https://user:pass@hooks.example.com', ''])
      expect((await call('POST', 'webhooks', { url: bad })).body.errors[0].path).toBe('url')
    for (const events of [['runSucceeded'], ['runFailed', 'runFailed']])
      expect((await call('POST', 'webhooks', { url, events })).body.code).toBe('invalidInput')
    expect((await call('PATCH', `webhooks/${body.id}`, {})).body.code).toBe('invalidInput')
  })

  test('an account has twenty at most, also when they are made at once', async () => {
    const made = await Promise.all(Array.from({ length: 22 }, () => call('POST', 'webhooks', { url })))
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20)
    expect(made.filter(({ body }) => body.code === 'tooManyWebhooks')).toHaveLength(2)
  })

  test('a test is a delivery with a log, which can be tried again until it has arrived, and goes with the webhook', async () => {
    const { body: webhook } = await call('POST', 'webhooks', { url })
    const tested = await call('POST', `webhooks/${webhook.id}/test`)
    expect(tested).toMatchObject({
      status: 202,
      body: { event: 'test', alertId: null, state: 'pending', attempts: [] },
    })
    const again = `webhooks/${webhook.id}/deliveries/${tested.body.id}/retry`
    await api.db.$client`update alert_deliveries set state = 'failed', next_at = null where id = ${tested.body.id}`
    expect((await call('POST', again)).body).toMatchObject({ state: 'pending', nextAt: expect.any(String) })
    const messages = await api.db.$client`
      select kind, name from outbox where workflow_id = ${`alert:${tested.body.id}`} order by id`
    expect(messages.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['start deliverAlert', 'wake deliverAlert'])
    await api.db.$client`update alert_deliveries set state = 'delivered' where id = ${tested.body.id}`
    expect((await call('POST', again)).body.code).toBe('conflict')
    await call('POST', `webhooks/${webhook.id}/test`)
    const log = `webhooks/${webhook.id}/deliveries`
    const first = (await call('GET', `${log}?limit=1`)).body
    const second = (await call('GET', `${log}?limit=1&cursor=${encodeURIComponent(first.nextCursor)}`)).body
    expect([first.items[0].state, second.items[0].state, second.nextCursor]).toEqual(['pending', 'delivered', null])
    expect((await call('DELETE', `webhooks/${webhook.id}`)).status).toBe(204)
    expect((await call('GET', log)).status).toBe(404)
    expect(await api.db.$client`select from alert_deliveries where webhook_id = ${webhook.id}`).toHaveLength(0)
  })
})

describe('alerts', () => {
  test('are shown with open ones first, in pages, with sentence, remedy, name, and what became of the mail', async () => {
    const emails = { alertEmails: ['ops@example.com'] }
    expect((await call('PATCH', 'account', emails)).body).toMatchObject({ ...emails, mailConfigured: false })
    const listId = await addList(api.db, account.id, { name: 'Newsletter' })
    const raise = (subject: string) =>
      alerts.raise(api.db, account.id, { kind: 'runFailed', subject, details: { code: 'internal' } })
    const others = [await addList(api.db, account.id), await addList(api.db, account.id, { name: 'Mended' })]
    for (const subject of [listId, ...others]) await raise(subject)
    await alerts.resolve(api.db, account.id, { kind: 'runFailed', subject: others[1]! })
    await api.db.$client`
      update alert_deliveries set state = 'failed', attempts = '[{"error":"mailNotConfigured"}]' where event = 'runFailed'`
    const { body } = await api.call('GET', '/v1/alerts', { key: account.keys.viewer })
    const shown = body.items.map(({ state, subject }: { state: string; subject: { id: string } }) => [
      state,
      subject.id,
    ])
    expect(shown).toEqual([
      ['open', others[0]],
      ['open', listId],
      ['resolved', others[1]],
    ])
    expect(body.items[1]).toMatchObject({
      kind: 'runFailed',
      subject: { type: 'list', name: 'Newsletter' },
      message: expect.stringMatching(/^A run failed\. .+\.$/),
      remedy: expect.stringMatching(/\.$/),
      details: { code: 'internal' },
      mail: { state: 'failed', error: 'mailNotConfigured' },
    })
    const next = (cursor?: string) =>
      call('GET', `alerts?limit=1${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    const pages = [await next()]
    for (let page = pages[0]!; page.body.nextCursor !== null; pages.push(page)) page = await next(page.body.nextCursor)
    const paged = pages.flatMap((page) => page.body.items)
    expect(paged).toEqual(body.items)
  })

  test('go to at most twenty addresses that are addresses, each once', async () => {
    const many = Array.from({ length: 21 }, (_, at) => `ops${at}@example.com`)
    for (const alertEmails of [many, ['ops'], ['a@example.com', 'A@example.com']])
      expect((await call('PATCH', 'account', { alertEmails })).body.code).toBe('invalidInput')
    expect((await call('PATCH', 'account', { alertEmails: many.slice(1) })).body.alertEmails).toEqual(many.slice(1))
  })
})
