import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { fetchHistory } from '../support/history.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { inCrm } from '../support/note.ts'
import { plainList } from '../support/plain.ts'
import { peakOf, startWorker } from '../support/worker.ts'

const people = 10_000
/** Some have no address, one of others, or want no mail. */
const leads = 13_000
const kills = 3

let fairlead: Fairlead
let mail: MailServer
beforeAll(async () => {
  mail = await openMailServer()
  const environment = { SMTP_URL: mail.url, PUBLIC_URL: 'https://fairlead.example' }
  fairlead = await openFairlead({ worker: false, leads, contacts: 1, environment })
})
afterAll(async () => {
  await fairlead.close()
  await mail.close()
})

const prepare = async (name: string) => {
  const { listId } = await plainList(fairlead, name, {})
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  const all = Array.from({ length: people }, (_, n) => ({
    email: `p${n}@${name}.example`,
    first: n % 7 === 0 ? '<script>alert(1)</script>' : `Zoë ${n}`,
    last: n % 5 === 0 ? 'O’Neill & Söhne 😀' : '',
  }))
  await addPeople(fairlead, listId, all, (email) => emailKeyOf(hashKey, email))
  return openMessage(fairlead, listId)
}
const arrivedAt = (name: string) => mail.received.filter(({ to }) => to.endsWith(`@${name}.example`))

test('G1, G3, G4: ten thousand mails to people of the CRM: each as its preview shows it, each with its one note, in few events and little memory', async () => {
  const worker = await startWorker(fairlead)
  const app = await buildApp({ ...fairlead.wiring, engineReady: async () => true } as never)
  onTestFinished(() => app.close())
  let looks = 0
  /** Each from a network of its own, since one that looks at thousands is slowed down. */
  const open = (url: string) => {
    looks += 1
    return app.inject({ url, remoteAddress: `10.${looks >> 8}.${looks & 255}.1` })
  }
  await fairlead.connect()
  const { listId } = await fairlead.finished(await fairlead.startImport('lead'), 300_000)
  const message = await openMessage(fairlead, listId!, { addNote: true })
  const run = await fairlead.finished(await message.send(), 900_000)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const { events } = await fetchHistory(fairlead, run.workflowId)
  expect(events!.length).toBeLessThanOrEqual(30)
  expect(peakOf(worker.pid)).toBeLessThan(500)
  const accepted = (await message.deliveries()).filter(({ state }) => state === 'accepted')
  expect(accepted.length).toBeGreaterThanOrEqual(people)
  expect(run.counts!['send']!.created).toBe(accepted.length)
  const arrived = new Map(mail.received.map((each) => [each.to.toLowerCase(), each.raw]))
  expect(mail.received).toHaveLength(accepted.length)
  for (const { id, email, previewToken, unsubscribeToken } of accepted) {
    const raw = arrived.get(email!.toLowerCase())!
    const { html, subject, messageId } = await simpleParser(raw, { skipHtmlToText: true })
    const preview = await open(`/p/${previewToken}/html`)
    expect([preview.statusCode, preview.body]).toEqual([200, html])
    expect(subject).toMatch(/^Grüße an /)
    expect(messageId).toBe(`<${id}@sender.example>`)
    const head = raw
      .toString('latin1')
      .split('\r\n\r\n')[0]!
      .replaceAll(/\r\n\s+/g, '')
    expect(head).toContain(`List-Unsubscribe: <https://fairlead.example/u/${unsubscribeToken}>`)
    expect(head).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click')
    expect(raw.toString('latin1')).toMatch(/content-type: text\/html; charset=utf-8/i)
    expect(
      raw
        .toString('latin1')
        .split('\r\n')
        .filter((line) => line.length > 998 || line.includes('\n')),
    ).toEqual([])
  }
  const rows = await fairlead.db.$client<{ id: string }[]>`
    select id::text from runs where message_id = ${message.messageId} and kind = 'notes' order by id`
  let created = 0
  for (const { id } of rows) {
    const notes = await fairlead.finished(id, 1_800_000)
    expect(notes).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
    created += notes.counts!['notes']!.created
  }
  expect(created).toBe(accepted.length)
  const found = inCrm(fairlead)
  const linked = await fairlead.db.$client<{ token: string; crmId: string; sentAt: string }[]>`
    select preview_token as token, crm_id as "crmId", sent_at as "sentAt" from deliveries
    where message_id = ${message.messageId} and state = 'accepted'`
  expect(found.size).toBe(linked.length)
  for (const { token, crmId, sentAt } of linked) {
    const [note, ...others] = found.get(token) ?? []
    expect(others).toEqual([])
    expect(note).toMatchObject({
      Type: 'atEMail',
      LeadId: crmId,
      UserId: 'ADMIN',
      StartDate: new Date(sentAt).toISOString(),
    })
    expect(String(note!['Description'])).toMatch(/^Grüße an /)
    expect((await open(`/p/${token}`)).statusCode).toBe(200)
  }
}, 3_600_000)

test('workers are killed again and again: nobody is forgotten, and who may have got it twice is named', async () => {
  let worker = await startWorker(fairlead)
  const message = await prepare('killed')
  const runId = await message.send()
  for (let n = 1; n <= kills; n += 1) {
    const enough = (n * people) / (kills + 2)
    await until('mails arrive', async () => arrivedAt('killed').length > enough, 600_000)
    await worker.kill()
    worker = await startWorker(fairlead)
  }
  const run = await fairlead.finished(runId, 900_000)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true }, counts: { send: { created: people } } })
  const times = new Map<string, number>()
  for (const { to } of arrivedAt('killed')) times.set(to, (times.get(to) ?? 0) + 1)
  expect(times.size).toBe(people)
  const unsure = new Set((await message.deliveries()).filter((each) => each.isUnsure).map(({ email }) => email))
  expect([...times].filter(([to, count]) => count > 1 && !unsure.has(to))).toEqual([])
}, 1_800_000)
