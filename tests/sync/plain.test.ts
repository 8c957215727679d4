import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { operator } from '../../src/db/audit.ts'
import type { Run } from '../../src/db/run/state.ts'
import { requestUndo } from '../../src/db/run/undo.ts'
import { retry } from '../../src/db/run/retry.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { mapColumn, plainList } from '../support/plain.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'
import { openTimelines } from '../support/timeline.ts'
import { openPeople, type People } from './people.ts'

let fairlead: Fairlead
let crm: People

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 3, contacts: 2 })
  crm = openPeople(fairlead)
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => void crm.takeWrites())
afterEach(() => crm.control.clearFaults())

const columns = {
  Job: ['Title', 'Title'],
  Firm: ['Company', null],
  Note: null,
} satisfies Parameters<typeof plainList>[2]
let made = 0
const open = (push: Parameters<typeof plainList>[3] = {}) => plainList(fairlead, `Plain ${(made += 1)}`, columns, push)
const mail = (name: string): string => `${name}.${made}@plain.example`
const person = (name: string, more: Record<string, string> = {}) => ({
  'E-mail': mail(name),
  'First name': 'Pat',
  'Last name': name,
  Firm: 'Ltd',
  ...more,
})
const good = async (list: TestList, kind: 'sync' | 'preview' = 'sync'): Promise<Run> => {
  const run = await list.run(kind)
  expect(run).toMatchObject({ state: 'succeeded', error: null, entity: null })
  expect(sumsAgree(run)).toBe(true)
  return run
}
const push = async (list: TestList) => (await good(list)).counts!['push']!
const recordOf = async (list: TestList, id: string): Promise<Held> =>
  (await list.records()).find((each) => each.id === id)!
const zero = { created: 0, updated: 0, unchanged: 0, skipped: 0, rejected: 0 }
const bodies = () => crm.takeWrites().map(({ id, body }) => ({ id, body: JSON.parse(body) }))
const start = async ({ runId }: { runId: string }): Promise<Run> => {
  await fairlead.wiring.relay()
  return fairlead.finished(runId)
}

describe('P1: a plain list', () => {
  test('S1, S2, R3, R11: finds contacts before leads, creates who is nobody, and sends the second time nothing but what was edited', async () => {
    const list = await open()
    const contactId = crm.add('contact', { Email: mail('both'), LastName: 'both', FirstName: 'Pat', Title: 'Chief' })
    crm.add('lead', { Email: mail('both'), LastName: 'both', Company: 'Ltd' })
    const leadId = crm.add('lead', {
      Email: mail('lead').toUpperCase(),
      LastName: 'lead',
      Company: 'Ltd',
      Title: 'Old',
    })
    const both = await list.create(person('both', { Job: 'Chief', Note: 'ours alone' }))
    const lead = await list.create(person('lead', { Job: 'New' }))
    const fresh = await list.create(person('fresh', { Job: 'Boss', Note: 'ours alone' }))
    await list.create({ 'Last name': 'No address' })
    expect(await push(list)).toMatchObject({
      ...zero,
      read: 4,
      created: 1,
      updated: 1,
      unchanged: 1,
      rejected: 1,
      relinked: 2,
    })

    const linked = await Promise.all([both, lead, fresh].map((id) => recordOf(list, id)))
    const { Id: freshId } = crm.control
      .people({ entity: 'lead', count: 100, select: ['Id', 'Email'] })
      .items.find(({ Email }) => Email === mail('fresh'))!
    expect(linked).toMatchObject([
      { crmEntity: 'contact', crmId: contactId },
      { crmEntity: 'lead', crmId: leadId },
      { crmEntity: 'lead', crmId: freshId, agreed: {} },
    ])
    expect(crm.control.person('lead', freshId!)).toMatchObject({
      Email: mail('fresh'),
      FirstName: 'Pat',
      LastName: 'fresh',
      Company: 'Ltd',
      Title: 'Boss',
    })
    expect(crm.control.person('lead', leadId)).toMatchObject({ Title: 'New', FirstName: 'Pat' })
    expect(JSON.stringify(bodies())).not.toContain('ours alone')

    // nobody is looked at but the one without an address, though a contact cannot hold the company
    expect(await push(list)).toMatchObject({ ...zero, read: 1, rejected: 1 })
    expect(bodies()).toEqual([])

    await list.edit(fresh, { Job: 'Bigger boss', Note: 'still ours' })
    expect(Object.keys((await recordOf(list, fresh)).agreed)).toEqual(['Job'])
    expect(await push(list)).toMatchObject({ updated: 1, rejected: 1 })
    const writes = bodies()
    expect(writes).toMatchObject([{ id: freshId, body: { Title: 'Bigger boss' } }])
    expect(Object.keys(writes[0]!.body).filter((name) => !name.startsWith('$'))).toEqual(['Title'])
    expect((await recordOf(list, fresh)).agreed).toEqual({})
  })

  test('R1, R6: the same person three times is created once, and one record is left', async () => {
    const list = await open()
    const first = await list.create(person('thrice'))
    await list.create(person('thrice', { 'E-mail': mail('THRICE'), Job: 'Boss', Note: 'kept' }))
    await list.create(person('thrice', { 'E-mail': ` ${mail('thrice')} `, Firm: 'Other' }))
    const run = await good(list)
    expect(run.counts!['push']).toMatchObject({ created: 1, skipped: 2 })
    expect((await list.entries(run.id)).filter(({ code }) => code === 'mergedIntoRecord')).toHaveLength(2)
    const leads = crm.control
      .people({ entity: 'lead', count: 100 })
      .items.filter(({ LastName }) => LastName === 'thrice')
    expect(leads).toMatchObject([{ Title: 'Boss', Company: 'Other' }])
    const left = (await list.records()).filter(({ removed }) => !removed)
    expect(left).toMatchObject([
      { id: first, crmId: leads[0]!.Id, values: { Job: 'Boss', Firm: 'Other', Note: 'kept' } },
    ])
    await good(list)
    expect(crm.takeWrites().filter(({ id }) => id === null)).toHaveLength(1)
  })

  test('R5: adds or updates only, as it is told', async () => {
    const list = await open({ updateExisting: false })
    crm.add('lead', { Email: mail('there'), LastName: 'there', Company: 'Ltd', Title: 'Old' })
    const there = await list.create(person('there', { Job: 'New' }))
    expect(await push(list)).toMatchObject({ ...zero, read: 1, skipped: 1, relinked: 1 })
    expect(await recordOf(list, there)).toMatchObject({ crmEntity: 'lead', agreed: { Job: { n: true } } })
    expect(bodies()).toEqual([])

    // what was not ticked when it was linked has never been compared, and goes out once it is
    await list.settings(
      { enabled: true, updateExisting: true, fields: ['Job'] },
      { enabled: false, addNew: false, updateExisting: false },
    )
    await list.create(person('nobody'))
    expect(await push(list)).toMatchObject({ ...zero, read: 2, updated: 1, skipped: 1 })
    expect(bodies()).toMatchObject([{ body: { Title: 'New' } }])
  })

  test('R13: a field that the CRM changes, too, gets our edit, and the entry keeps what was there', async () => {
    const list = await open()
    const id = await list.create(person('edited', { Job: 'First' }))
    await push(list)
    const { crmId } = await recordOf(list, id)
    crm.control.edit({ entity: 'lead', id: crmId!, values: { Title: 'Theirs' } })
    await list.edit(id, { Job: 'Ours' })
    const run = await good(list)
    expect(await list.entries(run.id)).toMatchObject([{ changes: { Job: { before: 'Theirs', after: 'Ours' } } }])
    expect(crm.control.person('lead', crmId!)).toMatchObject({ Title: 'Ours' })

    const timelines = await openTimelines(fairlead)
    const events = await until('the timeline', () => timelines.read(list.listId, id).catch(() => null))
    const read = (path: string) =>
      until(path, async () => {
        const { status, body } = await timelines.call('GET', path)
        return status === 200 && body
      })
    const record = await read(`/v1/lists/${list.listId}/records/${id}`)
    const runOf = await read(`/v1/runs/${run.id}`)
    await timelines.close()
    expect(events.map(({ kind }) => kind)).toEqual(['created', 'pushed', 'edited', 'pushed'])
    // without what is kept of a person besides the columns
    expect(Object.keys(events[0]!.values!).toSorted()).toEqual(['Email', 'Firm', 'FirstName', 'Job', 'LastName'])
    expect(record).toMatchObject({ crm: { entity: 'lead', id: crmId, state: 'linked' }, fields: { Job: 'Ours' } })
    expect(runOf).toMatchObject({ segment: null, list: { id: list.listId }, balance: { balanced: true } })
  })

  test('S8: a preview writes nothing and binds the list to no CRM, and its application does what it has shown', async () => {
    const list = await open()
    crm.add('contact', { Email: mail('known'), LastName: 'known', FirstName: 'Pat', Title: 'Old' })
    await list.create(person('known', { Job: 'New' }))
    for (let twin = 0; twin < 2; twin += 1) await list.create(person('twins', { Job: `Twin ${twin}` }))
    const before = await list.records()
    const shown = await good(list, 'preview')
    expect(await list.records()).toEqual(before)
    expect(bodies()).toEqual([])
    const bound = async () => {
      const [row] = await fairlead.db.$client`select connection_id from lists where id = ${list.listId}`
      return row!['connection_id']
    }
    expect(await bound()).toBeNull()

    const run = await list.apply(shown.id)
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(await bound()).toBe(run.connectionId)
    const told = async (id: string) =>
      (await list.entries(id)).map(({ kind, code, recordId, changes }) => ({ kind, code, recordId, changes }))
    expect(await told(run.id)).toEqual(await told(shown.id))
  })

  test('S8: what a push has written is undone, and is held until somebody edits it', async () => {
    const list = await open()
    const crmId = crm.add('contact', { Email: mail('undone'), LastName: 'undone', FirstName: 'Pat', Title: 'Old' })
    const id = await list.create(person('undone', { Job: 'New' }))
    const fresh = await list.create(person('made'))
    const pushed = await good(list)
    const undone = await start(await requestUndo(fairlead.db, fairlead.accountId, pushed.id))
    expect(undone).toMatchObject({ state: 'succeeded', error: null })
    expect(undone.counts!['push']).toMatchObject({ read: 2, updated: 1, skipped: 1 })
    expect(await list.entries(undone.id)).toMatchObject([
      { recordId: id, kind: 'updated', changes: { Job: { before: 'New', after: 'Old' } } },
      { recordId: fresh, kind: 'skipped', code: 'leadNotDeleted' },
    ])
    expect(crm.control.person('contact', crmId)).toMatchObject({ Title: 'Old' })
    bodies()
    await good(list)
    expect(bodies()).toEqual([])
    await list.edit(id, { Job: 'Newer' })
    await good(list)
    expect(bodies()).toMatchObject([{ id: crmId, body: { Title: 'Newer' } }])
  })

  test('R4: asks who somebody is, where the account says so', async () => {
    const { db, accountId } = fairlead
    const list = await open()
    const ids = [1, 2].map((each) => crm.add('contact', { Email: mail('several'), LastName: `several ${each}` }))
    await list.create(person('several'))
    await accounts.update(db, accountId, { ambiguousMatch: 'hold' }, operator)
    const run = await good(list)
    await accounts.update(db, accountId, { ambiguousMatch: 'best' }, operator)
    const [entry] = await list.entries(run.id)
    expect(entry).toMatchObject({ kind: 'skipped', code: 'needsDecision' })
    expect(entry!.warnings![0]!.ids!.toSorted()).toEqual(ids.toSorted())
    // without the setting the one who changed last: nothing but the dates tells them apart, and a plain list has no column for those
    crm.control.edit({ entity: 'contact', id: ids[0]!, values: { Title: 'Later' } })
    await good(list)
    expect(await list.records()).toMatchObject([{ crmEntity: 'contact', crmId: ids[0] }])
  })

  test('R23: what was rejected is tried again by a retry', async () => {
    const list = await open()
    await list.create(person('refused'))
    crm.control.addFault({ kind: 'errorArray', status: 400, message: 'No.', match: { method: 'POST', kind: 'leads' } })
    const run = await good(list)
    expect(run.counts!['push']).toMatchObject({ read: 1, rejected: 1 })
    crm.control.clearFaults()
    const again = await start(
      await fairlead.db.transaction((tx) => retry(tx, fairlead.accountId, run.id, { code: 'crmRefused' })),
    )
    expect(again.counts!['push']).toMatchObject({ read: 1, created: 1 })
  })

  test('R15, R16: a person who is gone is marked, and one who was converted is followed', async () => {
    const list = await open()
    const gone = await list.create(person('gone'))
    const became = await list.create(person('became'))
    await push(list)
    const ids = await Promise.all([gone, became].map(async (id) => (await recordOf(list, id)).crmId!))
    crm.control.remove({ entity: 'lead', ids: [ids[0]!] })
    crm.control.convert({ leadId: ids[1]! })
    for (const id of [gone, became]) await list.edit(id, { Job: 'Late' })
    await good(list)
    expect(await recordOf(list, gone)).toMatchObject({ state: 'deletedInCrm' })
    const followed = await recordOf(list, became)
    expect(followed.crmEntity).toBe('contact')
    expect(crm.control.person('contact', followed.crmId!)).toMatchObject({ Title: 'Late' })
  })

  test('R34: keeps who wants no mail, of those who are found and of those who are made', async () => {
    const list = await open()
    crm.add('contact', { Email: mail('quiet'), LastName: 'quiet', FirstName: 'Pat', DoNotEmail: true })
    const ids = [await list.create(person('quiet', { Job: 'Boss' })), await list.create(person('loud'))]
    await push(list)
    const rows = await fairlead.db.$client<{ quiet: string }[]>`
      select fields->>'c6' as quiet from records where id = any(string_to_array(${ids.join()}, ',')::uuid[]) order by id`
    expect(rows).toEqual([{ quiet: 'true' }, { quiet: 'false' }])
  })

  test('C3: keeps the date by which its CRM is known again', async () => {
    const list = await open()
    const id = await list.create(person('dated'))
    await push(list)
    const { crmId } = await recordOf(list, id)
    const [row] = await fairlead.db.$client<{ at: string }[]>`select fields->>'c4' as at from records where id = ${id}`
    expect(Date.parse(row!.at)).toBe(Date.parse(wcf(crm.control.person('lead', crmId!)!['CreateDate'])))
  })

  test('A1: also pushes a column of an imported list that has a standard field', async () => {
    crm.add('lead', { Email: mail('mixed'), LastName: 'mixed', Company: 'Ltd' })
    const run = await fairlead.finished(await fairlead.startImport('lead', ['Company'], true))
    const { $client: sql } = fairlead.db
    await sql`
      insert into columns (account_id, list_id, key, name, type, position) values (${fairlead.accountId}, ${run.listId}, 'c99', 'Own', 'text', 99)`
    const list = await openList(fairlead, run.listId!)
    await mapColumn(fairlead, list, 'Own', ['Title', 'Title'])
    await list.settings({ enabled: true, updateExisting: true, fields: ['Own'] })
    const { id, crmId } = (await list.records()).find(({ values }) => values['Email'] === mail('mixed'))!
    await list.edit(id, { Own: 'Goes out' })
    const pushed = await list.run()
    expect(pushed.counts!['push']).toMatchObject({ read: 1, updated: 1 })
    expect(crm.control.person('lead', crmId!)).toMatchObject({ Title: 'Goes out' })
  })
})

/** The simulator keeps dates as it answers them. */
const wcf = (said: unknown): string => {
  const [, ms] = /\/Date\((-?\d+)/.exec(String(said)) ?? []
  return ms === undefined ? String(said) : new Date(Number(ms)).toISOString()
}
