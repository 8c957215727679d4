import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { openForms } from '../support/form.ts'
import { addConnection, addList } from './rows.ts'

let api: TestApi
let listId: string
let made = 0
beforeAll(async () => {
  api = await openApi()
  await addConnection(api.db, api.account.id)
  listId = await addList(api.db, api.account.id, { name: 'People' })
})
afterAll(() => api.close())

const call = (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => api.call(method, path, { body })
const suppress = async (email: string) =>
  (await call('POST', '/v1/suppressions', { email, reason: 'unsubscribed', evidence: 'By phone.' })).body
const mail = (): string => `said${(made += 1)}@example.com`
const settle = (suppressionId: string, values: Partial<typeof t.optOuts.$inferInsert>) =>
  api.db
    .update(t.optOuts)
    .set({ settledAt: new Date(), ...values })
    .where(eq(t.optOuts.suppressionId, suppressionId))
const people = [{ entity: 'lead' as const, id: 'QL1', at: '2026-11-23T10:00:00.000Z', wrote: true }]

describe('R34, differentiator 7: what the CRM has confirmed', () => {
  test('shows on the suppression, with one message for whoever writes it', async () => {
    const made = await suppress(mail())
    expect(made.crm).toMatchObject({ state: 'waiting', doNotEmail: true, people: [], code: null })
    await settle(made.id, { state: 'written', results: people })
    const { body } = await call('GET', '/v1/suppressions')
    expect(body.items[0]).toMatchObject({
      id: made.id,
      crm: { state: 'written', people, settledAt: expect.any(String) },
    })
    const woken = await api.db.select().from(t.outbox).where(eq(t.outbox.name, 'pushOptOuts'))
    expect(woken[0]).toMatchObject({ kind: 'wake', workflowId: expect.stringMatching(/^optouts:/) })
    expect(JSON.stringify(woken)).not.toContain('said')
  })

  test('what it refused has a sentence, a remedy and its own words, and is tried again by hand, once', async () => {
    const made = await suppress(mail())
    await settle(made.id, { state: 'rejected', code: 'noDoNotEmail', crm: { message: 'No such field.' } })
    const found = (await call('GET', '/v1/suppressions')).body.items[0]
    expect(found.crm).toMatchObject({
      state: 'rejected',
      message: expect.stringMatching(/DoNotEmail/),
      remedy: expect.any(String),
      said: { message: 'No such field.' },
    })
    const again = await call('POST', `/v1/suppressions/${made.id}/retry`)
    expect(again).toMatchObject({ status: 200, body: { crm: { state: 'waiting', code: null } } })
    expect((await call('POST', `/v1/suppressions/${made.id}/retry`)).body.code).toBe('notRetryable')
  })

  test('lifting it is told as false, unless another opt-out of the address holds', async () => {
    const email = mail()
    const byPerson = await suppress(email)
    await settle(byPerson.id, { state: 'written', results: people })
    const other = await call('POST', '/v1/suppressions', { email, reason: 'optedOut', source: 'api' })
    const lift = (id: string) => call('DELETE', `/v1/suppressions/${id}`, { evidence: 'Signed a card.' })
    expect((await lift(other.body.id)).body.crm).toBeNull()
    expect((await lift(byPerson.id)).body.crm).toMatchObject({ state: 'waiting', doNotEmail: false })
  })

  test('stands on the timeline of a record with the address: who said it, why, and who has it so', async () => {
    const email = mail()
    const record = await call('POST', `/v1/lists/${listId}/records`, { email, lastName: 'Pat' })
    const made = await suppress(email)
    await settle(made.id, { state: 'written', results: people })
    await call('DELETE', `/v1/suppressions/${made.id}`, { evidence: 'Signed a card.' })
    const { body } = await call('GET', `/v1/lists/${listId}/records/${record.body.id}/timeline`)
    const told = body.items.map(({ kind, suppression }: { kind: string; suppression: unknown }) => [kind, suppression])
    expect(told).toEqual([
      ['lifted', expect.objectContaining({ id: made.id, evidence: 'Signed a card.' })],
      ['optOutWritten', expect.objectContaining({ doNotEmail: true, people })],
      ['suppressed', expect.objectContaining({ reason: 'unsubscribed', source: 'person', evidence: 'By phone.' })],
      ['created', null],
    ])
  })
})

describe('R34: a form', () => {
  const consent = { name: 'news', type: 'consent' as const, label: 'You may write to me by e-mail.', forEmail: true }
  const fields = [{ name: 'email', type: 'email' as const, label: 'E-mail', required: true }, consent]

  test('ends the opt-out of whoever ticks a consent that is for e-mail, and of nobody else', async () => {
    const forms = openForms(api)
    const form = await forms.make({ fields, languages: ['en'] })
    const [ticked, not] = [mail(), mail()]
    const made = [await suppress(ticked), await suppress(not)]
    for (const [email, news] of [
      [ticked, 'true'],
      [not, ''],
    ] as const)
      expect((await forms.send(form, { email, news })).statusCode).toBeLessThan(400)
    const [submission] = await forms.stored(form)
    const items: { id: string }[] = (await call('GET', '/v1/suppressions')).body.items
    const active = new Set(items.map(({ id }) => id))
    expect([active.has(made[0].id), active.has(made[1].id)]).toEqual([false, true])
    const lifted = (await call('GET', '/v1/suppressions?lifted=true')).body.items[0]
    expect(lifted).toMatchObject({ id: made[0].id, liftEvidence: expect.stringContaining(submission!.id) })
    const its = eq(t.optOuts.suppressionId, made[0].id)
    const rows = await api.db.select().from(t.optOuts).where(its).orderBy(t.optOuts.id)
    expect(rows.map(({ doNotEmail, state }) => [doNotEmail, state])).toEqual([
      [true, 'superseded'],
      [false, 'waiting'],
    ])
  })

  test('says that nothing but a consent can be for e-mail', async () => {
    const wrong = [fields[0]!, { name: 'call', type: 'checkbox', label: 'Call me', forEmail: true }]
    const { body } = await call('POST', '/v1/forms', { name: 'Wrong', fields: wrong, list: { name: 'Wrong' } })
    expect(body).toMatchObject({ code: 'invalidInput', errors: [{ path: 'fields[1].forEmail' }] })
  })
})

test('O4: opt-outs that the CRM has not confirmed are counted', async () => {
  const made = await suppress(mail())
  await settle(made.id, { state: 'rejected', code: 'noRight', createdAt: new Date(Date.now() - 7_200_000) })
  const { text } = await api.call('GET', '/metrics', { key: null })
  expect(text).toMatch(/^fairlead_opt_outs_open\{state="rejected"\} 1$/m)
  expect(Number(/^fairlead_opt_outs_oldest_seconds\{state="rejected"\} (\S+)$/m.exec(text)?.[1])).toBeGreaterThan(7000)
})
