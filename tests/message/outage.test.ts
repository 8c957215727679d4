import { afterAll, beforeAll, expect, test } from 'vitest'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { get, requestCancel } from '../../src/db/run/state.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { freePort, openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage } from '../support/message.ts'
import { plainList } from '../support/plain.ts'

let fairlead: Fairlead
let port: number
let mail: MailServer | undefined
let listId: string
beforeAll(async () => {
  port = await freePort()
  const environment = { SMTP_URL: `smtp://us:right@127.0.0.1:${port}`, PUBLIC_URL: 'https://fairlead.example' }
  fairlead = await openFairlead({ leads: 1, contacts: 1, environment })
  listId = (await plainList(fairlead, 'People', {})).listId
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  const people = Array.from({ length: 12 }, (_, n) => ({ email: `p${n}@outage.example` }))
  await addPeople(fairlead, listId, people, (email) => emailKeyOf(hashKey, email))
})
afterAll(async () => {
  await fairlead.close()
  await mail?.close()
})

const waitsFor = (runId: string, code: string) =>
  until(
    `the run waits for ${code}`,
    async () => (await get(fairlead.db, fairlead.accountId, runId)).error?.code === code,
  )

test('R21: a mail server that does not answer holds everybody up, which the run says; nobody is lost or doubled', async () => {
  const message = await openMessage(fairlead, listId)
  const runId = await message.send()
  await waitsFor(runId, 'mailUnreachable')
  mail = await openMailServer({ port, password: 'right' })
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null, warnings: [], counts: { send: { created: 12 } } })
  expect(new Set(mail.received.map(({ to }) => to)).size).toBe(12)
  expect(mail.received).toHaveLength(12)
})

test('a login that is refused is said, and the message can be called off', async () => {
  await mail!.close()
  mail = await openMailServer({ port, password: 'another' })
  const message = await openMessage(fairlead, listId)
  const runId = await message.send()
  await waitsFor(runId, 'mailLoginRefused')
  await requestCancel(fairlead.db, fairlead.accountId, runId)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'cancelled', balance: { balanced: true }, counts: { send: { skipped: 12 } } })
  expect((await message.deliveries()).every(({ code }) => code === 'messageCancelled')).toBe(true)
  expect(JSON.stringify(run)).not.toContain('never to be kept')
})
