import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as accounts from '../src/db/account.ts'
import * as connections from '../src/db/connection.ts'
import * as imports from '../src/db/import.ts'
import { rejectUnreadable } from '../src/db/run/record.ts'
import * as runs from '../src/db/run/state.ts'
import type { housekeeping } from '../src/workflows/housekeeping.ts'
import { ensureHousekeeping } from '../src/temporal/schedules.ts'
import { recoverRuns } from '../src/wiring.ts'
import { addConnection, addList, addRun } from './api/rows.ts'
import { differences } from './support/compare.ts'
import { alertCause } from '../src/domain/alert.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'

let fairlead: Fairlead
let listId: string
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 1200, contacts: 300, maxPage: 100 })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead'))).listId!
}, 60_000)
afterAll(() => fairlead.close())

type Done = Awaited<ReturnType<typeof housekeeping>>
/** One round of what the schedule does every hour. */
const housekeep = async (): Promise<Done> => {
  const workflowId = `housekeeping-${randomBytes(4).toString('hex')}`
  await fairlead.wiring.flows.start('housekeeping', workflowId)
  return fairlead.wiring.flows.client.workflow.getHandle<typeof housekeeping>(workflowId).result()
}
const connection = () => connections.findActive(fairlead.db, fairlead.accountId)

describe('O6: expiry', () => {
  test('entries go 90 days after they were made or renewed last; runs stay for ever', async () => {
    const sql = fairlead.db.$client
    const runOf = async (age: string): Promise<string> => {
      const [run] = await sql<[{ id: string }]>`
        insert into runs (id, account_id, kind, state, trigger, list_id, workflow_id, queued_at, finished_at)
        values (uuidv7(-${age}::interval), ${fairlead.accountId}, 'sync', 'succeeded', 'api', ${listId}, 'sync:old', now() - ${age}::interval, now() - ${age}::interval)
        returning id`
      return run.id
    }
    const [first, second] = [await runOf('91 days'), await runOf('1 hour')]
    const target = { accountId: fairlead.accountId, listId, entity: 'lead' as const }
    const reject = (runId: string, ids: string[]) =>
      rejectUnreadable(
        sql,
        target,
        runId,
        'pull',
        ids.map((id) => ({ id, crm: { status: 500 } })),
      )
    await reject(first, ['over', 'young', 'renewed'])
    await sql`update entries set at = now() - interval '90 days 1 minute' where list_id = ${listId}`
    await sql`update entries set at = now() - interval '89 days 23 hours' where crm_id = 'young'`
    await reject(second, ['renewed'])
    await housekeep()
    const left = await sql`select crm_id as id, times from entries where list_id = ${listId} order by id`
    expect([...left]).toEqual([
      { id: 'renewed', times: 2 },
      { id: 'young', times: 1 },
    ])
    expect(await sql`select from runs where id in ${sql([first, second])}`).toHaveLength(2)
  })

  test('edits of records go after 90 days', async () => {
    const { db, accountId } = fairlead
    const ages = ['90 days 1 minute', '89 days 23 hours']
    for (const age of ages)
      await db.$client`
        insert into edits (account_id, list_id, record_id, kind, changes, at)
        values (${accountId}, ${listId}, uuidv7(), 'edited', ${JSON.stringify({ c1: { after: age } })}::text::jsonb, now() - ${age}::interval)`
    await housekeep()
    const left = await db.$client`select changes #>> '{c1,after}' as age from edits where list_id = ${listId}`
    expect(left.map((row) => row['age'])).toEqual(['89 days 23 hours'])
  })

  test('records go 30 days after their list was removed; its run and the records of other lists stay', async () => {
    const { db, accountId } = fairlead
    const sql = db.$client
    const removedSince = async (age: string): Promise<string> => {
      const id = await addList(db, accountId, { name: age })
      await addRun(db, accountId, { listId: id })
      await sql`insert into records (account_id, list_id, fields) select ${accountId}, ${id}, '{}' from generate_series(1, 10001)`
      await sql`update lists set removed_at = now() - ${age}::interval where id = ${id}`
      return id
    }
    const [old, young] = [await removedSince('30 days 1 minute'), await removedSince('29 days 23 hours')]
    await housekeep()
    const left =
      await sql`select list_id as id, count(*)::int from records where list_id in ${sql([old, young, listId])}
      group by list_id order by count`
    expect([...left]).toEqual([
      { id: listId, count: 1200 },
      { id: young, count: 10001 },
    ])
    expect(await sql`select from runs where list_id = ${old}`).toHaveLength(1)
    await sql`delete from records where list_id = ${young}`
  })

  test('answers to idempotent requests go after a day, delivered messages after a week, undelivered ones never', async () => {
    const sql = fairlead.db.$client
    for (const age of ['23 hours', '25 hours'])
      await sql`
        insert into idempotency (account_id, key, request, status, location, body, created_at)
        values (${fairlead.accountId}, ${age}, ''::bytea, 202, '/v1/runs/gone', '{}', now() - ${age}::interval)`
    for (const [name, done] of Object.entries({ 'six days': '6 days', 'eight days': '8 days', never: null }))
      await sql`
        insert into outbox (account_id, kind, name, workflow_id, created_at, done_at)
        values (${fairlead.accountId}, 'cancel', ${name}, 'import:gone', now() - interval '30 days', now() - ${done}::interval)`
    await housekeep()
    const keys = await sql`select key from idempotency`
    expect(keys.map((row) => row['key'])).toEqual(['23 hours'])
    const messages = await sql`select name from outbox where workflow_id = 'import:gone' order by id`
    expect(messages.map((row) => row['name'])).toEqual(['six days', 'never'])
  })
})

describe('O6, R15: weekly sweeps', () => {
  const sweepsOf = async (list: string) =>
    fairlead.db.$client<{ id: string; trigger: string }[]>`
      select id, trigger from runs where list_id = ${list} and kind = 'sweep' order by id`
  const lastRead = (list: string, ago: string) =>
    fairlead.db.$client`update runs set started_at = now() - ${ago}::interval where list_id = ${list}`

  test('a list is swept a week after its last import or sweep began, not earlier, and once', async () => {
    await lastRead(listId, '6 days 23 hours')
    expect(await housekeep()).toMatchObject({ sweeps: 0 })
    await lastRead(listId, '7 days 1 minute')
    expect(await housekeep()).toMatchObject({ sweeps: 1 })
    expect(await housekeep()).toMatchObject({ sweeps: 0 })
    const [sweep, ...more] = await sweepsOf(listId)
    expect([sweep!.trigger, more]).toEqual(['system', []])
    expect(await fairlead.finished(sweep!.id)).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  })

  test('C3, C5: lists that are removed, or whose connection is off, are left alone and keep nobody else waiting', async () => {
    const { db, accountId, wiring } = fairlead
    const neighbour = async (name: string): Promise<{ id: string; list: string }> => {
      const { id } = await accounts.insert(db, wiring.secrets, { name })
      const list = await addList(db, id, { connectionId: await addConnection(db, id) })
      await addRun(db, id, { listId: list })
      await lastRead(list, '8 days')
      return { id, list }
    }
    const disabled = await neighbour('disabled')
    await connections.setEnabled(db, disabled.id, false)
    const reset = await neighbour('reset')
    await connections.reset(db, reset.id)
    const removed = await neighbour('removed')
    await db.$client`update lists set removed_at = now() where id = ${removed.list}`
    await lastRead(listId, '8 days')
    expect(await housekeep()).toMatchObject({ sweeps: 1 })
    for (const { list } of [disabled, reset, removed]) expect(await sweepsOf(list)).toEqual([])
    await fairlead.finished((await sweepsOf(listId)).at(-1)!.id)
    await connections.reset(db, removed.id)
    expect((await connection())!.accountId).toBe(accountId)
  })
})

describe('C4: the health check', () => {
  test('only notes what passes by, and forgets it when the CRM is well again', async () => {
    fairlead.simulator.control.addFault({ kind: 'htmlError', status: 502 })
    expect(await housekeep()).toMatchObject({ checked: 1, failing: 1 })
    expect(await connection()).toMatchObject({ state: 'connected', problem: { code: expect.stringMatching(/^crm/) } })
    fairlead.simulator.control.clearFaults()
    expect(await housekeep()).toMatchObject({ checked: 1, failing: 0 })
    expect(await connection()).toMatchObject({ state: 'connected', problem: null })
  })

  test('tells of a CRM that fails two checks in a row, and that it is back', async () => {
    const told = () =>
      fairlead.db.$client<{ code: string; open: boolean }[]>`
        select details ->> 'code' as code, resolved_at is null as open from alerts where kind = 'connectionBroken'`
    fairlead.simulator.control.addFault({ kind: 'htmlError', status: 502 })
    await housekeep()
    await housekeep()
    expect(await told(), 'a check that is repeated at once is none of its own').toHaveLength(0)
    await fairlead.db.$client`
      update connections set problem = problem || jsonb_build_object('at', now() - interval '1 hour')`
    await housekeep()
    const { problem } = (await connection())!
    expect(await told()).toEqual([{ code: problem!.code, open: true }])
    const { message } = alertCause('connectionBroken', { code: problem!.code })
    expect(message).toMatch(/^The CRM failed two health checks.* The CRM /)
    fairlead.simulator.control.clearFaults()
    await housekeep()
    expect(await told()).toMatchObject([{ open: false }])
  })

  test('asks for the login to be reconfirmed when it is refused, and then does not try it again', async () => {
    const { control } = fairlead.simulator
    control.setUser({ username: 'admin', password: 'changed' })
    control.resetGauges()
    expect(await housekeep()).toMatchObject({ checked: 1, failing: 1 })
    expect(await connection()).toMatchObject({ state: 'needsReconfirm', problem: { code: 'loginRefused' } })
    const tried = control.journal().filter(({ status, user }) => status === 401 && user !== null)
    expect(tried, 'accounts get locked by wrong passwords').toHaveLength(1)
    const { requests } = control.gauges()
    await fairlead.db.$client`update runs set started_at = now() - interval '8 days' where list_id = ${listId}`
    expect(await housekeep()).toMatchObject({ checked: 0, sweeps: 0 })
    expect(control.gauges().requests).toBe(requests)
    expect(await fairlead.connect({ password: 'changed' })).toMatchObject({ state: 'connected', problem: null })
  })
})

test('O6: the schedule is made once however many workers start, made again when it was deleted, and does its work', async () => {
  const { flows } = fairlead.wiring
  const handle = flows.client.schedule.getHandle(`${flows.taskQueue}-housekeeping`)
  await Promise.all([1, 2, 3, 4].map(() => ensureHousekeeping(flows)))
  const { info, spec, policies } = await handle.describe()
  expect([spec.intervals, policies.overlap]).toEqual([[expect.objectContaining({ every: 3_600_000 })], 'SKIP'])
  await ensureHousekeeping(flows)
  expect((await handle.describe()).info.createdAt).toEqual(info.createdAt)
  await handle.delete()
  await ensureHousekeeping(flows)
  await handle.trigger()
  const action = await until('the schedule has fired', async () => (await handle.describe()).info.recentActions[0])
  const done = await flows.client.workflow.getHandle(action.action.workflow.workflowId).result()
  expect(done).toMatchObject({ checked: 1, failing: 0 })
})

describe('I5: a run whose workflow is gone', () => {
  test('goes on where it was when a worker looks after it, and ends balanced; one that works is left alone', async () => {
    const { db, accountId, simulator, wiring } = fairlead
    simulator.control.settings({ latencyMs: 150 })
    const runId = await fairlead.startImport('contact')
    const stored = async () => (await db.$client`select from lanes where run_id = ${runId} and pages > 0`).length > 0
    await until('a page is stored', stored)
    const handle = wiring.flows.client.workflow.getHandle(`import:${runId}`)
    const execution = (await handle.describe()).runId
    await recoverRuns(wiring)
    expect((await handle.describe()).runId).toBe(execution)
    await handle.terminate('by hand')
    simulator.control.settings({ latencyMs: 0 })
    expect((await runs.get(db, accountId, runId)).state).toBe('running')
    await recoverRuns(wiring)
    const run = await fairlead.finished(runId)
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, listTotal: 300 } })
    expect(await differences(fairlead, run.listId!, 'contact')).toEqual([])
  })

  test('is started when the engine lost it before it began', async () => {
    const { db, accountId, wiring } = fairlead
    const { runId } = await imports.request(db, accountId, { entity: 'contact', fields: [], newList: true })
    await recoverRuns(wiring)
    expect((await runs.get(db, accountId, runId)).state, 'the outbox still holds its start').toBe('queued')
    await db.$client`update outbox set done_at = now() where workflow_id = ${`import:${runId}`}`
    await recoverRuns(wiring)
    expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded' })
  })
})
