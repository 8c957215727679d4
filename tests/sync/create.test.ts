import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Fault } from '../../src/simulator/faults.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, expectOneLeadEach, newPeople } from '../support/push.ts'
import { openDatabase, type Database, type Sql } from '../../src/db/database.ts'
import { request } from '../../src/db/sync/request.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

/** Twice the time-out and what the CRM may be late: so long after sending nobody is searched for or created. */
const waitMs = 2 * 1000 + 1500
let fairlead: Fairlead
let leads: TestList
let more: TestList
/** for what tests keep from everybody else */
let holder: Database

const openAs = async (newList: boolean): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company'], newList))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true })
  return list
}

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1500' }
  fairlead = await openFairlead({ leads: 60, contacts: 20, environment })
  await fairlead.connect()
  holder = openDatabase(fairlead.environment['DATABASE_URL']!, { max: 4 })
  leads = await openAs(false)
  more = await openAs(true)
}, 60_000)
afterEach(() => {
  fairlead.simulator.control.clearFaults()
  fairlead.simulator.control.settings({ latencyMs: 0 })
})
afterAll(async () => {
  await holder.$client.end()
  await fairlead.close()
})

const onCreate = { method: 'POST', kind: 'leads' }
let tags = 0
const unknownPeople = (count: number) => newPeople(count, `create${(tags += 1)}`)

describe('R7: a create without an answer makes one lead, not two', () => {
  test.each<[string, Fault, number]>([
    ['the connection is dropped after the CRM stored it', { kind: 'dropAfterWrite' }, 0],
    ['the CRM stores it and does not answer', { kind: 'hangAfterWrite' }, 0],
    ['the CRM stores it long after the time-out', { kind: 'lateWrite', ms: waitMs - 600, answer: 'hang' }, 0],
    [
      'the connection is dropped and the CRM stores it much later',
      { kind: 'lateWrite', ms: waitMs - 600, answer: 'drop' },
      0,
    ],
    ['the CRM never sees it', { kind: 'hang' }, 3],
  ])('%s', async (_, fault, again) => {
    const people = unknownPeople(8)
    await addAll(leads, people)
    fairlead.simulator.control.addFault({ ...fault, times: 3, after: 2, match: onCreate })
    const before = createsAt(fairlead)
    const run = await leads.run()
    await expectOneLeadEach(fairlead, [leads], people)
    expect(createsAt(fairlead) - before).toBe(people.length + again)
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(run.counts!['push']).toMatchObject({ read: 8, created: 8, skipped: 0, rejected: 0 })
    expect(sumsAgree(run)).toBe(true)
    const next = await leads.run()
    expect(next.counts!['push']).toMatchObject({ read: 0 })
  })
})

test('R7, R21: who is created at the last try, without an answer, is found; who never is, is rejected', async () => {
  const people = unknownPeople(1)
  await addAll(leads, people)
  fairlead.simulator.control.addFault({ kind: 'drop', times: 4, match: onCreate })
  fairlead.simulator.control.addFault({ kind: 'dropAfterWrite', after: 4, times: 1, match: onCreate })
  expect(await leads.run()).toMatchObject({ counts: { push: { read: 1, created: 1, rejected: 0 } } })
  await expectOneLeadEach(fairlead, [leads], people)

  const never = unknownPeople(1)
  await addAll(leads, never)
  const id = fairlead.simulator.control.addFault({ kind: 'drop', match: onCreate })
  const run = await leads.run()
  expect(run.counts!['push']).toMatchObject({ read: 1, created: 0, rejected: 1 })
  expect(sumsAgree(run)).toBe(true)
  fairlead.simulator.control.clearFaults(id)
  expect(await leads.run()).toMatchObject({ counts: { push: { read: 1, created: 1 } } })
  await expectOneLeadEach(fairlead, [leads], never)
}, 180_000)

describe('R7: two lists push the same new people at once', () => {
  test.each<[string, Fault | null]>([
    ['', null],
    [', with connections that drop', { kind: 'dropAfterWrite' }],
    [', with a CRM that stores late', { kind: 'lateWrite', ms: waitMs - 600, answer: 'hang' }],
  ])('one lead is made for each address%s', async (_, fault) => {
    const people = unknownPeople(25)
    await addAll(leads, people)
    await addAll(more, people.toReversed())
    const { control } = fairlead.simulator
    control.settings({ latencyMs: 40 })
    if (fault !== null) control.addFault({ ...fault, times: 4, after: 3, match: onCreate })
    const before = createsAt(fairlead)
    const runs = await Promise.all([leads.run(), more.run()])
    await expectOneLeadEach(fairlead, [leads, more], people)
    expect(createsAt(fairlead) - before).toBe(people.length)
    for (const run of runs) {
      expect(run).toMatchObject({ state: 'succeeded', error: null })
      expect(run.counts!['push']).toMatchObject({ read: 25, rejected: 0 })
      expect(sumsAgree(run)).toBe(true)
    }
    const created = runs.map((run) => run.counts!['push']!.created)
    expect(created[0]! + created[1]!).toBe(people.length)
  })
})

/** Keeps what a statement has locked from everybody else, until the answer is called. */
const hold = (of: (sql: Sql) => Promise<unknown>): Promise<() => Promise<unknown>> =>
  new Promise((resolve, reject) => {
    const ended = holder.$client.begin(async (tx) => {
      await of(tx as unknown as Sql)
      await new Promise<void>((free) =>
        resolve(() => {
          free()
          return ended
        }),
      )
    })
    ended.catch(reject)
  })
const holdRecord = (id: string) => hold((sql) => sql`select from records where id = ${id}::uuid for update`)
/** Claims of these records wait. */
const holdClaims = async (ids: string[]) => {
  const those = ids.join()
  await holder.$client`
    insert into creations (connection_id, email_key, account_id, record_id, run_id)
    select c.id, r.email_key, r.account_id, r.id, r.id from records r join connections c on c.account_id = r.account_id
    where r.id = any(string_to_array(${those}::text, ',')::uuid[])`
  return hold(
    (sql) => sql`select from creations where record_id = any(string_to_array(${those}::text, ',')::uuid[]) for update`,
  )
}

const start = async (list: TestList): Promise<string> => {
  const { db, accountId, wiring } = fairlead
  const { runId } = await request(db, accountId, list.listId, { kind: 'sync', trigger: 'api' })
  await wiring.relay()
  return runId
}

/** So many statements like this wait for what is held. */
const waits = (count: number, like: string) => async () => {
  const [found] = await fairlead.db.$client<[{ count: number }]>`
    select count(*)::int as count from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like ${`%${like}%`}`
  return found.count === count
}

describe('R7: of two lists that both know a new lead as theirs, one counts it', () => {
  test.each([['the one that took over'], ['the one that created']])('%s, if it stores it first', async (first) => {
    const { db } = fairlead
    const people = unknownPeople(5)
    // else it pulls the lead before it looks for it
    await more.settings({ enabled: true, addNew: true }, { enabled: false })
    const [mine] = await addAll(leads, people.slice(4))
    const others = await addAll(more, people)
    const before = createsAt(fairlead)
    const freeClaims = await holdClaims(others.slice(0, 4))
    const slow = await start(more)
    await until('it has looked for all and comes to none', waits(4, 'from creations where connection_id'), 20_000)
    const [freeMine, freeOther] = [await holdRecord(mine!), await holdRecord(others[4]!)]
    const quick = await start(leads)
    await until('the lead is made, and not stored', waits(1, 'for update of r'), 20_000)
    expect(createsAt(fairlead) - before).toBe(1)
    await db.$client`update creations set sent_at = now() - interval '1 minute' where record_id = ${mine!}::uuid`
    await freeClaims()
    await until('the claim has passed to the other list', async () => {
      const [taken] = await db.$client`select from creations where record_id = ${others[4]!}::uuid`
      return taken !== undefined
    })
    const inOrder = first === 'the one that created'
    await (inOrder ? freeMine() : freeOther())
    const winner = await fairlead.finished(inOrder ? quick : slow)
    await (inOrder ? freeOther() : freeMine())
    const loser = await fairlead.finished(inOrder ? slow : quick)
    await expectOneLeadEach(fairlead, [more], people)
    await expectOneLeadEach(fairlead, [leads], people.slice(4))
    expect(createsAt(fairlead) - before).toBe(5)
    for (const run of [winner, loser]) expect([run.state, sumsAgree(run)]).toEqual(['succeeded', true])
    const made = inOrder ? [1, 4] : [5, 0]
    expect([winner, loser].map(({ counts }) => counts!['push']!.created)).toEqual(made)
    const list = inOrder ? more : leads
    const skipped = (await list.entries(loser.id)).filter(({ kind }) => kind === 'skipped')
    expect(skipped).toMatchObject([{ code: 'existsNotUpdated', phase: 'push', recordId: inOrder ? others[4] : mine }])
  })
})

test.each<[string, (ids: string[]) => Fault]>([
  ['cannot deliver', (ids) => ({ kind: 'poison', ids })],
  ['leaves out', (ids) => ({ kind: 'hiddenRows', ids, property: 'LastName' })],
])(
  'R7, R22: a person whom the CRM has and %s is never created a second time, and keeps nobody else',
  async (_, faultOf) => {
    const { control } = fairlead.simulator
    const people = unknownPeople(6)
    const hidden = people[3]!
    const [id] = control.add({
      entity: 'contact',
      values: { Email: hidden.Email.toUpperCase(), LastName: 'There' },
    }).ids
    control.addFault(faultOf([id!]))
    await addAll(leads, people)
    const before = createsAt(fairlead)
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' } })
    expect(run.counts!['push']).toMatchObject({ read: 6, created: 5, rejected: 1 })
    expect(createsAt(fairlead) - before).toBe(5)
    expect(sumsAgree(run)).toBe(true)

    control.clearFaults()
    const next = await leads.run()
    expect(next).toMatchObject({ state: 'succeeded', error: null })
    expect(createsAt(fairlead) - before).toBe(5)
    const record = (await leads.records()).find(({ values }) => String(values['Email']).toLowerCase() === hidden.Email)
    expect(record).toMatchObject({ crmEntity: 'contact', crmId: id })
  },
)
