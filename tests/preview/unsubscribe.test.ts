import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { addConnection } from '../api/rows.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { openDeliveries } from '../support/preview.ts'

let api: TestApi
let deliveries: ReturnType<typeof openDeliveries>
let count = 0
let made: Awaited<ReturnType<typeof deliveries.make>>
let email: string
beforeAll(async () => {
  api = await openApi()
  deliveries = openDeliveries(api)
  await addConnection(api.db, api.account.id)
})
afterAll(() => api.close())
beforeEach(async () => {
  email = `pat${(count += 1)}@example.com`
  made = await deliveries.make({ row: { email } })
})

const urlencoded = 'application/x-www-form-urlencoded'
const post = (url: string, payload: string, type = urlencoded, headers: Record<string, string> = {}) =>
  api.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type, ...headers } })
const suppressed = () =>
  api.db.select().from(t.suppressions).where(eq(t.suppressions.email, email)).orderBy(t.suppressions.id)
const optOuts = () => api.db.select().from(t.optOuts).where(eq(t.optOuts.email, email)).orderBy(t.optOuts.id)
const deliveryOf = async (id: string) => (await api.db.select().from(t.deliveries).where(eq(t.deliveries.id, id)))[0]!

test('R35: GET and HEAD show a button, and unsubscribe nobody', async () => {
  for (const method of ['GET', 'HEAD'] as const) {
    const answer = await api.app.inject({ method, url: made.unsubscribe })
    expect(answer.statusCode).toBe(200)
  }
  const { body, headers } = await api.app.inject({ method: 'GET', url: made.unsubscribe })
  expect(body).toContain('<button type="submit">Unsubscribe</button>')
  expect(body).toContain('p•••@example.com')
  expect(body).not.toContain(email)
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  expect(headers['x-robots-tag']).toContain('noindex')
  expect(await suppressed()).toEqual([])
  expect((await deliveryOf(made.id)).unsubscribedAt).toBeNull()
})

const boundary = '----abc'
const multipart = `--${boundary}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--${boundary}--\r\n`

test('RFC 8058: one click from any server, urlencoded or multipart, suppresses at once and tells the CRM, once', async () => {
  let relayed = 0
  api.services.relay = async () => void (relayed += 1)
  for (const [payload, type] of [
    ['List-Unsubscribe=One-Click', urlencoded],
    [multipart, `multipart/form-data; boundary=${boundary}`],
  ] as const) {
    const answer = await post(made.unsubscribe, payload, type, { origin: 'https://mail.example.net' })
    expect([answer.statusCode, answer.headers['set-cookie']]).toEqual([200, undefined])
    expect(answer.body).toContain('You are unsubscribed')
  }
  const [row, ...others] = await suppressed()
  expect(others).toEqual([])
  expect(row).toMatchObject({ reason: 'unsubscribed', source: 'person', liftedAt: null })
  expect(row!.evidence).toMatch(
    new RegExp(`^Unsubscribed by one click in the mail program, delivery ${made.id}, 20.*Z\\.$`),
  )
  expect(await optOuts()).toMatchObject([{ doNotEmail: true, state: 'waiting', suppressionId: row!.id }])
  expect((await deliveryOf(made.id)).unsubscribedAt).not.toBeNull()
  expect(relayed).toBe(2)
})

test('R34: the page’s button unsubscribes, “a mistake” is the person’s own new consent, and back again', async () => {
  await post(made.unsubscribe, 'action=again')
  expect(await suppressed()).toEqual([])
  await post(made.unsubscribe, 'action=unsubscribe')
  expect((await api.app.inject({ method: 'GET', url: made.unsubscribe })).body).toContain('Subscribe again')
  const back = await post(made.unsubscribe, 'action=again')
  expect(back.body).toContain('You are subscribed again')
  const [lifted] = await suppressed()
  expect(lifted!.liftedAt).not.toBeNull()
  expect(lifted!.liftEvidence).toContain(made.id)
  expect((await optOuts()).at(-1)).toMatchObject({ doNotEmail: false })
  expect((await deliveryOf(made.id)).unsubscribedAt).toBeNull()
  await post(made.unsubscribe, 'action=unsubscribe')
  const all = await suppressed()
  expect(all.map(({ liftedAt }) => liftedAt === null)).toEqual([false, true])
  expect(all[1]!.evidence).toContain('by the button of the unsubscribe page')
  expect((await optOuts()).at(-1)).toMatchObject({ doNotEmail: true })
})

test('what asks for nothing changes nothing, and gets the button', async () => {
  const bodies = [
    ['', urlencoded],
    ['List-Unsubscribe=Perhaps', urlencoded],
    ['{"List-Unsubscribe":"One-Click"}', 'application/json'],
    ['--broken', 'multipart/form-data; boundary=other'],
    ['List-Unsubscribe=One-Click', 'text/plain'],
  ] as const
  for (const [payload, type] of bodies) {
    const answer = await post(made.unsubscribe, payload, type)
    expect([payload, answer.statusCode]).toEqual([payload, 422])
    expect(answer.body).toContain('Please press the button')
  }
  expect((await post(made.unsubscribe, 'x'.repeat(20_000))).statusCode).toBe(413)
  expect(await suppressed()).toEqual([])
})

test('an unknown link says so, a preview’s address unsubscribes nobody, and the two tokens open only their own page', async () => {
  const preview = made.preview.slice(3)
  for (const url of ['/u/x', `/u/${preview}`, '/u/%00', `/u/${'y'.repeat(400)}`]) {
    const answers = [await post(url, 'List-Unsubscribe=One-Click'), await api.app.inject({ method: 'GET', url })]
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([404, 404])
  }
  expect((await api.app.inject({ method: 'GET', url: `/p/${made.unsubscribe.slice(3)}` })).statusCode).toBe(404)
  expect(await suppressed()).toEqual([])
})

test('it works for a removed message, with a revoked and expired preview', async () => {
  const past = new Date(0)
  await api.db.update(t.messages).set({ removedAt: past }).where(eq(t.messages.id, made.messageId))
  const gone = { previewRevokedAt: past, previewExpiresAt: past }
  await api.db.update(t.deliveries).set(gone).where(eq(t.deliveries.id, made.id))
  expect((await post(made.unsubscribe, 'List-Unsubscribe=One-Click')).statusCode).toBe(200)
  expect(await suppressed()).toHaveLength(1)
})

test('R40: of an erased person the hash is suppressed, and nobody is offered a way back', async () => {
  const erased = await deliveries.make({ row: { email: null, erasedAt: new Date() }, content: null })
  const { emailKey } = await deliveryOf(erased.id)
  const answer = await post(erased.unsubscribe, 'action=unsubscribe')
  expect(answer.body).toContain('your address')
  expect(answer.body).not.toContain('Subscribe again')
  const rows = await api.db.select().from(t.suppressions).where(eq(t.suppressions.emailKey, emailKey!))
  expect(rows).toMatchObject([{ email: null, reason: 'unsubscribed', source: 'person' }])
})

test('fifty clicks at once are one', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => post(made.unsubscribe, 'List-Unsubscribe=One-Click')),
  )
  expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]))
  expect(await suppressed()).toHaveLength(1)
  expect(await optOuts()).toHaveLength(1)
})

test('addresses that try links are slowed down; whoever has a link is not refused', async () => {
  const from = (method: 'GET' | 'POST', url: string) =>
    api.app.inject({
      method,
      url,
      remoteAddress: '203.0.113.5',
      headers: { 'content-type': urlencoded },
      ...(method === 'POST' ? { payload: 'List-Unsubscribe=One-Click' } : {}),
    })
  let refused
  for (let tries = 0; tries < 620 && refused === undefined; tries += 1) {
    const answer = await from('GET', '/u/guess')
    if (answer.statusCode === 429) refused = answer
  }
  expect(refused!.headers['retry-after']).toBeDefined()
  expect((await from('POST', '/u/guess')).statusCode).toBe(429)
  expect((await from('POST', made.unsubscribe)).statusCode).toBe(200)
})
