import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eq } from 'drizzle-orm'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addList, addRecords } from './rows.ts'

let api: TestApi
let listId: string
beforeAll(async () => {
  api = await openApi({ waitMs: 0 })
  listId = await addList(api.db, api.account.id, { name: 'Readers', columns: { c8: ['Business City', 'text'] } })
})
afterAll(() => api.close())

const from = { name: 'Example Ltd', email: 'news@example.com' }
const html = '<body><p>{{ first_name | default: "you" }}</p><a href="{{ unsubscribe_url }}">x</a></body>'
let names = 0
const write = async (more: object = {}) =>
  api.call('POST', '/v1/messages', {
    body: {
      name: `News ${(names += 1)}`,
      subject: 'Hi {{ first_name }}',
      html,
      from,
      audience: { lists: [listId] },
      ...more,
    },
  })
const setState = (id: string, state: 'scheduled' | 'sending' | 'sent' | 'cancelled') =>
  api.db.update(t.messages).set({ state }).where(eq(t.messages.id, id))

describe('G1: a message', () => {
  test('is a draft with defaults: a note, sent from here, repeated where nobody knows', async () => {
    const made = await write()
    expect(made.status).toBe(201)
    expect(made.headers.location).toBe(`/v1/messages/${made.body.id}`)
    expect(made.body).toMatchObject({
      state: 'draft',
      version: 1,
      sender: 'smtp',
      addNote: true,
      unknownFate: 'repeat',
      text: null,
      replyTo: null,
      audience: { lists: [listId], segments: [], withoutLists: [], withoutSegments: [] },
      deliveries: { waiting: 0, accepted: 0 },
      notes: { written: 0 },
      warnings: [],
    })
    expect((await api.call('GET', `/v1/messages/${made.body.id}`)).body).toEqual(made.body)
  })

  test('names every wrong place, and nothing is stored half', async () => {
    const before = await api.db.$count(t.messages)
    const nobody = '019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071'
    const bad = await write({
      subject: 'a\r\nBcc: x@y.example',
      from: { name: 'a\nb', email: 'x@y.example\r\nBcc: z@y.example' },
      replyTo: 'nobody',
      audience: { lists: [nobody], withoutSegments: [nobody] },
    })
    expect(bad.status).toBe(422)
    expect(bad.body.errors.map(({ path }: { path: string }) => path)).toEqual([
      'subject',
      'from.name',
      'from.email',
      'replyTo',
      'audience.lists[0]',
      'audience.withoutSegments[0]',
    ])
    expect((await write({ html: 'x\n {{ first_name | nothing }}' })).body).toMatchObject({
      code: 'templateInvalid',
      errors: [{ path: 'html', message: 'Line 2, column 2: undefined filter: nothing.' }],
    })
    expect((await write({ html: 'ä'.repeat(250_001) })).body).toMatchObject({
      code: 'invalidInput',
      errors: [{ path: 'html' }],
    })
    expect((await write({ surprise: 1 })).status).toBe(422)
    expect(await api.db.$count(t.messages)).toBe(before)
  })

  test('takes the largest templates', async () => {
    const large = `<p>${'ä'.repeat(249_000)}</p>`
    expect((await write({ html: large, text: large })).status).toBe(201)
  })

  test('another account’s list is no list', async () => {
    const theirs = await addList(api.db, api.stranger.id, { name: 'Theirs' })
    expect((await write({ audience: { lists: [theirs] } })).body.errors).toEqual([
      { path: 'audience.lists[0]', message: 'There is no such list.' },
    ])
  })

  test('warns of placeholders that no list of the audience has', async () => {
    const { body } = await write({ html: `${html}\n{{ busines_city }} {{ business_city }}`, text: '{{ nobody }}' })
    expect(body.warnings).toMatchObject([
      { code: 'unknownPlaceholder', path: 'html', message: expect.stringContaining('Line 2, column 4') },
      { code: 'unknownPlaceholder', path: 'text', remedy: expect.stringContaining('business_city') },
    ])
  })

  test('changes for the version that was read; what changes nothing makes none', async () => {
    const { body: made } = await write()
    const url = `/v1/messages/${made.id}`
    const patch = (body: object) => api.call('PATCH', url, { body })
    expect((await patch({ version: 1, subject: 'Hi {{ first_name }}' })).body.version).toBe(1)
    const changed = await patch({ version: 1, subject: 'New', audience: { withoutLists: [listId] } })
    expect(changed.body).toMatchObject({
      version: 2,
      subject: 'New',
      audience: { lists: [listId], withoutLists: [listId] },
      html,
    })
    expect((await patch({ version: 1, subject: 'Old' })).body).toMatchObject({ code: 'conflict', version: 2 })
    expect((await patch({ version: 2 })).status).toBe(422)
    const versions = await api.db.select().from(t.messageVersions).where(eq(t.messageVersions.messageId, made.id))
    expect(versions.map(({ version, definition }) => [version, definition.subject])).toEqual([
      [1, 'Hi {{ first_name }}'],
      [2, 'New'],
    ])
  })

  test('that is being sent, or was, is not changed but copied', async () => {
    const { body: made } = await write()
    const url = `/v1/messages/${made.id}`
    for (const state of ['sending', 'sent', 'cancelled'] as const) {
      await setState(made.id, state)
      const answer = await api.call('PATCH', url, { body: { version: 1, subject: 'x' } })
      expect([answer.status, answer.body.code]).toEqual([409, 'messageSent'])
    }
    const copy = await api.call('POST', `${url}/copy`)
    expect(copy.status).toBe(201)
    expect(copy.body).toMatchObject({ name: `${made.name} (2)`, state: 'draft', version: 1, html })
    expect((await api.call('POST', `${url}/copy`)).body.name).toBe(`${made.name} (3)`)
    expect((await api.call('POST', `${url}/copy`, { body: { name: made.name } })).body.code).toBe('nameTaken')
  })

  test('is removed unless it is scheduled or being sent; its name is free again', async () => {
    const { body: made } = await write()
    const url = `/v1/messages/${made.id}`
    await setState(made.id, 'scheduled')
    expect((await api.call('DELETE', url)).body.code).toBe('messageSent')
    await setState(made.id, 'sent')
    expect((await api.call('DELETE', url)).status).toBe(204)
    expect((await api.call('GET', url)).status).toBe(404)
    expect((await write({ name: made.name })).status).toBe(201)
  })

  test('the list shows the newest first, by pages, and other accounts see nothing', async () => {
    const { body: last } = await write()
    const page = await api.call('GET', '/v1/messages?limit=1')
    expect(page.body.items).toMatchObject([{ id: last.id, subject: 'Hi {{ first_name }}' }])
    const next = await api.call('GET', `/v1/messages?limit=1&cursor=${page.body.nextCursor}`)
    expect(next.body.items[0].id < last.id).toBe(true)
    expect((await api.call('GET', '/v1/messages', { key: api.stranger.keys.admin })).body.items).toEqual([])
  })

  test('every change is in the audit trail, without its content', async () => {
    const { body: made } = await write({ subject: 'secret words' })
    await api.call('PATCH', `/v1/messages/${made.id}`, { body: { version: 1, subject: 'other words' } })
    await api.call('POST', `/v1/messages/${made.id}/copy`)
    await api.call('DELETE', `/v1/messages/${made.id}`)
    const audit = await api.call('GET', '/v1/audit?limit=4')
    expect(audit.body.items.map(({ action }: { action: string }) => action)).toEqual([
      'message.remove',
      'message.copy',
      'message.update',
      'message.create',
    ])
    expect(audit.text).not.toContain('words')
  })
})

describe('G1: the check before sending', () => {
  const codes = (answer: { body: { problems: { code: string }[] } }) => answer.body.problems.map(({ code }) => code)

  test('names all that is missing', async () => {
    const { body } = await write({ subject: '', html: '<p>{{ nobody }}</p>', audience: {} })
    const check = await api.call('GET', `/v1/messages/${body.id}/check`)
    expect(check.body.ready).toBe(false)
    expect(codes(check)).toEqual([
      'subjectMissing',
      'unsubscribeMissing',
      'unknownPlaceholder',
      'audienceEmpty',
      'mailNotConfigured',
      'publicUrlMissing',
    ])
  })

  test('a list that was removed since is said, and does not empty the audience in silence', async () => {
    const gone = await addList(api.db, api.account.id, { name: 'Gone' })
    const { body } = await write({ audience: { lists: [listId], withoutLists: [gone] } })
    await api.call('DELETE', `/v1/lists/${gone}`)
    const check = await api.call('GET', `/v1/messages/${body.id}/check`)
    expect(codes(check)).toContain('audienceGone')
    expect(check.body.audience).toBeNull()
  })

  test('R34: counts who is left out, by reason', async () => {
    const { db, secrets, account } = api
    const own = await addList(db, account.id, { name: 'Counted' })
    const rows = [
      { fields: { c1: 'a@counted.example' } },
      { fields: { c1: 'A@counted.example ' } },
      { fields: { c1: null } },
      { fields: { c1: 'no address' } },
      { fields: { c1: 'stop@counted.example', c6: true } },
    ]
    await addRecords(db, secrets, account.id, own, rows)
    const { body } = await write({ audience: { lists: [own] } })
    const check = await api.call('GET', `/v1/messages/${body.id}/check`)
    expect(check.body.audience).toEqual({
      records: 5,
      toSend: 1,
      skipped: { duplicateAddress: 1, noEmail: 1, invalidEmail: 1, optedOut: 1 },
    })
    expect(check.body.placeholders).toContain('first_name')
  })

  test('a test needs a mail server, and addresses', async () => {
    const { body } = await write()
    const url = `/v1/messages/${body.id}/test`
    expect((await api.call('POST', url, { body: { to: ['me@example.com'] } })).body.code).toBe('mailNotConfigured')
    const many = Array.from({ length: 6 }, (_, n) => `p${n}@example.com`)
    expect((await api.call('POST', url, { body: { to: many } })).status).toBe(422)
    const bad = await api.call('POST', url, { body: { to: ['me@example.com', 'x\r\nBcc: y@z.example'] } })
    expect(bad.body.errors).toMatchObject([{ path: 'to[1]' }])
  })
})
