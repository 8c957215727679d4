import type { FastifyInstance } from 'fastify'
import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import * as apiKeys from '../../src/db/apiKey.ts'
import * as t from '../../src/db/schema.ts'
import { compileMessage } from '../../src/mail/render.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { plainList } from '../support/plain.ts'

let fairlead: Fairlead
let mail: MailServer
let app: FastifyInstance
let authorization: string
beforeAll(async () => {
  mail = await openMailServer()
  const publicUrl = 'https://fairlead.example'
  const environment = { SMTP_URL: mail.url, PUBLIC_URL: publicUrl }
  fairlead = await openFairlead({ leads: 1, contacts: 1, environment })
  const { wiring, db, accountId } = fairlead
  const others = { temporalUiUrl: '', temporalNamespace: 'default', checkWebhookHost: () => undefined }
  const { secrets, relay, log } = wiring
  const services = {
    db,
    secrets,
    relay,
    log,
    ...others,
    engineReady: async () => true,
    mailConfigured: true,
    publicUrl,
  }
  app = await buildApp({ ...services, compileMessage })
  authorization = `Bearer ${(await apiKeys.insert(db, accountId, { name: 'tests', role: 'marketer' })).key}`
})
afterAll(async () => {
  await app.close()
  await fairlead.close()
  await mail.close()
})

const post = async (url: string, payload: object) => {
  const answer = await app.inject({ method: 'POST', url, payload, headers: { authorization } })
  return { status: answer.statusCode, body: answer.json() }
}

test('R31: a test is sent as the message would be, marked, without delivery or note, and its addresses are forgotten', async () => {
  const { db } = fairlead
  const { listId } = await plainList(fairlead, 'Tested', {})
  await addPeople(fairlead, listId, [{ email: 'pat@tested.example', first: '<b>Pat</b>' }], () => null)
  const [record] = await db.query.records.findMany({ where: (r, { eq }) => eq(r.listId, listId) })
  const { messageId } = await openMessage(fairlead, listId, {
    subject: 'Dear {{ first_name | default: "reader" }}',
    addNote: true,
  })
  const to = ['one@test.example', 'two@test.example']
  const sent = await post(`/v1/messages/${messageId}/test`, { to, recordId: record!.id })
  expect(sent).toMatchObject({ status: 200, body: { state: 'sent', accepted: 2, rejected: 0, code: null } })
  const mails = await Promise.all(mail.received.map(({ raw }) => simpleParser(raw)))
  expect(mail.received.map((each) => each.to).toSorted()).toEqual(to)
  expect(mails.map(({ subject }) => subject)).toEqual(['Dear <b>Pat</b>', 'Dear <b>Pat</b>'])
  expect(mails[0]!.headers.get('x-fairlead-test')).toBe('yes')
  expect(mails[0]!.html).toContain('href="https://fairlead.example/u/test"')
  expect(mails[0]!.html).toContain('&lt;b&gt;Pat&lt;/b&gt;')
  expect(new Set(mails.map(({ messageId: id }) => id)).size).toBe(2)
  expect(await db.$count(t.deliveries)).toBe(0)
  expect(await db.$count(t.notes)).toBe(0)
  expect(await db.select().from(t.messageTests)).toMatchObject([{ recipients: [], state: 'sent' }])
  const blank = await post(`/v1/messages/${messageId}/test`, { to: ['three@test.example'] })
  expect(blank.body.state).toBe('sent')
  expect((await simpleParser(mail.received.at(-1)!.raw)).subject).toBe('Dear reader')
})

test('G1: what is not ready, or would reach nobody, is not sent, and every problem is named', async () => {
  const { listId } = await plainList(fairlead, 'Unready', {})
  const { messageId } = await openMessage(fairlead, listId, { html: '<p>{{ nobody }}</p>' })
  const refused = await post(`/v1/messages/${messageId}/send`, {})
  expect(refused).toMatchObject({ status: 409, body: { code: 'messageNotReady' } })
  expect(refused.body.errors.map(({ code }: { code: string }) => code)).toEqual([
    'unsubscribeMissing',
    'unknownPlaceholder',
    'audienceEmpty',
  ])
  expect(await fairlead.db.$count(t.runs)).toBe(0)
})
