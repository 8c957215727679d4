import { simpleParser } from 'mailparser'
import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Fairlead } from '../support/fairlead.ts'
import type { MailServer } from '../support/mail.ts'
import { openMessage } from '../support/message.ts'
import { openOptOuts } from '../support/optOut.ts'
import { openSender } from '../support/sender.ts'
import { openList } from '../support/sync.ts'
import { openPeople } from '../sync/people.ts'

let sender: Awaited<ReturnType<typeof openSender>>
let fairlead: Fairlead
let mail: MailServer
let app: FastifyInstance
beforeAll(async () => {
  sender = await openSender({ leads: 10, contacts: 2 })
  ;({ fairlead, mail, app } = sender)
  await fairlead.connect()
}, 60_000)
afterAll(() => sender.close())

test('R34, R35: one click in a mail that was really sent is DoNotEmail in the CRM, which no stale value takes back', async () => {
  const crm = openPeople(fairlead)
  const optOuts = openOptOuts(fairlead)
  const email = 'pat@oneclick.example'
  const values = { Email: email, LastName: 'Pat', DoNotEmail: false, DoNotSolicit: false }
  const lead = crm.add('lead', values)
  const contact = crm.add('contact', { ...values, Email: 'Pat@OneClick.example' })
  const { listId } = await fairlead.finished(await fairlead.startImport('lead'))
  const first = await openMessage(fairlead, listId!)
  await fairlead.finished(await first.send())
  const { raw } = mail.received.find(({ to }) => to === email)!
  const { headers, html } = await simpleParser(raw)
  const list = headers.get('list') as unknown as { unsubscribe: { url: string } }
  const link = new URL(list.unsubscribe.url)
  expect(link.origin).toBe('https://fairlead.example')
  expect(html).toContain(link.href)

  // a scanner looks at the link first
  expect((await app.inject({ url: link.pathname })).statusCode).toBe(200)
  expect(await optOuts.of(email)).toEqual([])
  const answer = await app.inject({
    method: 'POST',
    url: link.pathname,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    payload: 'List-Unsubscribe=One-Click',
  })
  expect(answer.statusCode).toBe(200)
  const said = await optOuts.reaches(email, 'written')
  expect(new Map(said.results.map(({ id, wrote }) => [id, wrote]))).toEqual(
    new Map([
      [lead, true],
      [contact, true],
    ]),
  )
  for (const id of [lead, contact]) expect(crm.everybody().get(id)).toMatchObject({ DoNotEmail: true })

  // somebody saves a form that was open since before
  crm.control.edit({ entity: 'lead', id: lead, values: { DoNotEmail: false } })
  const leads = await openList(fairlead, listId!)
  await leads.run()
  expect((await optOuts.suppressions(email)).map(({ source, liftedAt }) => [source, liftedAt])).toEqual([
    ['person', null],
  ])
  mail.received.length = 0
  const second = await openMessage(fairlead, listId!)
  const run = await fairlead.finished(await second.send())
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  expect(mail.received.map(({ to }) => to)).not.toContain(email)
  const own = (await second.deliveries()).find((each) => each.email === email)
  expect(own).toMatchObject({ state: 'skipped', code: 'suppressed' })
})
