import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as quarantine from '../../src/db/quarantine.ts'
import * as entryRows from '../../src/db/run/entry.ts'
import { retry, type Retried } from '../../src/db/run/retry.ts'
import * as runs from '../../src/db/run/state.ts'
import { requestUndo } from '../../src/db/run/undo.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, newPeople } from '../support/push.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

type Run = runs.Run

let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
afterEach(() => {
  control().clearFaults()
  control().settings({ required })
})

const control = () => fairlead.simulator.control
const required = { Lead: ['LastName', 'Company'], Contact: ['LastName', 'Account'] }

const freshList = async (): Promise<TestList> => {
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title', 'WorkPhone'], true))
  const list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone'] })
  return list
}
const groups = (list: TestList) =>
  quarantine.pageGroups(fairlead.db, fairlead.accountId, { listId: list.listId, limit: 10 })
/** A run whose sums agree, and how many new leads it asked the CRM for. */
const push = async (list: TestList): Promise<{ run: Run; asked: number; counts: Record<string, number> }> => {
  const before = createsAt(fairlead)
  const run = await list.run()
  expect(sumsAgree(run)).toBe(true)
  const { read, created, rejected } = run.counts!['push']!
  return { run, asked: createsAt(fairlead) - before, counts: { read, created, rejected } }
}
const refuseLeads = () =>
  control().addFault({
    kind: 'errorArray',
    status: 400,
    message: 'Not today.',
    match: { method: 'POST', kind: 'leads' },
  })
const timesOf = async (list: TestList, run: Run): Promise<number[]> =>
  (await list.entries(run.id)).map(({ times }) => times)

describe('R23: 200 records that are rejected for one cause', () => {
  test('are parked after three runs, tried by one of them, and pushed by the run after the CRM was mended where nobody can see it', async () => {
    const list = await freshList()
    await addAll(list, newPeople(200, 'unseen'))
    refuseLeads()
    for (const times of [1, 2, 3]) {
      const { run, asked, counts } = await push(list)
      expect({ asked, ...counts }).toEqual({ asked: 200, read: 200, created: 0, rejected: 200 })
      expect(new Set(await timesOf(list, run))).toEqual(new Set([times]))
    }
    const [group, ...others] = await groups(list)
    expect(others).toEqual([])
    expect(group).toMatchObject({ code: 'crmRefused', count: 200, said: { message: 'Not today.' } })
    const fourth = await push(list)
    expect({ asked: fourth.asked, ...fourth.counts }).toEqual({ asked: 1, read: 1, created: 0, rejected: 1 })
    expect(fourth.run.warnings).toMatchObject([{ code: 'parked', count: 199 }])
    expect((await groups(list))[0]).toMatchObject({ count: 200 })
    control().clearFaults()
    const fifth = await push(list)
    expect(fifth.counts).toEqual({ read: 200, created: 200, rejected: 0 })
    expect(fifth.run.warnings).toEqual([])
    expect(await groups(list)).toEqual([])
    expect((await push(list)).counts).toEqual({ read: 0, created: 0, rejected: 0 })
  }, 60_000)

  test('are pushed by the run after a required field was made optional', async () => {
    const list = await freshList()
    for (const { Company: _, ...person } of newPeople(20, 'optional')) await list.create(person)
    for (const _ of [1, 2, 3]) expect((await push(list)).counts).toEqual({ read: 20, created: 0, rejected: 20 })
    expect(await groups(list)).toMatchObject([{ code: 'requiredMissing', detail: 'Company', count: 20 }])
    expect((await push(list)).counts).toEqual({ read: 1, created: 0, rejected: 1 })
    control().settings({ required: { ...required, Lead: ['LastName'] } })
    const mended = await push(list)
    expect(mended.counts).toEqual({ read: 20, created: 20, rejected: 0 })
    expect(mended.run.warnings).toEqual([])
    expect(await groups(list)).toEqual([])
  })
})

test('R23: a parked record is tried again when it was edited, its settings changed, or by hand; and each cause by one in turn', async () => {
  const list = await freshList()
  const ids = await addAll(list, newPeople(4, 'again'))
  const parkedIds = async () =>
    (await fairlead.db.$client`select from parked_records where list_id = ${list.listId}`).length
  refuseLeads()
  for (const _ of [1, 2, 3]) await list.run()
  expect(await groups(list)).toMatchObject([{ count: 4 }])

  await list.edit(ids[2]!, { Title: 'Edited' })
  expect(await groups(list)).toMatchObject([{ count: 3 }])
  expect((await push(list)).counts).toMatchObject({ read: 2, rejected: 2 })
  // once for each change; then it is parked again
  expect(await groups(list)).toMatchObject([{ count: 4 }])

  await list.remove(ids[3]!)
  expect(await groups(list)).toMatchObject([{ count: 3 }])
  const tried: (string | null)[] = []
  for (const _ of [1, 2, 3])
    tried.push(...(await list.entries((await push(list)).run.id)).map(({ recordId }) => recordId))
  expect([tried.length, new Set(tried)]).toEqual([3, new Set(ids.slice(0, 3))])
  expect(await parkedIds()).toBe(3)

  await list.settings({ enabled: true, addNew: true, newLeadDefaults: { Title: 'Guest' } })
  expect((await push(list)).counts).toMatchObject({ read: 3, rejected: 3 })
  expect(await groups(list)).toMatchObject([{ count: 3 }])

  const chosen = { listId: list.listId, code: 'crmRefused', recordIds: ids.slice(0, 2) }
  expect(await quarantine.releaseBy(fairlead.db, fairlead.accountId, chosen, operator)).toBe(2)
  control().clearFaults()
  // what was released goes through, and so does the one that is left: it is tried for its cause
  expect((await push(list)).counts).toEqual({ read: 3, created: 3, rejected: 0 })
  expect(await parkedIds()).toBe(0)
})

test('S8: a preview leaves parked records out and says how many; the application tries none of them', async () => {
  const list = await freshList()
  const ids = await addAll(list, newPeople(3, 'shown'))
  refuseLeads()
  for (const _ of [1, 2, 3]) await list.run()
  const parked = await groups(list)
  expect(parked).toMatchObject([{ count: 3 }])
  const shown = await list.run('preview')
  expect(shown.counts!['push']).toMatchObject({ read: 0 })
  expect(shown.warnings).toMatchObject([{ code: 'parked', count: 3 }])
  // one that changed is shown, and is tried by the next push, too
  await list.edit(ids[1]!, { Title: 'Edited' })
  const again = await list.run('preview')
  expect(await list.entries(again.id)).toMatchObject([{ kind: 'created', recordId: ids[1] }])
  expect(again.warnings).toMatchObject([{ code: 'parked', count: 2 }])
  control().clearFaults()
  expect((await list.apply(again.id)).counts!['push']).toMatchObject({ read: 1, created: 1 })
  expect(await groups(list)).toMatchObject([{ count: 2 }])
})

test('R23: another cause is another entry, and what lies between does not count', async () => {
  const list = await freshList()
  await addAll(list, newPeople(1, 'causes'))
  const refuse = (sdataCode: string): string =>
    control().addFault({ kind: 'errorArray', status: 400, sdataCode, match: { method: 'POST', kind: 'leads' } })
  for (const sdataCode of ['BadValue', 'BadName', 'BadName', 'sweep', 'BadName']) {
    if (sdataCode === 'sweep') {
      expect(await groups(list)).toEqual([])
      await list.run('sweep')
      continue
    }
    control().clearFaults()
    refuse(sdataCode)
    await list.run()
  }
  expect(await groups(list)).toMatchObject([{ code: 'crmRefused', detail: 'BadName', count: 1 }])
})

describe('R23: a retry', () => {
  const again = async (list: TestList, of: Run, asked: Retried): Promise<Run> => {
    const { runId } = await fairlead.db.transaction((tx) => retry(tx, fairlead.accountId, of.id, asked))
    await fairlead.wiring.relay()
    const run = await fairlead.finished(runId)
    expect(sumsAgree(run)).toBe(true)
    return run
  }
  const entriesOf = (run: Run) =>
    fairlead.db.$client<{ id: string; recordId: string }[]>`
      select id::text, record_id::text as "recordId" from entries where last_run_id = ${run.id} order by id`
  const markOf = async ({ listId }: TestList) => {
    const [row] = await fairlead.db.$client<[{ mark: Date; late: number }]>`
      select mark, (select count(*)::int from late_rows where list_id = ${listId}) as late from lists where id = ${listId}`
    return row
  }

  test('tries chosen entries and nothing else, then a whole code; they leave the quarantine, and the mark stays', async () => {
    const list = await freshList()
    const ids = await addAll(list, newPeople(4, 'retry'))
    refuseLeads()
    let run = await list.run()
    for (const _ of [1, 2]) run = await list.run()
    const mark = await markOf(list)
    await list.create({ Email: 'bystander@new.example', LastName: 'Bystander', Company: 'Ltd' })
    control().add({ entity: 'lead', values: { LastName: 'Not read', Company: 'Ltd' } })
    control().clearFaults()
    const chosen = (await entriesOf(run)).filter(({ recordId }) => ids.indexOf(recordId) < 2)
    const some = await again(list, run, { entryIds: chosen.map(({ id }) => id) })
    expect(some).toMatchObject({ state: 'succeeded', settings: { source: { runId: run.id, as: 'retry' } } })
    expect(some.counts).toMatchObject({ pull: { read: 0 }, push: { read: 2, created: 2 } })
    expect(await groups(list)).toMatchObject([{ count: 2 }])
    const rest = await again(list, run, { code: 'crmRefused' })
    expect(rest.counts!['push']).toMatchObject({ read: 2, created: 2 })
    expect(await groups(list)).toEqual([])
    expect(await markOf(list)).toEqual(mark)
    await expect(again(list, rest, { code: 'crmRefused' })).rejects.toMatchObject({ code: 'nothingToRetry' })
    await expect(again(list, rest, { entryIds: [chosen[0]!.id] })).rejects.toMatchObject({ code: 'invalidInput' })
    // both sides' news waited for the next sync
    expect((await push(list)).run.counts).toMatchObject({ pull: { created: 1 }, push: { created: 1 } })
  })

  test('that goes wrong again is counted, and parks at once what was parked; rejections of others go on counting beside it', async () => {
    const list = await freshList()
    await addAll(list, newPeople(2, 'wrong'))
    refuseLeads()
    await list.run()
    const second = await list.run()
    const [one] = await entriesOf(second)
    const retried = await again(list, second, { entryIds: [one!.id] })
    expect(await timesOf(list, retried)).toEqual([3])
    expect(await groups(list)).toMatchObject([{ count: 1 }])
    // the other one for the third time, and the probe
    expect(new Set(await timesOf(list, (await push(list)).run))).toEqual(new Set([3, 4]))
    expect(await groups(list)).toMatchObject([{ count: 2 }])
  })

  test('reads people again whom a pull could not read, by id', async () => {
    const list = await freshList()
    const add = (LastName: string) => control().add({ entity: 'lead', values: { LastName, Company: 'Ltd' } }).ids[0]!
    const [bad, good] = [add('Bad'), add('Good')]
    control().addFault({ kind: 'poison', ids: [bad] })
    const run = await list.run()
    expect(run.counts!['pull']).toMatchObject({ rejected: 1 })
    control().clearFaults()
    control().edit({ entity: 'lead', id: good, values: { Title: 'Not read' } })
    const retried = await again(list, run, { code: 'crmFailed' })
    expect(retried.counts!['pull']).toMatchObject({ read: 1, created: 1 })
    expect((await list.records()).find(({ crmId }) => crmId === bad)).toMatchObject({ values: { LastName: 'Bad' } })
    expect((await markOf(list)).late).toBe(0)
  })

  test('waits for the run that is under way, and is refused where one waits already', async () => {
    const list = await freshList()
    await addAll(list, newPeople(1, 'queue'))
    refuseLeads()
    const run = await list.run()
    const fault = control().addFault({ kind: 'slow', ms: 300, match: { kind: 'leads' } })
    const { runId: busy } = await request(fairlead.db, fairlead.accountId, list.listId, {
      kind: 'sync',
      trigger: 'api',
    })
    await fairlead.wiring.relay()
    await until('it runs', async () => (await runs.get(fairlead.db, fairlead.accountId, busy)).state === 'running')
    const ask = () => fairlead.db.transaction((tx) => retry(tx, fairlead.accountId, run.id, { code: 'crmRefused' }))
    const { runId } = await ask()
    await expect(ask()).rejects.toMatchObject({ code: 'runActive' })
    control().clearFaults(fault)
    await fairlead.finished(busy)
    expect((await fairlead.finished(runId)).counts!['push']).toMatchObject({ read: 1, rejected: 1 })
  })
})

test('R23: a preview leaves parked records out, tried before or not', async () => {
  const list = await freshList()
  await addAll(list, newPeople(3, 'hidden'))
  refuseLeads()
  for (const _ of [1, 2, 3]) await list.run()
  expect((await list.run('preview')).counts).toMatchObject({ push: { read: 0 } })
  expect((await push(list)).counts).toMatchObject({ read: 1, rejected: 1 })
  expect((await list.run('preview')).counts).toMatchObject({ push: { read: 0 } })
  expect(await groups(list)).toMatchObject([{ count: 3 }])
})

describe('R23: an undo', () => {
  const undo = async ({ id }: Run): Promise<Run> => {
    const { runId } = await requestUndo(fairlead.db, fairlead.accountId, id)
    await fairlead.wiring.relay()
    const run = await fairlead.finished(runId)
    expect(sumsAgree(run)).toBe(true)
    return run
  }
  const refuseUpdates = () =>
    control().addFault({ kind: 'errorArray', status: 400, match: { method: 'PUT', kind: 'leads' } })

  test('leaves parked what it passes by', async () => {
    const list = await freshList()
    const ids = await addAll(list, newPeople(2, 'undone'))
    const { run: made } = await push(list)
    for (const id of ids) await list.edit(id, { Title: 'Refused' })
    refuseUpdates()
    for (const _ of [1, 2, 3]) await list.run()
    expect((await undo(made)).counts).toMatchObject({ push: { read: 2, skipped: 2 } })
    expect(await groups(list)).toMatchObject([{ count: 2 }])
    expect((await push(list)).counts).toMatchObject({ read: 1, rejected: 1 })
  })

  test('has entries of its own: what it could not do counts for no cause, and what goes on beside it is not listed', async () => {
    const list = await freshList()
    const [id] = await addAll(list, newPeople(1, 'beside'))
    await list.run()
    await list.edit(id!, { Title: 'Pushed' })
    const { run: pushed } = await push(list)
    await list.edit(id!, { WorkPhone: '5' })
    refuseUpdates()
    expect(await timesOf(list, (await push(list)).run)).toEqual([1])
    const undone = await undo(pushed)
    expect(await timesOf(list, undone)).toEqual([1])
    for (const times of [2, 3]) expect(await timesOf(list, (await push(list)).run)).toEqual([times])
    expect(await groups(list)).toMatchObject([{ count: 1 }])
    const listed = await entryRows.page(fairlead.db, fairlead.accountId, { ...undone, listName: '' } as never, {
      limit: 10,
    })
    expect(listed).toMatchObject([{ kind: 'rejected', firstRunId: undone.id, lastRunId: undone.id, times: 1 }])
    expect(await entryRows.causes(fairlead.db, fairlead.accountId, undone as never)).toMatchObject([{ count: 1 }])
  })
})

test('R23: a record whose person is gone from the CRM is parked no more', async () => {
  const list = await freshList()
  const ids = await addAll(list, newPeople(2, 'gone'))
  await list.run()
  for (const id of ids) await list.edit(id, { Title: 'Refused' })
  control().addFault({ kind: 'errorArray', status: 400, match: { method: 'PUT', kind: 'leads' } })
  for (const _ of [1, 2, 3]) await list.run()
  expect(await groups(list)).toMatchObject([{ count: 2 }])
  const { crmId } = (await list.records()).find(({ id }) => id === ids[0])!
  control().remove({ entity: 'lead', ids: [crmId!] })
  await list.run('sweep')
  expect((await push(list)).counts).toMatchObject({ read: 1, rejected: 1 })
  expect(await groups(list)).toMatchObject([{ count: 1, sampleRecordIds: [ids[1]] }])
})

test('R23: a run that was cancelled before it pushed does not begin the count anew', async () => {
  const list = await freshList()
  await addAll(list, newPeople(2, 'cancelled'))
  refuseLeads()
  for (const _ of [1, 2]) await list.run()
  const fault = control().addFault({ kind: 'slow', ms: 300, match: { kind: 'leads' } })
  const asked = { kind: 'sync', trigger: 'api' } as const
  const { runId } = await request(fairlead.db, fairlead.accountId, list.listId, asked)
  await fairlead.wiring.relay()
  await until('it runs', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).state === 'running')
  await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
  control().clearFaults(fault)
  const cancelled = await fairlead.finished(runId)
  expect(cancelled).toMatchObject({ state: 'cancelled', counts: { pull: {} } })
  expect(new Set(await timesOf(list, (await push(list)).run))).toEqual(new Set([3]))
  expect(await groups(list)).toMatchObject([{ count: 2 }])
})
