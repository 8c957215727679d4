import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { pack } from '../../src/db/delivery/content.ts'
import { mark } from '../../src/db/delivery/mark.ts'
import * as reports from '../../src/db/delivery/report.ts'
import * as t from '../../src/db/schema.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import type { MessageDefinition } from '../../src/domain/message.ts'
import { addConnection } from './rows.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addPeople, openMessage, type TestMessage } from '../support/message.ts'

let api: TestApi
let listId: string
beforeAll(async () => {
  api = await openApi({}, { publicUrl: 'https://mail.example' })
  listId = (await api.call('POST', '/v1/lists', { body: { name: 'People' } })).body.id
  const hashKey = await hashKeyOf(api.db, api.secrets, api.account.id)
  const people = [1, 2, 3].map((n) => ({ email: `p${n}@report.example`, first: `Pat ${n}` }))
  await addPeople(fake(), listId, people, (email) => emailKeyOf(hashKey, email))
})
afterAll(() => api.close())

const fake = () => ({ db: api.db, accountId: api.account.id, wiring: { relay: async () => undefined } as never })
const message = (more: Partial<MessageDefinition> = {}): Promise<TestMessage> => openMessage(fake(), listId, more)
const report = (messageId: string, lines: unknown[], to = api) =>
  to.call('POST', `/v1/messages/${messageId}/deliveries`, {
    raw: lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
    headers: { 'content-type': 'application/x-ndjson' },
  })
const sentAt = '2026-11-23T10:00:00.000Z'

test('G1: another sender reports its mails, rendered or as values; again it changes nothing, and a wrong line harms no other', async () => {
  const other = await message({ sender: 'other' })
  const { messageId } = other
  const html = '<p>as it was sent\r\n</p>'
  const lines = [
    { id: 'a', email: 'P1@report.example', sentAt, subject: 'S', html },
    { id: 'b', email: 'p2@report.example', sentAt, values: { first_name: '<b>Pat</b>', last_name: 'X' } },
    '{"broken',
    { id: 'c', email: 'p3@report.example', sentAt },
    { id: 'd', recordId: '019ab3c7-0000-7000-8000-112233445566', sentAt, subject: 'S', html },
    { id: 'e', email: 'gone@report.example', sentAt, subject: 'S', html, state: 'bounced' },
    { id: 'a', email: 'p1@report.example', sentAt, subject: 'again', html },
    { id: 'f', email: 'x@report.example', sentAt, subject: 'S', html, strange: 1 },
  ]
  const first = await report(messageId, lines)
  expect(first.body).toMatchObject({ received: 8, stored: 3, known: 1, rejected: 4 })
  expect(first.body.errors).toMatchObject([
    { line: 3, code: 'invalidJson' },
    { line: 4, code: 'invalidInput' },
    { line: 8, code: 'invalidInput', path: 'strange' },
    { line: 5, id: 'd', code: 'recordUnknown' },
  ])
  expect((await report(messageId, lines)).body).toMatchObject({ received: 8, stored: 0, known: 4, rejected: 4 })
  const { items } = (await api.call('GET', `/v1/messages/${messageId}/deliveries`)).body
  expect(items).toHaveLength(3)
  const of = (id: string) => items.find((each: { externalId: string }) => each.externalId === id)
  expect(of('a')).toMatchObject({ state: 'accepted', email: 'P1@report.example', listId, sentAt, runId: null })
  expect(of('a').recordId).not.toBeNull()
  expect((await other.content(of('a').id))!.html.toString()).toBe('<p>as it was sent\n</p>')
  expect((await other.content(of('b').id))!.html.toString()).toContain('Guten Tag &lt;b&gt;Pat&lt;/b&gt; X')
  expect(of('e')).toMatchObject({ state: 'bounced', bounce: { kind: 'permanent' } })
  const { body: suppressed } = await api.call('POST', '/v1/suppressions/search', {
    body: { email: 'gone@report.example' },
  })
  expect(suppressed.items).toMatchObject([{ reason: 'bounced' }])

  const close = () => api.call('POST', `/v1/messages/${messageId}/close`)
  const closed = await close()
  expect(closed.body).toMatchObject({ state: 'sent' })
  expect((await close()).body).toEqual(closed.body)
  expect((await report(messageId, lines)).body.code).toBe('messageSent')
  expect((await api.call('POST', `/v1/messages/${messageId}/send`)).body.code).toBe('notOurSender')
})

test('a line that says the impossible harms no other, and says which mail it is about; addresses are read as those of records are', async () => {
  const { messageId } = await message({ sender: 'other' })
  const mail = { sentAt, subject: 'S', html: 'x' }
  const far = new Date(Date.now() + 3 * 86_400_000).toISOString()
  const lines = [
    { ...mail, id: 'future', email: 'p1@report.example', sentAt: far },
    { ...mail, id: 'never', email: 'p1@report.example', sentAt: '0000-01-01T00:00:00.000Z' },
    { ...mail, id: 'last', email: 'p1@report.example', sentAt: '9999-12-31T23:59:59.999Z' },
    { ...mail, id: 'nobody', email: 'nobody' },
    { ...mail, id: 'umlaut', email: 'jörg@bücher.example' },
    { ...mail, id: 'blank', email: ' P2@report.example ' },
  ]
  const { status, body } = await report(messageId, lines)
  expect(status).toBe(200)
  expect(body).toMatchObject({ received: 6, stored: 2, known: 0, rejected: 4 })
  expect(body.errors).toMatchObject([
    { line: 1, id: 'future', code: 'invalidInput', path: 'sentAt' },
    { line: 2, id: 'never', code: 'invalidInput', path: 'sentAt' },
    { line: 3, id: 'last', code: 'invalidInput', path: 'sentAt' },
    { line: 4, id: 'nobody', code: 'invalidInput', path: 'email' },
  ])
  const { items } = (await api.call('GET', `/v1/messages/${messageId}/deliveries`)).body
  const of = (id: string) => items.find((each: { externalId: string }) => each.externalId === id)
  expect(of('umlaut')).toMatchObject({ email: 'jörg@bücher.example', recordId: null })
  expect(of('blank')).toMatchObject({ email: 'P2@report.example', recordId: expect.any(String) as string })
})

test('G4: a line that is not UTF-8 is refused, a byte order mark is not', async () => {
  const { messageId } = await message({ sender: 'other' })
  const line = (id: string, html: string) =>
    JSON.stringify({ id, email: 'p1@report.example', sentAt, subject: 'S', html })
  const raw = Buffer.concat([
    Buffer.from(`\uFEFF${line('first', 'x')}\n`),
    Buffer.from(`${line('latin', 'Grüße')}\n`, 'latin1'),
  ])
  const answer = await api.app.inject({
    method: 'POST',
    url: `/v1/messages/${messageId}/deliveries`,
    headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${api.account.keys.marketer}` },
    payload: raw,
  })
  expect(answer.json()).toMatchObject({ received: 2, stored: 1, errors: [{ line: 2, code: 'invalidJson' }] })
})

test('values are refused while nobody has said where links lead, and nothing of them is stored; whole mails are taken', async () => {
  const bare = await openApi()
  try {
    const list = await bare.call('POST', '/v1/lists', { body: { name: 'People' } })
    const of = { db: bare.db, accountId: bare.account.id, wiring: { relay: async () => undefined } as never }
    const { messageId } = await openMessage(of, list.body.id, { sender: 'other' })
    const lines = [
      { id: 'v', email: 'p1@report.example', sentAt, values: { first_name: 'Pat', last_name: 'X' } },
      { id: 'h', email: 'p2@report.example', sentAt, subject: 'S', html: 'x' },
    ]
    const { body } = await report(messageId, lines, bare)
    expect(body).toMatchObject({ received: 2, stored: 1, known: 0, rejected: 1 })
    expect(body.errors).toMatchObject([{ line: 1, code: 'publicUrlMissing' }])
    const { items } = (await bare.call('GET', `/v1/messages/${messageId}/deliveries`)).body
    expect(items).toMatchObject([{ externalId: 'h' }])
    expect(await bare.db.$count(t.deliveryContents)).toBe(1)
  } finally {
    await bare.close()
  }
})

test('values for a message without HTML are refused: a preview of nothing proves nothing', async () => {
  const { messageId } = await message({ sender: 'other', html: '' })
  const { body } = await report(messageId, [
    { id: 'v', email: 'p1@report.example', sentAt, values: { first_name: 'Pat' } },
  ])
  expect(body).toMatchObject({ stored: 0, rejected: 1, errors: [{ id: 'v', code: 'invalidInput', path: 'values' }] })
})

test('many lines are stored in batches', async () => {
  const { messageId } = await message({ sender: 'other' })
  const lines = Array.from({ length: 1200 }, (_, n) => ({
    id: `n${n}`,
    email: `n${n}@many.example`,
    sentAt,
    subject: 'S',
    html: 'x',
  }))
  expect((await report(messageId, lines)).body).toMatchObject({ received: 1200, stored: 1200, errors: [] })
  const page = (await api.call('GET', `/v1/messages/${messageId}/deliveries?limit=200&state=accepted`)).body
  expect(page.items).toHaveLength(200)
  const next = await api.call(
    'GET',
    `/v1/messages/${messageId}/deliveries?limit=200&state=accepted&cursor=${page.nextCursor}`,
  )
  expect(next.body.items[0].id > page.items.at(-1).id).toBe(true)
})

test('R34: a bounce for good suppresses the address with the delivery as evidence, one for now does not; nobody else may say so', async () => {
  const { messageId } = await message({ sender: 'other' })
  await report(messageId, [
    { id: '1', email: 'p1@report.example', sentAt, subject: 'S', html: 'x' },
    { id: '2', email: 'p2@report.example', sentAt, subject: 'S', html: 'x' },
  ])
  const { items } = (await api.call('GET', `/v1/messages/${messageId}/deliveries`)).body
  const of = (id: string): { id: string } => items.find((each: { externalId: string }) => each.externalId === id)
  const [one, two] = [of('1'), of('2')]
  const only = await api.call('GET', `/v1/messages/${messageId}/deliveries?externalId=2`)
  expect(only.body).toMatchObject({ items: [{ id: two.id, externalId: '2' }], nextCursor: null })
  expect((await api.call('POST', `/v1/messages/${messageId}/cancel`)).body).toMatchObject({
    code: 'notSending',
    remedy: expect.stringContaining('/close') as string,
  })
  expect((await api.call('DELETE', `/v1/messages/${messageId}`)).body.remedy).toContain('/close')
  const bounce = (id: string, body: unknown, key?: string) =>
    api.call('POST', `/v1/deliveries/${id}/bounce`, { body, key: key ?? null! })
  const own = (id: string, body: unknown) => bounce(id, body, api.account.keys.marketer)
  expect((await own(one.id, { kind: 'transient', status: '4.2.2' })).body).toMatchObject({
    state: 'accepted',
    bounce: { status: '4.2.2' },
  })
  expect((await own(two.id, { kind: 'permanent', status: '5.1.1' })).body).toMatchObject({
    state: 'bounced',
    bounce: { status: '5.1.1' },
  })
  expect((await own(two.id, { kind: 'transient' })).body).toMatchObject({ state: 'bounced' })
  expect((await own(one.id, { kind: 'gone' })).status).toBe(422)
  expect((await bounce(one.id, { kind: 'permanent' }, api.stranger.keys.admin)).status).toBe(404)
  const rows = await api.db.$client<{ email: string; evidence: string }[]>`
    select email, evidence from suppressions where email in ('p1@report.example', 'p2@report.example')`
  expect(rows).toMatchObject([{ email: 'p2@report.example', evidence: expect.stringContaining(two.id) as string }])
})

test('a message is sent once: Idempotency-Key, times, and what is missing to send at all', async () => {
  const { messageId, state } = await message()
  const send = (body?: unknown, headers?: Record<string, string>) =>
    api.call('POST', `/v1/messages/${messageId}/send`, { body, ...(headers && { headers }) })
  expect((await send()).body.code).toBe('mailNotConfigured')
  expect(await state()).toBe('draft')
  const ready = await openApiWithMail()
  try {
    const { body: list } = await ready.call('POST', '/v1/lists', { body: { name: 'People' } })
    const other = await openMessage(
      { db: ready.db, accountId: ready.account.id, wiring: { relay: async () => undefined } as never },
      list.id,
    )
    const url = `/v1/messages/${other.messageId}`
    expect((await ready.call('POST', `${url}/cancel`)).body.code).toBe('notSending')
    expect((await ready.call('POST', `${url}/send`, { body: { at: '2099-01-01T00:00:00.000Z' } })).status).toBe(422)
    const headers = { 'idempotency-key': 'one' }
    const at = new Date(Date.now() + 3_600_000).toISOString()
    const first = await ready.call('POST', `${url}/send`, { body: { at }, headers })
    expect(first).toMatchObject({ status: 202, body: { kind: 'send', list: null, message: { id: other.messageId } } })
    expect((await ready.call('POST', `${url}/send`, { body: { at }, headers })).body.id).toBe(first.body.id)
    const nobody = await ready.call('POST', `${url}/send`)
    expect(nobody).toMatchObject({
      status: 409,
      body: { code: 'messageNotReady', errors: [{ code: 'audienceEmpty' }] },
    })
    const hashKey = await hashKeyOf(ready.db, ready.secrets, ready.account.id)
    const somebody = [{ email: 'pat@ready.example' }]
    await addPeople({ ...fake(), db: ready.db, accountId: ready.account.id }, list.id, somebody, (email) =>
      emailKeyOf(hashKey, email),
    )
    expect(await ready.call('POST', `${url}/send`)).toMatchObject({ status: 200, body: { id: first.body.id } })
    expect(
      (await ready.call('POST', `/v1/runs/${first.body.id}/retry`, { body: { code: 'mailTransient' } })).body.code,
    ).toBe('runActive')
    expect((await ready.call('POST', `${url}/send`, { key: ready.stranger.keys.admin })).status).toBe(404)
    expect((await ready.call('POST', `${url}/cancel`)).status).toBe(202)
  } finally {
    await ready.close()
  }
})

const openApiWithMail = async (): Promise<TestApi> =>
  openApi({}, { mailConfigured: true, publicUrl: 'https://fairlead.example' })

test('G3: reports that come at the same time make one note of a record, and none comes after the end', async () => {
  const { db, account } = api
  await addConnection(db, account.id)
  const { messageId } = await message({ sender: 'other', addNote: true })
  const hashKey = await hashKeyOf(db, api.secrets, account.id)
  const taking = await reports.open(db, account.id, messageId, operator)
  const tell = (part: number) => {
    const rows = ['p1@report.example', 'p2@report.example'].map((email) => ({
      externalId: `${part} ${email}`,
      email,
      emailKey: emailKeyOf(hashKey, email),
      recordId: null,
      state: 'accepted' as const,
      sentAt: new Date(),
      previewToken: `${part} ${email}`,
      unsubscribeToken: `${part} ${email}`,
      content: { subject: 'S', html: 'x', text: '' },
    }))
    return reports.insert(db, taking, rows, operator)
  }
  const answers = await Promise.all([1, 2, 3, 4].map(tell))
  expect(answers.map(({ stored }) => stored.size)).toEqual([2, 2, 2, 2])
  expect(await db.$count(t.notes, eq(t.notes.messageId, messageId))).toBe(2)
  await api.call('POST', `/v1/messages/${messageId}/close`)
  await expect(tell(5)).rejects.toMatchObject({ code: 'messageSent' })
})

test('R34: somebody who opts out after a mail was claimed is not mailed', async () => {
  const { db, account } = api
  const { messageId, deliveries } = await message()
  const hashKey = await hashKeyOf(db, api.secrets, account.id)
  const claimId = '019ab3c7-4000-7000-8000-112233445566'
  const row = { accountId: account.id, messageId, version: 1, claimId, claimUntil: new Date(Date.now() + 60_000) }
  const emails = ['stays@claimed.example', 'leaves@claimed.example']
  const made = await db
    .insert(t.deliveries)
    .values(emails.map((email) => ({ ...row, email, emailKey: emailKeyOf(hashKey, email)! })))
    .returning()
  await api.call('POST', '/v1/suppressions', { body: { email: emails[1], reason: 'unsubscribed' } })
  const packed = pack({ subject: 'S', html: 'x', text: 'x' }, '')
  const tokens = (n: number) => ({ previewToken: `claimed${n}`, unsubscribeToken: `claimed${n}u` })
  const mine = await mark(
    db,
    account.id,
    claimId,
    made.map(({ id }, n) => ({ id, packed, ...tokens(n) })),
  )
  expect([...mine]).toEqual([made[0]!.id])
  expect((await deliveries()).map(({ state }) => state)).toEqual(['sending', 'waiting'])
})
