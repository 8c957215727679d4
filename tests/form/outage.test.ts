import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../src/simulator/faults.ts'
import { reopen } from '../../src/db/submission/wake.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { whileOthersAreWritten } from '../support/others.ts'
import { drainAfterPauses, openForm, type TestForm } from '../support/submission.ts'
import { plainList } from '../support/plain.ts'
import { createsAt, leadsByEmail } from '../support/push.ts'
import type { TestList } from '../support/sync.ts'

let fairlead: Fairlead
let list: TestList

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1000' }
  fairlead = await openFairlead({ leads: 3, contacts: 2, environment })
  await fairlead.connect()
  list = await plainList(fairlead, 'Filled by forms', { Firm: ['Company', null], Job: ['Title', 'Title'] })
}, 60_000)
afterAll(() => fairlead.close())
afterEach(() => {
  fairlead.simulator.control.clearFaults()
  fairlead.simulator.control.settings({ latencyMs: 0 })
})

const open = () => openForm(fairlead, list, { email: 'E-mail', last: 'Last name', firm: 'Firm', job: 'Job' })
let tags = 0

/** Six people, each three times, in turn. */
const storeAll = async (form: TestForm): Promise<string[]> => {
  tags += 1
  const emails = Array.from({ length: 6 }, (_, n) => `outage${tags}.${n}@form.example`)
  for (const round of ['1', '2', '3'])
    for (const email of emails) await form.store({ email, last: 'Person', firm: 'Ltd', job: round })
  await form.wake()
  return emails
}

/** Every one arrived once, and what was said last is what the CRM has. */
const expectArrived = async (form: TestForm, emails: string[]): Promise<void> => {
  const all = await form.allSettled()
  expect(all.map(({ state, code }) => ({ state, code }))).toEqual(all.map(() => ({ state: 'pushed', code: null })))
  const found = leadsByEmail(fairlead)
  expect(emails.map((email) => found.get(email)?.length)).toEqual(emails.map(() => 1))
  const { items } = fairlead.simulator.control.people({
    entity: 'lead',
    count: 10_000,
    select: ['Id', 'Email', 'Title'],
  })
  const jobs = emails.map((email) => items.find((lead) => lead['Email'] === email)?.['Title'])
  expect(jobs).toEqual(emails.map(() => '3'))
}

describe('F3, R21: every submission arrives, once and in order', () => {
  const onCreate = { method: 'POST', kind: 'leads' }
  test.each<[string, Fault]>([
    ['the CRM drops connections', { kind: 'drop', times: 12 }],
    ['the CRM asks for a pause', { kind: 'unavailable', retryAfter: 1, times: 6 }],
    ['the CRM fails', { kind: 'errorArray', status: 500, times: 8 }],
    ['the connection is dropped after the CRM stored a lead', { kind: 'dropAfterWrite', times: 3, match: onCreate }],
    ['the CRM stores a lead and does not answer', { kind: 'hangAfterWrite', times: 2, match: onCreate }],
    ['the CRM does not answer', { kind: 'hang', times: 3 }],
  ])('%s', async (_, fault) => {
    const form = await open()
    fairlead.simulator.control.addFault(fault)
    await expectArrived(form, await storeAll(form))
  })

  test('while the CRM is away those that come wait and say why', async () => {
    const form = await open()
    fairlead.simulator.control.addFault({ kind: 'unavailable' })
    const emails = await storeAll(form)
    await until('one waits', async () =>
      (await form.all()).some(({ state, code }) => state === 'waiting' && code === 'crmBusy'),
    )
    fairlead.simulator.control.clearFaults()
    await expectArrived(form, emails)
  })
})

test('R21: a pause that the CRM asks for counts against nobody, also where only changes are refused', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  const emails = [1, 2, 3].map((n) => `pause${n}@form.example`)
  for (const email of emails) control.add({ entity: 'lead', values: { Email: email, LastName: 'Person' } })
  const refusals = () => control.gauges().byStatus[503] ?? 0
  const before = refusals()
  control.addFault({ kind: 'unavailable', retryAfter: 1, match: { method: 'PUT' } })
  for (const email of emails) await form.store({ email, last: 'Person', firm: 'Ltd', job: '3' })
  await form.wake()
  await until('it was refused again and again', async () => refusals() - before >= 12)
  expect((await form.all()).map(({ state, tries }) => [state === 'rejected', tries])).toEqual(
    emails.map(() => [false, 0]),
  )
  control.clearFaults()
  await expectArrived(form, emails)
}, 120_000)

test('R21: somebody who is woken while nothing is due goes on with the long pauses of an outage', async () => {
  const form = await open()
  const { db, wiring } = fairlead
  const [{ connectionId }] = await db.$client<
    [{ connectionId: string }]
  >`select id::text as "connectionId" from connections`
  fairlead.simulator.control.addFault({ kind: 'unavailable' })
  const id = await form.store({ email: 'patient@form.example', last: 'Patient', firm: 'Ltd', job: '3' })
  // as a killed worker leaves what it was about to send
  await db.$client`update submissions set state = 'waiting', due_at = now() + interval '12 s' where id = ${id}::uuid`
  await drainAfterPauses(fairlead, connectionId, 100)
  const waitMs = await until('it was tried', async () => {
    const [row] = await db.$client<{ code: string | null; ms: number }[]>`
      select code, (extract(epoch from due_at - now()) * 1000)::float8 as ms from submissions where id = ${id}::uuid`
    return row!.code === 'crmBusy' && row!.ms
  })
  expect(waitMs).toBeGreaterThan(10_000)
  fairlead.simulator.control.clearFaults()
  await db.$client`update submissions set due_at = now() where id = ${id}::uuid`
  await wiring.flows.signal(`forms:${connectionId}`, 'wake')
  await expectArrived(form, ['patient@form.example'])
}, 60_000)

test('R21: a submission that alone keeps failing is rejected, and holds nobody up', async () => {
  const form = await open()
  const before = createsAt(fairlead)
  fairlead.simulator.control.addFault({
    kind: 'poison',
    ids: fairlead.simulator.control.add({
      entity: 'lead',
      values: { Email: 'poison@form.example', LastName: 'Poison' },
    }).ids,
  })
  const bad = await form.store({ email: 'poison@form.example', last: 'Poison', firm: 'Ltd' })
  const good = await form.store({ email: 'healthy@form.example', last: 'Healthy', firm: 'Ltd' })
  await form.wake()
  expect(await form.settled(good)).toMatchObject({ state: 'pushed' })
  const settled = await whileOthersAreWritten(fairlead, () => form.settled(bad, 60_000))
  expect(settled).toMatchObject({ state: 'rejected', code: 'crmFailed', tries: 5 })
  expect(createsAt(fairlead) - before).toBe(1)
})

test('F2, R22: where one of two with the address does not come the other is written to, and the submission is not called pushed', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  const email = 'half@form.example'
  const [good, bad] = [1, 2].map(
    () => control.add({ entity: 'contact', values: { Email: email, LastName: 'Half' } }).ids[0]!,
  )
  control.addFault({ kind: 'poison', ids: [bad!] })
  const id = await form.store({ email, last: 'W'.repeat(300), firm: 'Ltd', job: '3' })
  await form.wake()
  await until('it has been tried', async () => (await form.of(id)).tries > 0)
  // whoever changes them between two tries has the later word
  control.edit({ entity: 'contact', id: good!, values: { Title: 'Later' } })
  const settled = await whileOthersAreWritten(fairlead, () => form.settled(id, 60_000))
  const results = [{ entity: 'contact', id: good, kind: 'updated' }]
  expect(settled).toMatchObject({ state: 'rejected', code: 'crmFailed', tries: 5, results })
  expect(settled.warnings).toContainEqual({ code: 'valueCut', field: 'LastName' })
  expect(control.person('contact', good!)).toMatchObject({ Title: 'Later' })
  expect((await list.records()).find(({ crmId }) => crmId === good)).toMatchObject({ crmEntity: 'contact' })

  control.clearFaults()
  await reopen(fairlead.db, fairlead.accountId, { ids: [id] })
  await fairlead.wiring.relay()
  const pushed = new Map((await form.reaches(id, 'pushed')).results.map((result) => [result.id, result.kind]))
  expect(pushed).toEqual(new Map([good, bad].map((each) => [each, 'updated'])))
  expect([good, bad].map((each) => control.person('contact', each!)?.['Title'])).toEqual(['3', '3'])
})

test('F2, R21: who does not come for a moment, while another with the address does, is written to when they come', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  const email = 'moment@form.example'
  const ids = [1, 2].map(() => control.add({ entity: 'contact', values: { Email: email, LastName: 'Moment' } }).ids[0]!)
  const fault = control.addFault({ kind: 'poison', ids: [ids[1]!] })
  const id = await form.store({ email, last: 'Whole', firm: 'Ltd', job: '3' })
  await form.wake()
  await until('it has been tried', async () =>
    (await form.all()).some(({ state, tries }) => state === 'waiting' && tries > 0),
  )
  control.clearFaults(fault)
  const settled = await form.settled(id, 60_000)
  expect(settled).toMatchObject({ state: 'pushed', code: null })
  expect(new Set(settled.results.map((result) => result.id))).toEqual(new Set(ids))
})

test('R21: while a CRM that can be read takes no changes, nobody is given up', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  const emails = [1, 2, 3, 4].map((n) => `readonly${n}@form.example`)
  for (const email of emails.slice(2)) control.add({ entity: 'lead', values: { Email: email, LastName: 'Person' } })
  control.addFault({ kind: 'htmlError', status: 503, match: { method: 'PUT' } })
  control.addFault({ kind: 'htmlError', status: 503, match: { method: 'POST', kind: 'leads' } })
  for (const email of emails) await form.store({ email, last: 'Person', firm: 'Ltd', job: '3' })
  await form.wake()
  await until(
    'each was tried more often than somebody is',
    async () => (await form.all()).every(({ tries }) => tries > 6),
    120_000,
  )
  control.clearFaults()
  await whileOthersAreWritten(fairlead, () => expectArrived(form, emails))
}, 180_000)

test('R7, R21: a lead that the CRM made at the last try, without an answer, is found before the submission is given up', async () => {
  const form = await open()
  const match = { method: 'POST', kind: 'leads' }
  fairlead.simulator.control.addFault({ kind: 'drop', times: 4, match })
  fairlead.simulator.control.addFault({ kind: 'dropAfterWrite', after: 4, times: 1, match })
  const email = 'last.try@form.example'
  const id = await form.submit({ email, last: 'Try', firm: 'Ltd' })
  expect(await form.settled(id, 60_000)).toMatchObject({ state: 'pushed', code: null })
  expect(leadsByEmail(fairlead).get(email)).toHaveLength(1)
})

test('R7, R21: a submission to whose lead the CRM never answers holds nobody up, and is given up after a last look', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  const person = (email: string) =>
    control.add({ entity: 'lead', values: { Email: email, LastName: 'Dropped' } }).ids[0]!
  control.addFault({ kind: 'drop', match: { method: 'PUT', contains: person('dropped@form.example') } })
  control.addFault({ kind: 'drop', match: { method: 'POST', kind: 'leads' } })
  person('served@form.example')
  const known = await form.store({ email: 'dropped@form.example', firm: 'Ltd' })
  const unknown = await form.store({ email: 'never@form.example', last: 'Never', firm: 'Ltd' })
  await form.wake()
  const triesOf = async (id: string) => (await form.all()).find((each) => each.id === id)!.tries
  await until('both were tried', async () => (await triesOf(known)) > 0 && (await triesOf(unknown)) > 0)
  const good = await form.submit({ email: 'served@form.example', firm: 'Ltd' })
  expect(await form.settled(good)).toMatchObject({ state: 'pushed' })
  await whileOthersAreWritten(fairlead, async () => {
    expect(await form.settled(known, 90_000)).toMatchObject({ state: 'rejected', code: 'crmFailed', tries: 5 })
    // the CRM may have made the lead
    await until('it is tried on', async () => (await triesOf(unknown)) > 5, 60_000)
    await fairlead.db.$client`update submissions set tries = 60 where id = ${unknown}`
    const before = createsAt(fairlead)
    expect(await form.settled(unknown, 60_000)).toMatchObject({ state: 'rejected', code: 'crmFailed' })
    expect(createsAt(fairlead) - before).toBeLessThanOrEqual(1)
  })
  expect(leadsByEmail(fairlead).get('never@form.example')).toBeUndefined()
}, 180_000)

test('C2, C4: a login that is refused holds submissions, and they go on when it was reconfirmed', async () => {
  const form = await open()
  const { control } = fairlead.simulator
  control.addFault({ kind: 'expired' })
  const email = 'held@form.example'
  const id = await form.submit({ email, last: 'Held', firm: 'Ltd' })
  const held = await form.reaches(id, 'held')
  expect(held.code).toBe('passwordExpired')
  // on its list all the same
  expect((await list.records()).filter(({ values }) => values['E-mail'] === email)).toHaveLength(1)
  const later = await form.submit({ email, last: 'Later' })
  control.clearFaults()
  await fairlead.connect()
  expect(await form.settled(id)).toMatchObject({ state: 'pushed', results: [{ kind: 'created' }] })
  expect(await form.settled(later)).toMatchObject({ state: 'pushed', results: [{ kind: 'updated' }] })
})
