import { eq } from 'drizzle-orm'
import type { FastifyInstance } from 'fastify'
import { Liquid } from 'liquidjs'
import { simpleParser } from 'mailparser'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as housekeeping from '../../src/db/housekeeping.ts'
import * as lists from '../../src/db/list.ts'
import * as changes from '../../src/db/message/change.ts'
import * as t from '../../src/db/schema.ts'
import { htmlLiquid } from '../../src/mail/liquid.ts'
import type { Fairlead } from '../support/fairlead.ts'
import type { MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { openSender } from '../support/sender.ts'
import { plainList } from '../support/plain.ts'

let sender: Awaited<ReturnType<typeof openSender>>
let fairlead: Fairlead
let mail: MailServer
let app: FastifyInstance
beforeAll(async () => {
  sender = await openSender({ leads: 1, contacts: 1 })
  ;({ fairlead, mail, app } = sender)
})
afterAll(() => sender.close())
afterEach(() => {
  vi.restoreAllMocks()
})

let made = 0
/** Three mails that were really sent: of each what came, in the order of the addresses, and where it is seen. */
const sent = async () => {
  const { db, accountId, wiring } = fairlead
  const domain = `kept${(made += 1)}.example`
  const { listId } = await plainList(fairlead, domain, {})
  const hashKey = await hashKeyOf(db, wiring.secrets, accountId)
  const people = ['a', 'b', 'c'].map((name) => ({ email: `${name}@${domain}`, first: `Zoë ${name}`, last: 'O’Neill' }))
  await addPeople(fairlead, listId, people, (email) => emailKeyOf(hashKey, email))
  const message = await openMessage(fairlead, listId)
  await fairlead.finished(await message.send())
  const mails = await Promise.all(
    people.map(async ({ email }) => {
      const { html } = await simpleParser(mail.received.find(({ to }) => to === email)!.raw)
      expect(html).toContain('O’Neill')
      const { previewToken } = (await message.deliveries()).find((each) => each.email === email)!
      return { html, path: `/p/${previewToken}` }
    }),
  )
  return { listId, messageId: message.messageId, mails }
}
type Sent = Awaited<ReturnType<typeof sent>>

const unchanged = async ({ mails }: Sent): Promise<void> => {
  for (const { html, path } of mails) {
    const seen = await app.inject(`${path}/html`)
    expect([seen.statusCode, seen.body]).toEqual([200, html])
    const page = await app.inject(path)
    expect([page.statusCode, page.body.includes('Grüße an Zoë')]).toEqual([200, true])
  }
}

test('R33: records that are edited, a message that is changed and removed, a list that is deleted for ever: the mails stay what they were', async () => {
  const { db, accountId } = fairlead
  const before = await sent()
  const { listId, messageId } = before
  await unchanged(before)
  await db.$client`
    update records set fields = fields || '{"c2": "Somebody", "c3": "Else"}', version = version + 1 where list_id = ${listId}`
  await unchanged(before)
  await changes.remove(db, accountId, messageId, operator)
  await lists.remove(db, accountId, listId, operator)
  await unchanged(before)
  await db
    .update(t.lists)
    .set({ removedAt: new Date(Date.now() - 86_400_000) })
    .where(eq(t.lists.id, listId))
  await housekeeping.removeRecords(db, 0)
  expect(await db.$count(t.records, eq(t.records.listId, listId))).toBe(0)
  await unchanged(before)
})

test('R33: with another template engine the mails stay what they were, byte for byte', async () => {
  const before = await sent()
  const another = (): never => {
    throw new Error('another engine, which reads no template of before')
  }
  const reads = (['parse', 'render', 'renderSync', 'parseAndRenderSync', 'analyzeSync'] as const).map((name) =>
    vi.spyOn(Liquid.prototype, name).mockImplementation(another),
  )
  expect(() => htmlLiquid.parse('{{ first_name }}')).toThrow('another engine')
  await unchanged(before)
  expect(reads.map((each) => each.mock.calls.length)).toEqual([1, 0, 0, 0, 0])
})
