import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import { operator } from '../../src/db/audit.ts'
import * as alerts from '../../src/db/alert.ts'
import { noteAllUnwritten } from '../../src/db/optOut/alert.ts'
import { retry } from '../../src/db/optOut/read.ts'
import { wakeOpen } from '../../src/db/optOut/wake.ts'
import * as t from '../../src/db/schema.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openOptOuts } from '../support/optOut.ts'
import { openPeople, type People } from '../sync/people.ts'

let fairlead: Fairlead
let crm: People
let optOuts: ReturnType<typeof openOptOuts>

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 300, contacts: 20, environment: { CRM_TIMEOUT_MS: '1000' } })
  crm = openPeople(fairlead)
  optOuts = openOptOuts(fairlead)
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => void crm.takeWrites())
afterEach(() => {
  crm.control.clearFaults()
  crm.control.settings({ latencyMs: 0 })
})

let made = 0
const mail = (name: string): string => `${name}.${(made += 1)}@optout.example`
const add = (entity: CrmEntity, email: string, values: Record<string, unknown> = {}): string =>
  crm.add(entity, { Email: email, LastName: 'Person', DoNotEmail: false, DoNotSolicit: false, ...values })
const flag = (id: string): unknown => crm.everybody().get(id)?.['DoNotEmail']

describe('R34: an opt-out', () => {
  test('reaches every lead and contact with the address in any case, and each answer of the CRM is kept', async () => {
    const email = mail('all')
    const contact = add('contact', email.toUpperCase())
    const lead = add('lead', ` ${email} `)
    const already = add('lead', email, { DoNotEmail: true })
    const other = add('lead', mail('other'))
    await optOuts.out(email)
    const { results, code, settledAt } = await optOuts.reaches(email, 'written')
    expect([flag(contact), flag(lead), flag(already), flag(other)]).toEqual([true, true, true, false])
    const told = Object.fromEntries(results.map(({ entity, id, wrote }) => [id, [entity, wrote]]))
    expect(told).toEqual({ [contact]: ['contact', true], [lead]: ['lead', true], [already]: ['lead', false] })
    expect(results.every(({ at }) => Date.now() - Date.parse(at) < 60_000)).toBe(true)
    expect([code, settledAt]).toEqual([null, expect.any(Date)])
    expect(crm.takeWrites()).toHaveLength(2)
    await optOuts.out(email)
    expect(await optOuts.of(email)).toHaveLength(1)
  })

  test('of an address that nobody in the CRM has is written all the same, with nobody', async () => {
    const email = mail('nobody')
    await optOuts.out(email)
    expect(await optOuts.reaches(email, 'written')).toMatchObject({ results: [], code: null })
  })

  test.for([
    ['bounced', 'api', false],
    ['manual', 'admin', false],
    ['manual', 'person', true],
    ['complained', 'person', true],
    ['unsubscribed', 'api', true],
  ] as const)('%s said by %s goes to the CRM: %s', async ([reason, source, goes]) => {
    const email = mail('reason')
    await optOuts.out(email, reason, source)
    expect(await optOuts.of(email)).toHaveLength(goes ? 1 : 0)
  })

  test('after a bounce of the same source still goes to the CRM', async () => {
    const email = mail('bounce')
    await optOuts.out(email, 'bounced', 'api')
    await optOuts.out(email, 'optedOut', 'api')
    expect(await optOuts.of(email)).toHaveLength(1)
  })
})

test('of two that came for one address at the same moment the last one holds', async () => {
  const email = mail('moment')
  const lead = add('lead', email)
  const emailKey = emailKeyOf(await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId), email)!
  const [connection] = await fairlead.db.select().from(t.connections)
  const row = { accountId: fairlead.accountId, connectionId: connection!.id, emailKey, email }
  await fairlead.db.transaction(async (tx) => {
    await tx.insert(t.optOuts).values([false, true].map((doNotEmail) => ({ ...row, doNotEmail })))
    await wakeOpen(tx, fairlead.accountId)
  })
  expect(await optOuts.reaches(email, 'written')).toMatchObject({ results: [{ id: lead, wrote: true }] })
  expect((await optOuts.of(email)).map(({ state }) => state)).toEqual(['superseded', 'written'])
})

describe('R34: the way back', () => {
  test('the person’s new consent ends their opt-out and is written as false', async () => {
    const email = mail('back')
    const lead = add('lead', email)
    await optOuts.out(email)
    await optOuts.out(email, 'bounced', 'api')
    await optOuts.reaches(email, 'written')
    expect(await optOuts.consent(email)).toHaveLength(1)
    await optOuts.reaches(email, 'written')
    expect(flag(lead)).toBe(false)
    const rows = await optOuts.of(email)
    expect(rows.map(({ doNotEmail, results }) => [doNotEmail, results[0]?.wrote])).toEqual([
      [true, true],
      [false, true],
    ])
    const left = (await optOuts.suppressions(email)).filter(({ liftedAt }) => liftedAt === null)
    expect(left.map(({ reason }) => reason)).toEqual(['bounced'])
  })

  test('an administrator’s decision stays with the person’s consent, and ends with an administrator’s', async () => {
    const email = mail('admin')
    await optOuts.out(email, 'manual', 'admin')
    expect(await optOuts.consent(email)).toEqual([])
    expect(await optOuts.consent(email, 'admin')).toHaveLength(1)
    expect(await optOuts.of(email)).toEqual([])
  })

  test('what is contrary and came later supersedes what is not written yet', async () => {
    const email = mail('twice')
    const lead = add('lead', email)
    crm.control.addFault({ kind: 'unavailable' })
    await optOuts.out(email)
    await optOuts.consent(email)
    await optOuts.out(email)
    crm.control.clearFaults()
    await optOuts.reaches(email, 'written')
    expect((await optOuts.of(email)).map(({ state }) => state)).toEqual(['superseded', 'superseded', 'written'])
    expect(flag(lead)).toBe(true)
  })
})

describe('R21: an opt-out waits, and is not lost', () => {
  test('while the CRM is down, and says so', async () => {
    const email = mail('down')
    const lead = add('lead', email)
    crm.control.addFault({ kind: 'unavailable' })
    await optOuts.out(email)
    await optOuts.reaches(email, 'waiting')
    crm.control.clearFaults()
    await optOuts.reaches(email, 'written')
    expect(flag(lead)).toBe(true)
  })

  test('C4: while the login is refused, and goes on when it was reconfirmed', async () => {
    const email = mail('held')
    const lead = add('lead', email)
    crm.control.addFault({ kind: 'expired' })
    await optOuts.out(email)
    expect(await optOuts.reaches(email, 'held')).toMatchObject({ code: 'passwordExpired' })
    crm.control.clearFaults()
    await fairlead.connect()
    await optOuts.reaches(email, 'written')
    expect(flag(lead)).toBe(true)
  })

  test('sixty at once are all written', async () => {
    const emails = Array.from({ length: 60 }, () => mail('many'))
    const ids = emails.map((email) => add('lead', email))
    await Promise.all(emails.map((email) => optOuts.out(email)))
    for (const email of emails) await optOuts.reaches(email, 'written')
    expect(ids.map(flag).every((each) => each === true)).toBe(true)
  }, 60_000)
})

test('R21: somebody about whom the CRM never answers holds nobody else up, and is written once it does', async () => {
  const email = mail('dropped')
  const lead = add('lead', email)
  crm.control.addFault({ kind: 'drop', match: { method: 'PUT', contains: lead } })
  await optOuts.out(email)
  await until('it was tried twice', async () => (await optOuts.of(email))[0]!.tries >= 2)
  const others = Array.from({ length: 12 }, () => mail('served'))
  const ids = others.map((each) => add('lead', each))
  await Promise.all(others.map((each) => optOuts.out(each)))
  for (const each of others) await optOuts.reaches(each, 'written')
  expect(ids.map(flag)).toEqual(ids.map(() => true))
  expect((await optOuts.of(email))[0]).toMatchObject({ state: 'waiting', code: 'crmUnreachable' })
  crm.control.clearFaults()
  await optOuts.reaches(email, 'written')
  expect(flag(lead)).toBe(true)
}, 120_000)

test('R21: many whom the CRM fails to change do not keep it from others', async () => {
  const many = mail('many')
  for (let n = 0; n < 8; n += 1)
    crm.control.addFault({ kind: 'errorArray', status: 500, match: { method: 'PUT', contains: add('lead', many) } })
  await optOuts.out(many)
  const emails = Array.from({ length: 12 }, () => mail('failing'))
  for (const email of emails)
    crm.control.addFault({ kind: 'errorArray', status: 500, match: { method: 'PUT', contains: add('contact', email) } })
  await Promise.all(emails.map((email) => optOuts.out(email)))
  const email = mail('healthy')
  const lead = add('lead', email)
  await optOuts.out(email)
  await optOuts.reaches(email, 'written')
  expect(flag(lead)).toBe(true)
  crm.control.clearFaults()
  for (const each of [many, ...emails]) await optOuts.reaches(each, 'written')
}, 180_000)

test('R22, R34: an opt-out of an address that somebody has who does not come is not called written', async () => {
  const email = mail('hidden')
  const [lead, contact] = [add('lead', email), add('contact', email)]
  const bad = add('contact', email)
  crm.control.addFault({ kind: 'poison', ids: [bad] })
  await optOuts.out(email)
  const waiting = await until('those who come are written', async () => {
    const [row] = await optOuts.of(email)
    return row?.code === 'unreadableRecord' ? row : undefined
  })
  expect(waiting.state).toBe('waiting')
  expect([flag(lead), flag(contact), flag(bad)]).toEqual([true, true, false])
  crm.control.clearFaults()
  await optOuts.reaches(email, 'written')
  expect(flag(bad)).toBe(true)
})

test('R22: somebody whom the CRM refuses to change is shown with its words, the others are written, and a retry heals it', async () => {
  const email = mail('refused')
  const lead = add('lead', email)
  const contact = add('contact', email)
  crm.control.addFault({ kind: 'errorArray', status: 400, match: { method: 'PUT', kind: 'leads' } })
  await optOuts.out(email)
  const refused = await optOuts.reaches(email, 'rejected')
  expect(refused.crm).toMatchObject({ message: expect.any(String) })
  expect([flag(contact), flag(lead)]).toEqual([true, false])

  const { db, accountId } = fairlead
  const kind = 'optOutsUnwritten'
  const told = async () => {
    const all = await alerts.page(db, accountId, { limit: 10 })
    return all.map(alerts.shownOf).filter((each) => each.kind === kind)
  }
  const alert = await until('it is told', async () => (await told())[0])
  const { connectionId } = refused
  const subject = { type: 'connection', id: connectionId, name: null }
  expect(alert).toMatchObject({ kind, state: 'open', subject, details: { refused: 1, late: 0 } })
  expect(JSON.stringify(alert)).not.toContain(email)
  crm.control.clearFaults()
  const [suppression] = await optOuts.suppressions(email)
  await retry(db, accountId, suppression!.id, operator)
  await optOuts.reaches(email, 'written')
  expect(flag(lead)).toBe(true)
  await noteAllUnwritten(db)
  expect(await told()).toMatchObject([{ kind, state: 'resolved' }])

  // as if the CRM had been away for two days
  const setBack = (state: string) => db.$client`
    update opt_outs set state = ${state}, due_at = now() + interval '1 day', created_at = now() - interval '2 days' where id = ${refused.id}`
  await setBack('held')
  await noteAllUnwritten(db)
  expect((await told())[0]).toMatchObject({ kind, state: 'open', details: { refused: 0, late: 1 } })
  await setBack('written')
  await noteAllUnwritten(db)
  expect((await told()).map(({ state }) => state)).toEqual(['resolved', 'resolved'])
})
