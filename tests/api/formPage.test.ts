import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { hashKeyOf, emailKeyOf } from '../../src/db/emailKey.ts'
import * as forms from '../../src/db/form.ts'
import { buildApp } from '../../src/api/app.ts'
import { issueToken, readToken } from '../../src/api/form/pageToken.ts'
import { createSecretBox } from '../../src/db/secret.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { filled, openForms } from '../support/form.ts'

let api: TestApi
let pages: ReturnType<typeof openForms>
beforeAll(async () => {
  api = await openApi()
  pages = openForms(api)
})
afterAll(() => api.close())

const count = async (outcome: string): Promise<number> => {
  const { text } = await api.call('GET', '/metrics', { key: null })
  return Number(new RegExp(`^fairlead_form_posts_total\\{outcome="${outcome}"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0)
}

/** What the page carries to be sent with it. */
const tokenIn = (page: string): string => /name="_token" value="([^"]+)"/.exec(page)![1]!

describe('the page', () => {
  test('shows every field with a label of its own, and neither scripts nor fixed values', async () => {
    const form = await pages.make()
    const page = await pages.open(form.key)
    expect(page.statusCode).toBe(200)
    expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
    const controls = [...page.body.matchAll(/<(?:input|select|textarea)(?=[^>]* id="([^"]+)")/g)].map(([, id]) => id!)
    for (const id of controls) expect(page.body.split(`for="${id}"`), id).toHaveLength(2)
    expect(controls.length).toBe(15)
    expect(page.body).not.toMatch(/<script|value="fair"| on\w+=/)
    expect(page.body).toContain('E-mail <span class="mark">(required)</span>')
  })

  test('is framed, indexed, cached and scripted by nobody but whom the form allows', async () => {
    const open = await pages.open((await pages.make()).key)
    expect(open.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-robots-tag': 'noindex, nofollow',
      'x-content-type-options': 'nosniff',
    })
    expect(open.headers['x-frame-options']).toBeUndefined()
    expect(open.headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'self'; frame-ancestors \*$/,
    )
    const [, style] = /<style>([^<]*)<\/style>/.exec(open.body)!
    const hash = createHash('sha256').update(style!).digest('base64')
    expect(open.headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`)
    const own = await pages.make({ allowedOrigins: ['https://www.example.com'] })
    const { headers } = await pages.open(own.key)
    expect(headers['content-security-policy']).toMatch(/frame-ancestors 'self' https:\/\/www\.example\.com$/)
  })

  test('speaks the language that the address asks for, else the reader’s, else the form’s first', async () => {
    const { key } = await pages.make()
    const languageOf = async (path: string, accept: string) =>
      /<html lang="(\w+)">/.exec((await pages.open(path, { 'accept-language': accept })).body)![1]
    expect(await languageOf(`${key}?lang=de`, 'en')).toBe('de')
    expect(await languageOf(key, 'fr, de-AT;q=0.8, en;q=0.5')).toBe('de')
    expect(await languageOf(key, 'fr;q=, ;;q=x, *')).toBe('en')
    const german = await pages.open(`${key}?lang=de`)
    expect(german.body).toContain('E-Mail <span class="mark">(Pflichtfeld)</span>')
    expect(german.body).toContain('>Absenden<')
  })

  test('an unknown and a malformed key answer alike; a closed and a removed form say so', async () => {
    const answers = []
    for (const key of ['A'.repeat(24), '%00', 'x', '%zz', 'a/b/c', 'y'.repeat(300), "'--"])
      answers.push(await pages.open(key))
    for (const { statusCode, body } of answers) {
      expect(statusCode).toBe(404)
      expect(body).toBe(answers[0]!.body)
    }
    expect(answers[0]!.body).toContain('There is no such form')
    const form = await pages.make()
    await forms.update(api.db, api.account.id, form.id, { version: 1, state: 'closed' }, operator)
    const closed = await pages.open(form.key)
    expect([closed.statusCode, (await pages.send(form, filled)).statusCode]).toEqual([409, 409])
    expect(closed.body).toContain('This form is closed')
    await forms.remove(api.db, api.account.id, form.id, operator)
    expect((await pages.open(form.key)).statusCode).toBe(410)
    expect(await pages.stored(form)).toEqual([])
  })
})

describe('a post', () => {
  test('is stored with the version, the language and all answers, and leads to the thanks', async () => {
    const form = await pages.make({ thanks: { text: { en: 'We call you.', de: 'Wir rufen an.' } } })
    const values = {
      ...filled,
      first: ' Jo ',
      news: ['events', 'products'],
      text: 'a\r\nb',
      call: 'true',
      people: '12,5',
    }
    const sent = await pages.send(form, { ...values, source: 'forged' }, { query: '?lang=de&utm_campaign=autumn' })
    expect([sent.statusCode, sent.headers.location]).toEqual([303, `./${form.key}/thanks?lang=de`])
    const [row, ...others] = await pages.stored(form)
    expect(others).toEqual([])
    expect(row).toMatchObject({ state: 'received', version: 1, language: 'de' })
    expect(row!.answers).toEqual({
      email: 'pat@example.com',
      first: 'Jo',
      last: 'Public',
      people: 12.5,
      topic: 'demo',
      news: ['events', 'products'],
      text: 'a\nb',
      call: true,
      agree: true,
      campaign: 'autumn',
      source: 'fair',
    })
    const hashKey = await hashKeyOf(api.db, api.secrets, api.account.id)
    expect(row!.emailKey).toEqual(emailKeyOf(hashKey, 'PAT@example.com'))
    const thanks = await pages.open(`${form.key}/thanks?lang=de`)
    expect(thanks.body).toContain('Wir rufen an.')
  })

  test('in German has a comma before the decimals, and dots between the thousands', async () => {
    const form = await pages.make({
      fields: [
        { name: 'email', type: 'email', label: 'E-Mail' },
        { name: 'budget', type: 'number', label: 'Budget' },
      ],
      languages: ['de', 'en'],
    })
    for (const budget of ['1.000', '1.234.567', '1.234,5', '1,5', '-0,25', '12.5', '1234'])
      expect((await pages.send(form, { budget }, { query: '?lang=de' })).statusCode, budget).toBe(303)
    await pages.send(form, { budget: '1.234' }, { query: '?lang=en' })
    // a page of another site may have a number field, which has a dot before the decimals in every language
    await pages.send(form, { budget: '1.234' }, { query: '?lang=de', token: null })
    const stored = (await pages.stored(form)).map(({ answers }) => answers['budget'])
    expect(stored).toEqual([1000, 1_234_567, 1234.5, 1.5, -0.25, 12.5, 1234, 1.234, 1.234])
  })

  test('that is stored leads elsewhere where the form says so', async () => {
    const form = await pages.make({ thanks: { redirect: 'https://www.example.com/thanks' } })
    const { headers } = await pages.send(form, filled)
    expect(headers.location).toBe('https://www.example.com/thanks')
    expect((await pages.open(form.key)).headers['content-security-policy']).toContain(
      "form-action 'self' https: http:;",
    )
  })

  test('with errors comes back with everything that was typed, and each error beside its field', async () => {
    const form = await pages.make()
    const values = { email: 'pat@', last: '', people: 'many', text: '\n"quoted"', topic: 'price', news: 'events' }
    const sent = await pages.send(form, values)
    expect(sent.statusCode).toBe(422)
    for (const kept of ['value="pat@"', 'value="many"', 'value="price" checked', 'value="events" checked'])
      expect(sent.body).toContain(kept)
    expect(sent.body).toContain('>\n\n&quot;quoted&quot;</textarea>')
    expect(sent.body).toContain('<title>Error: ')
    expect(sent.body).toMatch(/role="alert" tabindex="-1" autofocus/)
    for (const at of [1, 3, 5, 12]) {
      expect(sent.body).toContain(`<li><a href="#field-${at}">`)
      expect(sent.body).toContain(`aria-describedby="field-${at}-error" aria-invalid="true"`)
      expect(sent.body).toContain(`id="field-${at}-error"`)
    }
    expect(await pages.stored(form)).toEqual([])
    // nothing was spent: the same page can be sent again
    const again = await pages.send(form, filled, { token: tokenIn(sent.body) })
    expect(again.statusCode).toBe(303)
  })

  test('R30: an empty one is refused with a sentence, whatever is hidden in it', async () => {
    const form = await pages.make({ fields: [{ name: 'note', type: 'text' }] })
    const sent = await pages.send(form, { note: '  ' }, { query: '?utm_campaign=autumn' })
    expect(sent.statusCode).toBe(422)
    expect(sent.body).toContain('<p>Please fill in the form.</p>')
    expect((await pages.sendJson(form, {})).json()).toMatchObject({ code: 'emptySubmission' })
    expect(await pages.stored(form)).toEqual([])
  })

  test('as JSON is answered with its id, and with problems', async () => {
    const form = await pages.make()
    const sent = await pages.sendJson(form, { ...filled, agree: true, people: 3, unknown: 'ignored' })
    const [row] = await pages.stored(form)
    expect([sent.statusCode, sent.json()]).toEqual([202, { id: row!.id, state: 'received' }])
    const wrong = await pages.sendJson(form, { ...filled, email: 'x' }, { headers: { 'accept-language': 'de' } })
    expect(wrong.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(wrong.json()).toMatchObject({
      status: 422,
      code: 'invalidInput',
      errors: [{ path: 'email', code: 'notEmail', message: expect.stringMatching(/^Bitte/) }],
    })
    expect((await pages.sendJson(form, [filled])).json()).toMatchObject({ code: 'invalidInput' })
    const url = `/f/${form.key}`
    const headers = { 'content-type': 'application/json' }
    const broken = await api.app.inject({ method: 'POST', url, headers, payload: '{"email":' })
    expect(broken.json()).toMatchObject({ status: 400, code: 'invalidJson' })
    const unknown = await api.app.inject({ method: 'POST', url: `/f/${'A'.repeat(24)}`, headers, payload: '{}' })
    expect(unknown.json()).toMatchObject({ status: 404, code: 'notFound' })
  })

  test('that cannot be stored comes back with everything that was typed', async () => {
    const form = await pages.make()
    await api.db.execute(`alter table submissions rename to elsewhere`)
    const sent = await pages.send(form, { ...filled, text: 'a long story' })
    await api.db.execute(`alter table elsewhere rename to submissions`)
    expect(sent.statusCode).toBe(500)
    expect(sent.body).toContain('a long story</textarea>')
    expect(sent.body).toContain('could not be stored just now')
    expect((await pages.send(form, filled, { token: tokenIn(sent.body) })).statusCode).toBe(303)
  })
})

describe('robots', () => {
  test('what a trap catches is thanked for, counted, and not stored', async () => {
    const form = await pages.make()
    const others = () => Promise.all(['invalid', 'refused', 'stored'].map(count))
    const [before, beside] = [await count('trapped'), await others()]
    const sent = await pages.send(form, { ...filled, _website: 'https://spam.example' })
    expect([sent.statusCode, sent.headers.location]).toEqual([303, `./${form.key}/thanks?lang=en`])
    const json = await pages.sendJson(form, { ...filled, _website: 'https://spam.example' })
    expect([json.statusCode, Object.keys(json.json())]).toEqual([202, ['id', 'state']])
    expect(await pages.stored(form)).toEqual([])
    expect(await count('trapped')).toBe(before + 2)
    await pages.sendJson(form, { email: 'x' })
    expect(await others()).toEqual([beside[0]! + 1, beside[1], beside[2]])
  })

  test('a page that is sent too soon, too late, with a forged token or one of another form is asked for once more', async () => {
    const form = await pages.make()
    const other = await pages.make()
    const foreign = createSecretBox(`test:${Buffer.alloc(32).toString('base64')}`)
    const good = pages.token(form)
    const tokens = {
      fast: pages.token(form, 300),
      late: pages.token(form, 25 * 3_600_000),
      forged: issueToken(foreign, form.id, Date.now() - 10_000),
      altered: `${good.slice(0, -2)}AA`,
      ofAnother: pages.token(other),
      nonsense: 'x'.repeat(5000),
    }
    for (const [what, token] of Object.entries(tokens)) {
      const sent = await pages.send(form, { ...filled, text: 'a long story' }, { token })
      expect(sent.statusCode, what).toBe(409)
      expect(sent.body, what).toContain('a long story</textarea>')
      expect(sent.body, what).toContain('please send it once more')
      // the page that was only too fast can be sent a moment later
      expect(tokenIn(sent.body) === token, what).toBe(what === 'fast')
    }
    expect(await pages.stored(form)).toEqual([])
    const json = await pages.sendJson(form, { ...filled, _token: tokens.forged })
    expect(json.json()).toMatchObject({ status: 409, code: 'pageSpent' })
  })

  test('a page is stored once: the same again is thanked for, other answers are asked for once more', async () => {
    const form = await pages.make()
    const token = pages.token(form)
    const both = await Promise.all([pages.send(form, filled, { token }), pages.send(form, filled, { token })])
    expect(both.map(({ statusCode }) => statusCode)).toEqual([303, 303])
    const other = await pages.send(form, { ...filled, last: 'Other' }, { token })
    expect(other.statusCode).toBe(409)
    expect(other.body).toContain('value="Other"')
    expect(await pages.stored(form)).toHaveLength(1)
    const next = await pages.send(form, { ...filled, last: 'Other' }, { token: tokenIn(other.body) })
    // the new page is only just made
    expect(next.statusCode).toBe(409)
  })

  test('10 MB, 5,000 fields and other kinds of bodies are refused', async () => {
    const form = await pages.make()
    const large = await pages.send(form, { text: 'x'.repeat(10 * 1024 * 1024) })
    expect(large.statusCode).toBe(413)
    expect(large.body).toContain('More was sent than the form can take')
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`f${at}`, '1']))
    expect((await pages.send(form, many)).statusCode).toBe(413)
    expect((await pages.send(form, { news: Array.from({ length: 5000 }, () => 'x') })).statusCode).toBe(413)
    expect((await pages.sendJson(form, many)).json()).toMatchObject({ status: 413, code: 'bodyTooLarge' })
    const large2 = await pages.sendJson(form, { text: 'x'.repeat(10 * 1024 * 1024) })
    expect(large2.json()).toMatchObject({ status: 413, code: 'bodyTooLarge' })
    const upload = await pages.send(form, filled, { headers: { 'content-type': 'multipart/form-data; boundary=x' } })
    expect(upload.statusCode).toBe(415)
    expect(await pages.stored(form)).toEqual([])
  })

  test('one address is slowed down for one form, and sooner without a page; its answers stay on the page', async () => {
    const form = await pages.make()
    const ip = '2001:db8::1'
    const statuses = []
    for (let at = 0; at < 11; at += 1)
      statuses.push((await pages.sendJson(form, { ...filled, agree: true }, { ip })).statusCode)
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 202), 429])
    // the other half of the address is the person's own to choose
    const refused = await pages.send(form, { ...filled, text: 'a long story' }, { ip: '2001:db8::ffff:2', token: null })
    expect(refused.statusCode).toBe(429)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused.body).toContain('a long story</textarea>')
    expect((await pages.send(form, filled, { ip })).statusCode).toBe(303)
    expect((await pages.sendJson(form, { ...filled, agree: true }, { ip: '2001:db8:0:1::1' })).statusCode).toBe(202)
    expect((await pages.sendJson(await pages.make(), { ...filled, agree: true }, { ip })).statusCode).toBe(202)
    expect(api.logged.join('')).not.toContain('2001:db8')
  })

  test('markup in every field is text on the page, in errors and in thanks', async () => {
    const evil = `"'><script>alert(1)</script>&amp;`
    const fields = [
      { name: 'email', type: 'email' as const, label: evil, help: evil, required: true },
      { name: 'topic', type: 'choice' as const, label: evil, choices: [{ value: evil, label: evil }], column: null },
      { name: 'news', type: 'choices' as const, label: evil, choices: [{ value: evil, label: evil }], column: null },
      { name: 'text', type: 'longText' as const, label: evil, column: null },
      { name: 'campaign', type: 'hidden' as const, label: 'x', hidden: { parameter: 'utm' } },
    ]
    const form = await pages.make({ fields, title: evil, thanks: { text: evil } })
    const values = { email: evil, topic: evil, news: evil, text: `</textarea>${evil}`, campaign: evil }
    const query = `?utm=${encodeURIComponent(evil)}&lang=${encodeURIComponent(evil)}`
    const sent = await pages.send(form, values, { query })
    expect(sent.statusCode).toBe(422)
    for (const { body } of [await pages.open(form.key + query), sent, await pages.open(`${form.key}/thanks`)]) {
      expect(body).not.toMatch(/<script|&amp;amp;amp;/)
      expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;')
    }
    expect(sent.body.match(/<textarea/g)).toHaveLength(1)
    expect(sent.body.match(/<\/textarea/g)).toHaveLength(1)
  })
})

test('pages that were made before a rotation of the keys can be sent after it', () => {
  const [older, newer] = ['a', 'b'].map((id) => `${id}:${Buffer.alloc(32, id).toString('base64')}`)
  const token = issueToken(createSecretBox(older!), 'form', Date.now() - 10_000)
  expect(readToken(createSecretBox(`${newer},${older}`), 'form', token)).toMatchObject({ state: 'good' })
  expect(readToken(createSecretBox(newer!), 'form', token)).toEqual({ state: 'forged' })
})

test('behind a proxy that is trusted, each person has limits of their own; others cannot say who they are', async () => {
  const limited = { trustedProxies: '10.0.0.0/8, 127.0.0.1', pages: { limits: { postsWithoutToken: 1 } } }
  const app = await buildApp(api.services, limited)
  const form = await pages.make()
  const statusOf = async (remoteAddress: string, forwarded: string) => {
    const headers = { 'x-forwarded-for': forwarded }
    const payload = { ...filled, agree: true }
    return (await app.inject({ method: 'POST', url: `/f/${form.key}`, remoteAddress, headers, payload })).statusCode
  }
  const asked: [string, string][] = [
    ['10.1.2.3', '192.0.2.1'],
    ['10.1.2.3', '192.0.2.2'],
    ['10.1.2.3', '192.0.2.9, 192.0.2.2'],
    ['192.0.2.3', '192.0.2.4'],
    ['192.0.2.3', '192.0.2.5'],
  ]
  const statuses = []
  for (const [address, forwarded] of asked) statuses.push(await statusOf(address, forwarded))
  expect(statuses).toEqual([202, 202, 429, 202, 429])
  await app.close()
})

describe('other sites', () => {
  const preflight = (key: string, origin: string) =>
    api.app.inject({
      method: 'OPTIONS',
      url: `/f/${key}`,
      headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
    })

  test('scripts of every origin may send, without credentials, where the form names none', async () => {
    const form = await pages.make()
    const asked = await preflight(form.key, 'https://anywhere.example')
    expect(asked.statusCode).toBe(204)
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'content-type',
    })
    const headers = { origin: 'https://anywhere.example' }
    for (const body of [{ ...filled, agree: true }, { email: 'x' }]) {
      const sent = await pages.sendJson(form, body, { headers })
      expect(sent.headers['access-control-allow-origin']).toBe('*')
      // how long a script shall wait
      expect(sent.headers['access-control-expose-headers']).toBe('retry-after')
      expect(sent.headers['access-control-allow-credentials']).toBeUndefined()
    }
    expect((await pages.send(form, filled, { headers, token: null })).statusCode).toBe(303)
  })

  test('only the origins that a form names may send, by script or by form', async () => {
    const own = 'https://www.example.com'
    const form = await pages.make({ allowedOrigins: [own] })
    expect((await preflight(form.key, own)).headers['access-control-allow-origin']).toBe(own)
    expect((await preflight(form.key, 'https://evil.example')).headers['access-control-allow-origin']).toBeUndefined()
    const statusOf = async (headers: Record<string, string>, token?: null) =>
      (await pages.send(form, filled, { headers, ...(token === null ? { token } : {}) })).statusCode
    expect(await statusOf({ origin: own }, null)).toBe(303)
    expect(await statusOf({ referer: `${own}/page?x=1` }, null)).toBe(303)
    for (const origin of ['https://evil.example', 'http://www.example.com', `${own}.evil.example`, 'null', ''])
      expect(await statusOf({ origin }), origin).toBe(403)
    expect(await statusOf({ referer: 'https://evil.example/' })).toBe(403)
    // the page itself, behind a proxy that changes the host too; and what names nothing
    expect(await statusOf({ origin: 'https://forms.example', host: 'forms.example' })).toBe(303)
    expect(await statusOf({ origin: 'https://forms.example', 'sec-fetch-site': 'same-origin' })).toBe(303)
    expect(await statusOf({})).toBe(303)
    expect(await statusOf({}, null)).toBe(403)
    const json = await pages.sendJson(form, { ...filled, agree: true }, { headers: { origin: 'https://evil.example' } })
    expect(json.json()).toMatchObject({ status: 403, code: 'originNotAllowed' })
    expect(await pages.stored(form)).toHaveLength(5)
  })
})

test('R37: the log has neither the key of a form, nor an address, nor an answer', async () => {
  const form = await pages.make()
  api.logged.length = 0
  await pages.send(form, { ...filled, email: 'secret.person@example.com' }, { query: '?utm_campaign=secret.person' })
  await pages.open(`${form.key}?utm_campaign=secret.person`)
  const logged = api.logged.join('')
  for (const hidden of [form.key, 'secret.person', '192.0.2.1']) expect(logged).not.toContain(hidden)
})
