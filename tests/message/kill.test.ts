import { afterAll, beforeAll, expect, test } from 'vitest'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import type { UnknownFate } from '../../src/domain/message.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { addPeople, openMessage, type TestMessage } from '../support/message.ts'
import { plainList } from '../support/plain.ts'
import { startWorker } from '../support/worker.ts'

const count = 120
let fairlead: Fairlead
let mail: MailServer
beforeAll(async () => {
  mail = await openMailServer()
  fairlead = await openFairlead({
    worker: false,
    leads: 1,
    contacts: 1,
    environment: { SMTP_URL: mail.url, PUBLIC_URL: 'https://fairlead.example' },
  })
})
afterAll(async () => {
  await fairlead.close()
  await mail.close()
})

const prepare = async (policy: UnknownFate): Promise<TestMessage> => {
  const { listId } = await plainList(fairlead, policy, {})
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  const people = Array.from({ length: count }, (_, n) => ({ email: `p${n}@${policy}.example`, first: `${n}` }))
  await addPeople(fairlead, listId, people, (email) => emailKeyOf(hashKey, email))
  return openMessage(fairlead, listId, { unknownFate: policy })
}
const timesOf = (policy: UnknownFate): Map<string, number> => {
  const times = new Map<string, number>()
  for (const { to } of mail.received.filter((each) => each.to.endsWith(`@${policy}.example`)))
    times.set(to, (times.get(to) ?? 0) + 1)
  return times
}

test('a worker that is killed while it sends: nobody is forgotten; who got it twice is said, or nobody gets it twice', async () => {
  const first = await startWorker(fairlead)
  const repeat = await prepare('repeat')
  const leave = await prepare('leave')
  mail.slow(120)
  const runs = [await repeat.send(), await leave.send()]
  const some = (policy: UnknownFate) => until('some have arrived', async () => [...timesOf(policy).keys()].length > 20)
  await Promise.all([some('repeat'), some('leave')])
  await first.kill()
  mail.slow(0)
  await startWorker(fairlead)
  const [repeated, left] = await Promise.all(runs.map((runId) => fairlead.finished(runId, 80_000)))
  expect(repeated).toMatchObject({
    state: 'succeeded',
    balance: { balanced: true },
    counts: { send: { created: count } },
  })

  const again = await repeat.deliveries()
  const twice = [...timesOf('repeat')].filter(([, times]) => times > 1).map(([to]) => to)
  expect(timesOf('repeat').size).toBe(count)
  const unsure = again.filter(({ isUnsure }) => isUnsure).map(({ email }) => email)
  expect(unsure.length).toBeGreaterThan(0)
  expect(unsure.length).toBeLessThanOrEqual(30)
  for (const to of twice) expect(unsure).toContain(to)
  expect(repeated!.warnings).toMatchObject([{ code: 'maybeTwice', count: unsure.length }])

  const once = await leave.deliveries()
  expect([...timesOf('leave').values()].every((times) => times === 1)).toBe(true)
  const unknown = once.filter(({ state }) => state === 'unknown').map(({ email }) => email)
  expect(unknown.length).toBeGreaterThan(0)
  for (const { email, state } of once) {
    if (state === 'accepted') expect(timesOf('leave').has(email!)).toBe(true)
    else expect(unknown).toContain(email)
  }
  expect(left).toMatchObject({
    state: 'succeeded',
    balance: { balanced: true },
    counts: { send: { created: count - unknown.length, rejected: unknown.length } },
  })
}, 120_000)

test('a worker that is asked to stop waits for the answers under way; the next one doubles nothing', async () => {
  const first = await startWorker(fairlead)
  const { listId } = await plainList(fairlead, 'stopped', {})
  const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
  const people = Array.from({ length: count }, (_, n) => ({ email: `s${n}@stopped.example` }))
  await addPeople(fairlead, listId, people, (email) => emailKeyOf(hashKey, email))
  const message = await openMessage(fairlead, listId)
  const arrived = (): number => mail.received.filter(({ to }) => to.endsWith('@stopped.example')).length
  mail.slow(120)
  const runId = await message.send()
  await until('some have arrived', async () => arrived() > 10)
  expect(await first.stop()).toBe(0)
  mail.slow(0)
  expect((await message.deliveries()).filter(({ state }) => state === 'sending')).toEqual([])
  await startWorker(fairlead)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', warnings: [], counts: { send: { created: count } } })
  expect(arrived()).toBe(count)
}, 60_000)
