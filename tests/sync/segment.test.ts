import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as previews from '../../src/db/preview.ts'
import * as runs from '../../src/db/run/state.ts'
import type { Run } from '../../src/db/run/state.ts'
import * as segments from '../../src/db/segment.ts'
import * as columns from '../../src/db/column.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { plainList, runSegment, segmentOf, startSegment } from '../support/plain.ts'
import { expectGood, openList, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

let fairlead: Fairlead
let crm: People

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  crm = openPeople(fairlead)
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => void crm.takeWrites())
afterEach(() => crm.control.clearFaults())

let made = 0
const open = (): Promise<TestList> =>
  plainList(fairlead, `People ${(made += 1)}`, { Job: ['Title', 'Title'], Firm: ['Company', null], Team: null })
const mail = (name: string): string => `${name}.${made}@segment.example`
const add = (list: TestList, name: string, team: string): Promise<string> =>
  list.create({ 'E-mail': mail(name), 'Last name': name, Firm: 'Ltd', Job: 'Boss', Team: team })
const inTeam = (team: string) => ({ column: 'Team', operator: 'is', value: team })
const good = (run: Run): Run => {
  expectGood(run)
  return run
}
const linked = async (list: TestList): Promise<string[]> =>
  (await list.records()).filter(({ crmId }) => crmId !== null).map(({ values }) => String(values['Last name']))
const membersOf = async (runId: string): Promise<number> =>
  Number((await fairlead.db.$client`select count(*) as n from run_members where run_id = ${runId}`)[0]!['n'])
/** The CRM is out of order for look-ups until this is called off, so that runs wait between their beginning and their push. */
const stall = (): void => void crm.control.addFault({ kind: 'unavailable', match: { method: 'GET', kind: 'contacts' } })
const begun = (runId: string) =>
  until('the run has begun and waits for the CRM', async () => {
    const run = await runs.get(fairlead.db, fairlead.accountId, runId)
    return run.settings.segment !== undefined && run.phase === 'push' && run.error !== null ? run : undefined
  })

describe('P2: a segment', () => {
  test('pushes exactly those who were in it when the run began, whoever joins or leaves it later', async () => {
    const list = await open()
    const [stays, leaves, removed] = await Promise.all(
      ['stays', 'leaves', 'removed'].map((name) => add(list, name, 'A')),
    )
    const joins = await add(list, 'joins', 'B')
    const segmentId = await segmentOf(fairlead, list, inTeam('A'))
    stall()
    const runId = await startSegment(fairlead, list, segmentId)
    await begun(runId)
    expect(await membersOf(runId)).toBe(3)
    await list.edit(leaves!, { Team: 'B' })
    await list.edit(joins, { Team: 'A' })
    await list.edit(stays!, { Job: 'Edited meanwhile' })
    await list.remove(removed!)
    await add(list, 'late', 'A')
    await segments.update(
      fairlead.db,
      fairlead.accountId,
      segmentId,
      { version: 1, name: 'Renamed', filter: inTeam('nobody') },
      operator,
    )
    crm.control.clearFaults()
    const run = good(await fairlead.finished(runId))
    expect(run.counts!['push']).toMatchObject({ read: 2, created: 2 })
    expect((await linked(list)).toSorted()).toEqual(['leaves', 'stays'])
    expect(run.settings.segment).toEqual({
      id: segmentId,
      name: expect.not.stringContaining('Renamed'),
      version: 1,
      members: 3,
    })
    expect(await membersOf(runId)).toBe(0)
    expect(
      crm.control.people({ entity: 'lead', count: 100 }).items.filter(({ Title }) => Title === 'Edited meanwhile'),
    ).toHaveLength(1)
  })

  test('R11, S2: goes by its own settings, and sends the second time only what changed', async () => {
    const list = await open()
    const id = await add(list, 'mine', 'A')
    const other = await add(list, 'other', 'B')
    await list.settings({ enabled: false }, { enabled: false, addNew: false, updateExisting: false })
    const segmentId = await segmentOf(fairlead, list, inTeam('A'), { fields: ['Job'] })
    expect(good(await runSegment(fairlead, list, segmentId)).counts!['push']).toMatchObject({ read: 1, created: 1 })
    crm.takeWrites()
    expect(good(await runSegment(fairlead, list, segmentId)).counts!['push']).toMatchObject({ read: 0 })
    for (const each of [id, other]) await list.edit(each, { Job: 'New', 'Last name': 'Not ticked' })
    expect(good(await runSegment(fairlead, list, segmentId)).counts!['push']).toMatchObject({ read: 1, updated: 1 })
    const writes = crm.takeWrites()
    expect(writes).toHaveLength(1)
    expect(JSON.parse(writes[0]!.body)).toMatchObject({ Title: 'New' })
    expect(writes[0]!.body).not.toContain('Not ticked')
    // the list itself pushes nothing
    expect(good(await list.run()).counts!['push']).toBeUndefined()
  })

  test('R1: whose person has a record outside of it goes into that one, which is pushed in its place', async () => {
    const list = await open()
    const outside = await add(list, 'same', 'B')
    await list.edit(outside, { Job: null })
    const all = await segmentOf(fairlead, list, inTeam('B'))
    good(await runSegment(fairlead, list, all))
    await list.create({ 'E-mail': mail('same'), 'Last name': 'same', Job: 'Newer', Team: 'A' })
    const segmentId = await segmentOf(fairlead, list, inTeam('A'), { fields: ['Job'] })
    const run = good(await runSegment(fairlead, list, segmentId))
    expect(run.counts!['push']).toMatchObject({ read: 2, updated: 1, skipped: 1 })
    expect(
      crm.control.people({ entity: 'lead', count: 100 }).items.filter(({ LastName }) => LastName === 'same'),
    ).toMatchObject([{ Title: 'Newer' }])
  })

  test('S8: a preview of it shows what the run after it does, and only the segment applies it', async () => {
    const list = await open()
    const known = crm.add('contact', { Email: mail('known'), LastName: 'known', Title: 'Old' })
    for (const name of ['known', 'fresh', 'fresh']) await add(list, name, 'A')
    await add(list, 'other', 'B')
    const segmentId = await segmentOf(fairlead, list, inTeam('A'), { fields: ['Job'] })
    const whole = await request(fairlead.db, fairlead.accountId, list.listId, { kind: 'preview', trigger: 'api' })
    const shown = good(await runSegment(fairlead, list, segmentId, { kind: 'preview' }))
    expect(shown.id).not.toBe(whole.runId)
    expect(shown.counts!['push']).toMatchObject({ created: 1, updated: 1, skipped: 1 })
    expect(await membersOf(shown.id)).toBe(0)
    good(await fairlead.finished(whole.runId))
    expect(crm.takeWrites()).toEqual([])
    const apply = (of?: string) =>
      fairlead.db.transaction((tx) => previews.apply(tx, fairlead.accountId, list.listId, shown.id, false, of))
    await expect(apply()).rejects.toMatchObject({ code: 'notAPreview' })
    const told = async (id: string) =>
      (await list.entries(id)).map(({ kind, code, recordId, changes }) => ({ kind, code, recordId, changes }))
    const { runId } = await apply(segmentId)
    await fairlead.wiring.relay()
    const run = good(await fairlead.finished(runId))
    expect(run.segmentId).toBe(segmentId)
    expect(await told(runId)).toEqual(await told(shown.id))
    expect(crm.control.person('contact', known)).toMatchObject({ Title: 'Boss' })
  })

  test('R18, R19: takes its list’s place; when it is removed its run stops, and the one that waits is cancelled', async () => {
    const list = await open()
    await add(list, 'never', 'A')
    const segmentId = await segmentOf(fairlead, list, inTeam('A'))
    stall()
    const runId = await startSegment(fairlead, list, segmentId)
    await begun(runId)
    const ask = (queue: boolean, of: string | null) =>
      request(fairlead.db, fairlead.accountId, list.listId, { kind: 'sync', trigger: 'api', segmentId: of, queue })
    expect(await ask(false, null)).toEqual({ runId, created: false })
    expect(await ask(false, segmentId)).toEqual({ runId, created: false })
    const next = await ask(true, segmentId)
    expect(next.created).toBe(true)
    expect(await ask(true, null)).toEqual({ runId: next.runId, created: false })
    await segments.remove(fairlead.db, fairlead.accountId, segmentId, operator)
    await runs.cancelAll(fairlead.db, fairlead.accountId, { segmentId })
    for (const id of [runId, next.runId]) expect(await fairlead.finished(id)).toMatchObject({ state: 'cancelled' })
    crm.control.clearFaults()
    expect(await linked(list)).toEqual([])
    expect(await membersOf(runId)).toBe(0)
    await expect(startSegment(fairlead, list, segmentId)).rejects.toMatchObject({ code: 'notFound' })
  })

  test('with a filter that fits no more ends its run with the place that is to be mended', async () => {
    const list = await open()
    const segmentId = await segmentOf(fairlead, list, inTeam('A'))
    const all = await columns.all(fairlead.db, fairlead.accountId, list.listId)
    const team = all.find(({ key }) => key === list.keyOf('Team'))!
    await columns.remove(fairlead.db, fairlead.accountId, list.listId, team.id, operator)
    const run = await runSegment(fairlead, list, segmentId)
    expect(run).toMatchObject({
      state: 'incomplete',
      error: { code: 'segmentBroken', detail: expect.stringContaining('Team') },
    })
  })

  test('R23: tries those in quarantine that are in it, and leaves the others there', async () => {
    const list = await open()
    const refuse = () =>
      crm.control.addFault({
        kind: 'errorArray',
        status: 400,
        message: 'No.',
        match: { method: 'POST', kind: 'leads' },
      })
    for (const [name, team] of [
      ['one', 'A'],
      ['two', 'A'],
      ['three', 'B'],
    ] as const)
      await add(list, name, team)
    refuse()
    for (let times = 0; times < 3; times += 1) await list.run()
    const parked = () => fairlead.db.$client`select from parked_records where list_id = ${list.listId}`
    expect((await parked()).length).toBe(3)
    const { push } = await settingsOf(list)
    const segmentId = await segmentOf(fairlead, list, inTeam('A'), { ...push, fields: push.fields })
    const run = await runSegment(fairlead, list, segmentId)
    expect(run.counts!['push']).toMatchObject({ read: 1, rejected: 1 })
    expect(run.warnings).toMatchObject([{ code: 'parked', count: 1 }])
    crm.control.clearFaults()
    good(await runSegment(fairlead, list, segmentId))
    expect((await linked(list)).toSorted()).toEqual(['one', 'two'])
  })

  test('R23: leaves alone what its list has parked, but for one of each cause, and the list what it has', async () => {
    const list = await open()
    for (const name of ['one', 'two', 'three', 'four']) await add(list, name, 'A')
    crm.control.addFault({ kind: 'errorArray', status: 400, message: 'No.', match: { method: 'POST', kind: 'leads' } })
    const segmentId = await segmentOf(fairlead, list, inTeam('A'), { fields: ['Job'] })
    const read = async (run: Promise<Run>) => (await run).counts!['push']!.read
    const reads: number[] = []
    for (let times = 0; times < 3; times += 1) reads.push(await read(list.run()))
    for (let times = 0; times < 2; times += 1)
      reads.push(await read(runSegment(fairlead, list, segmentId)), await read(list.run()))
    expect(reads).toEqual([4, 4, 4, 1, 1, 1, 1])
    // settings that change are seen by the next run that goes by them: two that it was parked by, and one of those that the segment parked
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Firm'] }, { enabled: false })
    expect(await read(list.run())).toBe(2 + 1)
    crm.control.clearFaults()
    expect(good(await runSegment(fairlead, list, segmentId)).counts!['push']).toMatchObject({ created: 4 })
  })

  test('of an imported list pushes beside its pull, and what it wrote is no change for the list', async () => {
    const id = crm.add('lead', { Email: mail('imported'), LastName: 'imported', Company: 'Ltd', Title: 'Old' })
    const imported = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company'], true))
    const list = await openList(fairlead, imported.listId!)
    const record = (await list.records()).find(({ crmId }) => crmId === id)!
    await list.edit(record.id, { Title: 'New' })
    const filter = { column: 'LastName', operator: 'is', value: 'imported' }
    const segmentId = await segmentOf(fairlead, list, filter, { fields: ['Title'] })
    expect(good(await runSegment(fairlead, list, segmentId)).counts).toMatchObject({ push: { read: 1, updated: 1 } })
    expect(crm.control.person('lead', id)).toMatchObject({ Title: 'New' })
    const run = good(await list.run())
    expect(run.counts!['pull']).toMatchObject({ updated: 0 })
  })
})

const settingsOf = async (list: TestList) => {
  const [row] = await fairlead.db.$client<{ push: { fields: string[] } }[]>`
    select push from sync_settings where holder_id = ${list.listId}`
  return row!
}
