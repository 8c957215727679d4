import { gzipSync } from 'node:zlib'
import { connect, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList } from './rows.ts'

let api: TestApi
let listId: string
beforeAll(async () => {
  api = await openApi()
  const connectionId = await addConnection(api.db, api.account.id)
  listId = await addList(api.db, api.account.id, { connectionId })
})
afterAll(() => api.close())

type Write = ['POST' | 'PUT' | 'PATCH', string, Record<string, unknown>]
const writes = (): Write[] => [
  ['PUT', '/v1/connection', { url: 'https://crm.example.com', username: 'a', password: 'b' }],
  ['POST', '/v1/connection/reconfirm', { username: 'a', password: 'b' }],
  ['POST', '/v1/imports', { entity: 'lead' }],
  ['POST', '/v1/folders', { name: 'x' }],
  ['PATCH', `/v1/lists/${listId}`, { name: 'x' }],
  ['POST', `/v1/lists/${listId}/records/search`, {}],
  ['POST', `/v1/lists/${listId}/runs`, { sweep: true }],
  ['PATCH', '/v1/account', { name: 'x' }],
  ['POST', '/v1/api-keys', { name: 'x', role: 'viewer' }],
]

describe('bad input', () => {
  test('unknown properties are refused by name on every route with a body', async () => {
    for (const [method, url, body] of writes()) {
      const answer = await api.call(method, url, { body: { ...body, surprise: 1 } })
      expect([url, answer.body.code]).toEqual([url, 'invalidInput'])
      expect(answer.body.errors).toEqual([{ path: 'surprise', message: expect.any(String) }])
      expect(answer.body.detail).toContain('surprise')
    }
  })

  test('unknown query parameters are refused, also where none are expected', async () => {
    for (const url of ['/v1/lists?surprise=1', '/v1/account?surprise=1', `/v1/lists/${listId}/records?surprise=1`]) {
      const answer = await api.call('GET', url)
      expect(answer.body).toMatchObject({ status: 422, code: 'invalidInput', errors: [{ path: 'surprise' }] })
    }
  })

  test('a body where none is expected is refused, an empty one is not', async () => {
    expect((await api.call('POST', '/v1/connection/reset', { body: { now: true } })).body.code).toBe('invalidInput')
    const json = { 'content-type': 'application/json' }
    const answer = await api.call('POST', `/v1/runs/${listId}/cancel`, { headers: json, raw: '' })
    expect(answer.body.code).toBe('notFound')
  })

  test('broken JSON answers 400 invalidJson', async () => {
    const headers = { 'content-type': 'application/json' }
    for (const raw of [
      '{',
      '{"entity":}',
      "{'entity':'lead'}",
      'lead',
      '{"entity":"lead"}x',
      '{"__proto__":{"a":1}}',
    ]) {
      const answer = await api.call('POST', '/v1/imports', { headers, raw })
      expect([raw, answer.status, answer.body.code]).toEqual([raw, 400, 'invalidJson'])
    }
  })

  test('JSON that is not UTF-8 is refused, and nothing of it is stored', async () => {
    const headers = { 'content-type': 'application/json; charset=iso-8859-1' }
    const raw = Buffer.from('{"name":"Müller","email":"m@example.com","lastName":"Müller"}', 'latin1')
    const records = `/v1/lists/${listId}/records`
    const before = (await api.call('GET', records)).body.items
    for (const url of ['/v1/folders', records, `${records}/bulk`, `${records}/search`]) {
      const answer = await api.call('POST', url, { headers, raw })
      expect([url, answer.status, answer.body]).toMatchObject([
        url,
        400,
        { code: 'invalidJson', detail: 'The body is not UTF-8.', remedy: expect.stringContaining('UTF-8') },
      ])
    }
    expect((await api.call('GET', records)).body.items).toEqual(before)
    const marked = await api.call('POST', '/v1/folders', { headers, raw: Buffer.from('\uFEFF{"name":"Müller"}') })
    expect([marked.status, marked.body.name]).toEqual([201, 'Müller'])
  })

  test('JSON that is compressed is refused with a sentence that says so', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
    const answer = await api.call('POST', '/v1/folders', { headers, raw: gzipSync('{"name":"Packed"}') })
    expect([answer.status, answer.body]).toMatchObject([
      415,
      { code: 'unsupportedMediaType', detail: 'The body has the content encoding gzip.', remedy: expect.any(String) },
    ])
  })

  test('JSON of another shape or absurd depth is refused with a sentence', async () => {
    const headers = { 'content-type': 'application/json' }
    for (const raw of [
      '[]',
      '"lead"',
      'null',
      '5',
      '',
      `{"filter":${'{"not":'.repeat(50_000)}1${'}'.repeat(50_000)}}`,
    ]) {
      const answer = await api.call('POST', `/v1/lists/${listId}/records/search`, { headers, raw })
      expect([raw.slice(0, 20), answer.status, answer.body.code]).toEqual([raw.slice(0, 20), 422, 'invalidInput'])
    }
  })

  test('a media type other than JSON answers 415', async () => {
    for (const type of [
      'text/plain',
      'application/xml',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const answer = await api.call('POST', '/v1/imports', { headers: { 'content-type': type }, raw: 'entity=lead' })
      expect([type, answer.status, answer.body.code]).toEqual([type, 415, 'unsupportedMediaType'])
    }
  })

  test('an error names its place', async () => {
    const answer = await api.call('POST', '/v1/imports', { body: { entity: 'account', fields: ['Title', 7] } })
    expect(answer.body.errors.map(({ path }: { path: string }) => path)).toEqual(['entity', 'fields[1]'])
    expect(answer.body.detail).toMatch(/^entity: /)
  })

  test('10,000 fields are refused before anything is looked up', async () => {
    const fields = Array.from({ length: 10_000 }, (_, index) => `Field${index}`)
    const answer = await api.call('POST', '/v1/imports', { body: { entity: 'lead', fields } })
    expect(answer.body).toMatchObject({ status: 422, code: 'invalidInput', errors: [{ path: 'fields' }] })
  })

  test('text that Postgres cannot keep is refused', async () => {
    for (const name of ['a\u0000b', 'a\ud800b']) {
      const answer = await api.call('POST', '/v1/folders', { body: { name } })
      expect(answer.body).toMatchObject({ code: 'invalidInput', errors: [{ path: 'name' }] })
    }
    const email = { column: 'email', operator: 'is', value: 'a\u0000@example.com' }
    const answer = await api.call('POST', `/v1/lists/${listId}/records/search`, { body: { filter: email } })
    expect(answer.body).toMatchObject({ code: 'invalidInput', errors: [{ path: 'filter.value' }] })
  })

  test('limits of pages are kept', async () => {
    for (const limit of ['0', '201', '-1', '1.5', 'many', '1e9']) {
      const answer = await api.call('GET', `/v1/lists?limit=${limit}`)
      expect([limit, answer.body.errors?.[0]?.path]).toEqual([limit, 'limit'])
    }
  })

  test('unknown addresses answer 404, known ones with another method 405 with Allow', async () => {
    expect((await api.call('GET', '/v1/nothing')).body).toMatchObject({ status: 404, code: 'notFound' })
    expect((await api.call('GET', '/v1/lists/%zz')).body).toMatchObject({ status: 404, code: 'notFound' })
    expect((await api.call('GET', '/v2/lists')).body).toMatchObject({ status: 404, code: 'notFound' })
    const answer = await api.call('DELETE', '/v1/connection')
    expect(answer.body).toMatchObject({ status: 405, code: 'methodNotAllowed' })
    expect(answer.headers['allow']).toBe('GET, HEAD, PUT')
  })

  test('a body of 100 MB answers 413 at once, announced or streamed, and is not read to its end', async () => {
    await api.app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = api.app.addresses()[0] as AddressInfo
    const size = 100 * 1024 * 1024
    for (const framing of [`content-length: ${size}`, 'transfer-encoding: chunked']) {
      const { answer, sent } = await pour(port, framing, size)
      expect(answer).toMatch(/^HTTP\/1\.1 413 /)
      expect(answer).toContain('"code":"bodyTooLarge"')
      expect(sent).toBeLessThan(size / 4)
    }
  })
})

const long = 'x'.repeat(17_000)
const id = 'x'.repeat(150)
const broken: [text: string, status: number, code: string][] = [
  ['DANCE /v1/lists HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'malformedRequest'],
  ['hello\r\n\r\n', 400, 'malformedRequest'],
  ['GET /v1/lists HTTP/9.9\r\nhost: x\r\n\r\n', 400, 'malformedRequest'],
  ['GET /v1/lists HTTP/1.1\r\nconnection: close\r\n\r\n', 400, 'malformedRequest'],
  ['POST /v1/imports HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\n', 400, 'malformedRequest'],
  [`GET /v1/lists HTTP/1.1\r\nhost: x\r\nx-long: ${long}\r\n\r\n`, 431, 'headersTooLarge'],
  [`GET /${long} HTTP/1.1\r\nhost: x\r\n\r\n`, 431, 'headersTooLarge'],
  [`GET /v1/lists/${id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`, 404, 'notFound'],
  ['GET /v1/lists/%ZZ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', 404, 'notFound'],
  ['GET /v1/lists HTTP/1.1\r\nhost: x\r\nexpect: wonders\r\nconnection: close\r\n\r\n', 401, 'unauthenticated'],
]

test('what is no request is refused as a problem as well, and is not quoted in the log', async () => {
  const { app, close, logged } = await openApi()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  for (const [text, status, code] of broken) {
    const [head, body] = (await say(port, text)).split('\r\n\r\n')
    expect([text.slice(0, 80), head]).toEqual([text.slice(0, 80), expect.stringMatching(`^HTTP/1.1 ${status} `)])
    expect(head).toMatch(/^content-type: application\/problem\+json/im)
    const length = Number(/^content-length: (\d+)/im.exec(head!)![1])
    expect(Buffer.byteLength(body!)).toBe(length)
    expect(JSON.parse(body!)).toMatchObject({
      status,
      code,
      type: `/docs/problems#${code}`,
      title: expect.any(String),
      detail: expect.any(String),
      remedy: expect.any(String),
      requestId: expect.any(String),
    })
  }
  expect(logged.join('\n')).toContain('"code":"malformedRequest"')
  expect(logged.join('\n')).not.toMatch(/DANCE|hello|xxx|"level":50/)
  await close()
})

/** Everything that the server answers to a text, until it ends the connection. */
const say = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const heard: string[] = []
    socket.on('data', (data) => heard.push(data.toString()))
    socket.on('error', (error) => (heard.length === 0 ? reject(error) : undefined))
    socket.on('close', () => resolve(heard.join('')))
  })

/** Sends as much as the server takes, and reads what it says. */
const pour = (port: number, framing: string, size: number): Promise<{ answer: string; sent: number }> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunked = framing.includes('chunked')
    const piece = 'x'.repeat(64 * 1024)
    const block = chunked ? `10000\r\n${piece}\r\n` : piece
    const heard: string[] = []
    let sent = 0
    const write = () => {
      while (sent < size && heard.length === 0 && !socket.destroyed) {
        sent += piece.length
        if (!socket.write(block)) return
      }
    }
    socket.on('connect', () => {
      const authorization = `authorization: Bearer ${api.account.keys.admin}`
      const lines = ['POST /v1/imports HTTP/1.1', 'host: x', 'content-type: application/json', authorization, framing]
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
      write()
    })
    socket.on('drain', write)
    socket.on('data', (data) => heard.push(data.toString()))
    socket.on('error', (error) => (heard.length === 0 ? reject(error) : undefined))
    socket.on('close', () => resolve({ answer: heard.join(''), sent }))
  })

describe('logs and answers (R37)', () => {
  test('log lines hold route patterns and ids, never query strings, bodies, headers or people', async () => {
    api.logged.length = 0
    await api.call('POST', `/v1/lists/${listId}/records/search?email=secret-person@example.com`, { body: {} })
    const filter = { column: 'email', operator: 'is', value: 'secret-person@example.com' }
    await api.call('POST', `/v1/lists/${listId}/records/search`, { body: { filter } })
    await api.call('GET', '/v1/lists/secret-person@example.com')
    await api.call('PUT', '/v1/connection', {
      body: { url: 'https://secret-host.example', username: 'secret-user', password: 'secret-word' },
    })
    const lines = api.logged.join('')
    expect(lines).toContain('"route":"/v1/lists/:listId/records/search"')
    expect(lines).toContain(listId)
    expect(lines).not.toMatch(/secret-|fl_|Bearer/)
  })

  test('an unforeseen failure answers 500 without details and is logged without data', async () => {
    api.logged.length = 0
    const relay = api.services.relay
    api.services.relay = () => Promise.reject(new Error('secret-detail of secret-person@example.com'))
    try {
      const answer = await api.call('POST', '/v1/imports', { body: { entity: 'contact' } })
      expect(answer).toMatchObject({
        status: 500,
        body: { code: 'internal', detail: 'Something went wrong on our side.' },
      })
      const lines = api.logged.join('')
      expect(lines).toContain('"code":"internal"')
      expect(lines).toContain(answer.body.requestId)
      expect(lines + answer.text).not.toContain('secret-')
    } finally {
      api.services.relay = relay
    }
  })

  test('a password never comes back, and is stored encrypted', async () => {
    const { keys } = await api.newAccount()
    const body = { url: 'https://crm.example.com', username: 'fairlead', password: 'hunter2-hunter2' }
    const put = await api.call('PUT', '/v1/connection', { key: keys.admin, body })
    const got = await api.call('GET', '/v1/connection', { key: keys.admin })
    expect(put.status).toBe(202)
    expect(put.text + got.text).not.toMatch(/hunter2|secret|password/)
    const [row] = await api.db.$client`select secret from connection_candidates where connection_id = ${got.body.id}`
    expect(row?.['secret']).toMatch(/^v1\./)
  })
})
