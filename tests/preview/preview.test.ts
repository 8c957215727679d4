import { eq } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { removeContents, removeViews } from '../../src/db/housekeeping.ts'
import * as t from '../../src/db/schema.ts'
import { previewExpiry } from '../../src/domain/delivery.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { until } from '../support/fairlead.ts'
import { openDeliveries } from '../support/preview.ts'

let api: TestApi
let deliveries: ReturnType<typeof openDeliveries>
beforeAll(async () => {
  api = await openApi()
  deliveries = openDeliveries(api)
})
afterAll(() => api.close())

const open = (url: string, headers: Record<string, string> = {}, remoteAddress = '192.0.2.77') =>
  api.app.inject({ method: 'GET', url, headers, remoteAddress })
const viewsOf = (deliveryId: string) =>
  api.db.select().from(t.previewViews).where(eq(t.previewViews.deliveryId, deliveryId)).orderBy(t.previewViews.id)
const past = new Date(Date.now() - 1000)

describe('R33: what is seen', () => {
  test('G4: the mail byte for byte, whatever it is, in a frame of a page that says who sent it to whom and when', async () => {
    const html = '\uFEFF<p>Ünï \u0000 <b>cödé</b> \r\n<script>alert(1)</script></p>'.replace('\u0000', '€')
    const { preview } = await deliveries.make({ html, subject: 'Hi <b>Pat</b>' })
    const page = await open(preview)
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('Hi &lt;b&gt;Pat&lt;/b&gt;')
    expect(page.body).toContain('news@example.com')
    expect(page.body).toContain('pat@example.com')
    expect(page.body).toContain('datetime="2026-11-23T10:00:00.000Z"')
    expect(page.body).toContain('sandbox=""')
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-robots-tag': 'noindex, nofollow, noarchive',
      'content-security-policy': expect.stringContaining(`frame-src localhost:80${preview}/html;`),
    })
    const mail = await open(`${preview}/html`, { 'sec-fetch-dest': 'iframe' })
    expect(mail.rawPayload.equals(Buffer.from(html))).toBe(true)
    expect(mail.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(mail.headers['content-security-policy']).toBe(
      "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    )
    const images = await open(`${preview}/html?images=1`)
    expect(images.headers['content-security-policy']).toContain('img-src data: https: http:;')
  })

  test('a mail that is opened by itself leads to its page, where its links rest', async () => {
    const { preview } = await deliveries.make()
    const answer = await open(`${preview}/html`, { 'sec-fetch-dest': 'document' })
    expect([answer.statusCode, answer.headers.location]).toEqual([303, `..${preview.slice(2)}`])
  })

  test('names that turn the direction of writing, and broken markup, are shown as harmless text', async () => {
    const from = { name: '\u202Egpj.<img src=x>\u2066', email: 'a"<b>@example.com' }
    const { preview } = await deliveries.make({ from, row: { email: '<svg onload=x>@example.com' } })
    const { body } = await open(preview)
    expect(body).toContain('<bdi>gpj.&lt;img src=x&gt;</bdi> &lt;<bdi>a&quot;&lt;b&gt;@example.com</bdi>&gt;')
    expect(body).not.toMatch(/<svg|<img|[\u202A-\u202E\u2066-\u2069]/)
  })

  test('a later version of the message, and its removal, change nothing', async () => {
    const { preview, messageId, html } = await deliveries.make()
    const [first] = await api.db.select().from(t.messageVersions).where(eq(t.messageVersions.messageId, messageId))
    const definition = { ...first!.definition, html: '<p>Other</p>', from: { name: 'New', email: 'new@example.com' } }
    await api.db.insert(t.messageVersions).values({ ...first!, version: 2, definition })
    await api.db.update(t.messages).set({ version: 2, removedAt: past }).where(eq(t.messages.id, messageId))
    expect((await open(`${preview}/html`)).body).toBe(html)
    expect((await open(preview)).body).toContain('news@example.com')
  })

  test('the text part is shown as text, in the reader’s language', async () => {
    const { preview } = await deliveries.make({ text: '\n<b>Hello</b>\n' })
    const page = await open(`${preview}/text`, { 'accept-language': 'de-AT' })
    expect(page.body).toContain('<pre dir="auto">\n\n&lt;b&gt;Hello&lt;/b&gt;\n</pre>')
    expect(page.body).toContain('<html lang="de">')
    expect(page.headers['content-language']).toBe('de')
  })
})

describe('R33: what is not seen', () => {
  test('unknown, malformed and never issued tokens answer alike', async () => {
    const unsent = { previewToken: null, unsubscribeToken: null, state: 'skipped' as const }
    const { id } = await deliveries.make({ row: unsent, content: null })
    const wrong = [randomBytes(24).toString('base64url'), 'x', id, 'null', '%00', '%ff', 'a'.repeat(5000), "'", '..%2f']
    for (const tail of ['', '/html', '/text']) {
      const answers = await Promise.all(wrong.map((token) => open(`/p/${token}${tail}`)))
      const seen = answers.map(({ statusCode, headers, body }) => {
        const { 'x-request-id': _, date: __, connection: ___, ...same } = headers
        return JSON.stringify([statusCode, Object.entries(same).sort(([a], [b]) => (a < b ? -1 : 1)), body])
      })
      expect(JSON.parse(seen[0]!)).toMatchObject({ 0: 404, 2: expect.stringContaining('There is no such preview') })
      expect(new Set(seen).size, [...new Set(seen)].join('\n').slice(0, 4000)).toBe(1)
    }
  })

  test('revoked, expired, erased, unsent, missing and damaged ones each have their page, and none shows anything', async () => {
    const cases = [
      [{ row: { previewRevokedAt: past } }, 410, 'was revoked'],
      [{ row: { previewExpiresAt: past } }, 410, 'has expired'],
      [{ row: { erasedAt: past, email: null, previewRevokedAt: past }, content: null }, 410, 'was erased'],
      [{ row: { state: 'sending' as const }, content: null }, 404, 'still on its way'],
      [{ row: { state: 'accepted' as const }, content: null }, 404, 'Nothing is kept'],
    ] as const
    for (const [given, status, said] of cases) {
      const { id, preview } = await deliveries.make(given)
      for (const tail of ['', '/html', '/text']) {
        const answer = await open(`${preview}${tail}`)
        expect([said, answer.statusCode]).toEqual([said, status])
        expect(answer.body).toContain(said)
        expect(answer.body).not.toContain('Hello')
        expect(answer.body).not.toContain('pat@example.com')
      }
      expect(await viewsOf(id)).toEqual([])
    }
  })

  test('damaged bytes are never shown: of the mail, of its hash, and of the template that packs it', async () => {
    const html = '<!doctype html><p>Hello Pat</p>'
    const made = [await deliveries.make({ html }), await deliveries.make({ html }), await deliveries.make({ html })]
    const { $client: sql } = api.db
    await sql`update delivery_contents set html = set_byte(html, 3, 255 - get_byte(html, 3)) where delivery_id = ${made[0]!.id}`
    await sql`update delivery_contents set sha256 = set_byte(sha256, 0, 255 - get_byte(sha256, 0)) where delivery_id = ${made[1]!.id}`
    await sql`update message_versions set definition = jsonb_set(definition, '{html}', '"<!doctype html><p>Howdy {{ first_name }}</p>"') where message_id = ${made[2]!.messageId}`
    api.logged.length = 0
    for (const { preview } of made) {
      const answer = await open(`${preview}/html`)
      expect(answer.statusCode).toBe(500)
      expect(answer.body).toContain('is not what was sent')
      expect(answer.body).not.toContain('Pat')
    }
    expect(api.logged.filter((line) => line.includes('damaged'))).toHaveLength(3)
  })

  test('the preview of a test mail says that it was one', async () => {
    expect((await open('/p/test')).body).toContain('This was a test mail')
    expect((await open('/u/test')).body).toContain('Nobody was unsubscribed')
  })

  test('housekeeping erases what was sent of expired previews, and old views', async () => {
    const old = await deliveries.make({ row: { previewExpiresAt: past } })
    const kept = await deliveries.make({ row: { previewExpiresAt: new Date(Date.now() + 60_000) } })
    const view = { accountId: api.account.id, deliveryId: kept.id, network: null, browser: 'other' }
    await api.db.insert(t.previewViews).values([view, { ...view, at: new Date(Date.now() - 366 * 86_400_000) }])
    await removeContents(api.db)
    expect(await removeViews(api.db, 365)).toBe(1)
    const left = await api.db.select({ id: t.deliveryContents.deliveryId }).from(t.deliveryContents)
    const ids = new Set(left.map(({ id }) => id))
    expect([ids.has(old.id), ids.has(kept.id)]).toEqual([false, true])
    expect((await open(old.preview)).body).toContain('has expired')
  })

  test('an account says how many months a preview is kept; the 31st becomes the last of a month', async () => {
    expect((await api.call('GET', '/v1/account')).body.previewMonths).toBe(24)
    const answer = await api.call('PATCH', '/v1/account', { body: { previewMonths: 3 } })
    expect(answer.body.previewMonths).toBe(3)
    expect((await api.call('PATCH', '/v1/account', { body: { previewMonths: 121 } })).status).toBe(422)
    expect(previewExpiry(new Date('2026-11-30T10:00:00Z'), 3).toISOString()).toBe('2027-02-28T10:00:00.000Z')
    expect(previewExpiry(new Date('2026-11-23T10:00:00Z'), 24).toISOString()).toBe('2028-11-23T10:00:00.000Z')
  })
})

describe('revoking', () => {
  test('one, and all of a message, each once, with an audit line', async () => {
    const messageId = await deliveries.message({ name: 'Example', email: 'news@example.com' })
    const made = await Promise.all(
      ['a', 'b', 'c'].map((name) => deliveries.make({ row: { messageId, email: `${name}@example.com` } })),
    )
    const key = api.account.keys.marketer
    const one = `/v1/deliveries/${made[0]!.id}/revoke-preview`
    const all = `/v1/messages/${messageId}/revoke-previews`
    const answers = []
    for (const url of [one, one, all, all]) answers.push((await api.call('POST', url, { key })).body)
    expect(answers).toEqual([{ revoked: 1 }, { revoked: 0 }, { revoked: 2 }, { revoked: 0 }])
    for (const { preview } of made) expect((await open(preview)).statusCode).toBe(410)
    const { items } = (await api.call('GET', '/v1/audit')).body
    expect(items.slice(0, 2)).toMatchObject([
      { action: 'message.revokePreviews', targetId: messageId, details: { count: 2 } },
      { action: 'delivery.revokePreview', targetId: made[0]!.id },
    ])
    for (const url of [one, all]) {
      expect((await api.call('POST', url, { key: api.stranger.keys.admin })).status).toBe(404)
      expect((await api.call('POST', url, { key: api.account.keys.viewer })).status).toBe(403)
    }
  })
})

describe('R33, R37: the access log', () => {
  test('time, shortened network and browser family of each look; no HEAD, no part, no person', async () => {
    const { id, preview } = await deliveries.make()
    const chrome =
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
    const looks = [
      [chrome, '192.0.2.77', 'chrome', '192.0.2.0/24'],
      [`${chrome} Edg/140.0`, '2001:db8:1:2::5', 'edge', '2001:db8:1::/48'],
      ['Mozilla/5.0 (X11; rv:140.0) Gecko/20100101 Firefox/140.0', '::ffff:198.51.100.9', 'firefox', '198.51.100.0/24'],
      [
        'Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15',
        '::1',
        'safari',
        '0:0:0::/48',
      ],
      ['Mozilla/5.0 (compatible; Googlebot/2.1)', '192.0.2.1', 'bot', '192.0.2.0/24'],
      ['Something', '192.0.2.1', 'other', '192.0.2.0/24'],
    ] as const
    await api.app.inject({ method: 'HEAD', url: preview })
    await open(`${preview}/html`)
    for (const [at, [agent, ip]] of looks.entries()) {
      await open(preview, { 'user-agent': agent }, ip)
      await until('it is written', async () => (await viewsOf(id)).length === at + 1)
    }
    const key = api.account.keys.viewer
    const first = (await api.call('GET', `/v1/deliveries/${id}/views?limit=4`, { key })).body
    const second = (
      await api.call('GET', `/v1/deliveries/${id}/views?limit=4&cursor=${encodeURIComponent(first.nextCursor)}`, {
        key,
      })
    ).body
    const seen = [...first.items, ...second.items].reverse()
    expect(seen.map(({ browser, network }: { browser: string; network: string }) => [browser, network])).toEqual(
      looks.map(([, , browser, network]) => [browser, network]),
    )
    expect(Object.keys(seen[0]).sort()).toEqual(['at', 'browser', 'id', 'network'])
    expect((await api.call('GET', `/v1/deliveries/${id}/views`, { key: api.stranger.keys.admin })).status).toBe(404)
  })

  test('a view that cannot be written breaks no page', async () => {
    const { id, preview } = await deliveries.make()
    await api.db.$client`alter table preview_views rename to preview_views_away`
    try {
      expect((await open(preview)).statusCode).toBe(200)
      await until('it is said', async () => api.logged.some((line) => line.includes('a view was not kept')))
    } finally {
      await api.db.$client`alter table preview_views_away rename to preview_views`
    }
    expect(await viewsOf(id)).toEqual([])
  })

  test('no log holds a token or an address, whatever becomes of the request', async () => {
    const { preview, unsubscribe } = await deliveries.make()
    api.services.log.level = 'trace'
    for (const url of [
      preview,
      `${preview}/html`,
      `${preview}x`,
      unsubscribe,
      `${unsubscribe}/y`,
      `${preview}${'z'.repeat(400)}`,
    ])
      await open(url)
    await api.app.inject({ method: 'POST', url: unsubscribe, payload: 'x' })
    await api.app.inject({ method: 'DELETE', url: preview })
    api.services.log.level = 'info'
    const all = api.logged.join('')
    expect(all).toContain('/p/:token')
    for (const secret of [preview.slice(3), unsubscribe.slice(3), 'pat@example.com', '192.0.2.77'])
      expect(all).not.toContain(secret)
  })
})
