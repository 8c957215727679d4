import { simpleParser } from 'mailparser'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { fetchHistory } from '../support/history.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { plainList } from '../support/plain.ts'
import { peakOf, startWorker } from '../support/worker.ts'

const people = 10_000
const kills = 3

let fairlead: Fairlead
let mail: MailServer
beforeAll(async () => {
  mail = await openMailServer()
  const environment = { SMTP_URL: mail.url, PUBLIC_URL: 'https://fairlead.example' }
  fairlead = await openFairlead({ worker: false, leads: 1, contacts: 1, environment })
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

test('G1, G4: ten thousand mails, each as it is stored, in few events and little memory', async () => {
  const worker = await startWorker(fairlead)
  const message = await prepare('whole')
  const runId = await message.send()
  const run = await fairlead.finished(runId, 900_000)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true }, counts: { send: { created: people } } })
  const { events } = await fetchHistory(fairlead, run.workflowId)
  expect(events!.length).toBeLessThanOrEqual(30)
  expect(peakOf(worker.pid)).toBeLessThan(500)
  const byEmail = new Map((await message.deliveries()).map((each) => [each.email, each]))
  const arrived = arrivedAt('whole')
  expect(arrived).toHaveLength(people)
  for (const { to, raw } of arrived) {
    const delivery = byEmail.get(to)!
    const { html, subject, messageId } = await simpleParser(raw, { skipHtmlToText: true })
    const kept = (await message.content(delivery.id))!
    expect(html).toBe(kept.html.toString())
    expect(subject).toBe(kept.subject)
    expect(messageId).toBe(`<${delivery.id}@sender.example>`)
  }
}, 1_800_000)

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
