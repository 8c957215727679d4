import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestUndo } from '../../src/db/run/undo.ts'
import * as runs from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import type { PushSettings } from '../../src/domain/sync.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, sumsAgree, type EntryRow, type Held, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'

let fairlead: Fairlead
let crm: People
let list: TestList

const settings: Partial<PushSettings> = {
  enabled: true,
  addNew: true,
  updateExisting: true,
  fields: ['Title', 'WorkPhone'],
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 60, contacts: 10 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone', 'CBudget', 'Company']))
  list = await openList(fairlead, run.listId!)
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(async () => {
  await list.settings(settings)
})
afterEach(() => {
  fairlead.simulator.control.clearFaults()
  fairlead.simulator.control.clearScripts()
})

const get = (runId: string) => runs.get(fairlead.db, fairlead.accountId, runId)
const good = async (kind: 'sync' | 'verify' = 'sync') => {
  const run = await list.run(kind)
  expectGood(run)
  return run
}
const startUndo = async (runId: string) => {
  const started = await requestUndo(fairlead.db, fairlead.accountId, runId)
  await fairlead.wiring.relay()
  return started
}
const undo = async (runId: string, state = 'succeeded') => {
  const started = await startUndo(runId)
  const run = await fairlead.finished(started.runId)
  expect(run.state).toBe(state)
  expect(sumsAgree(run)).toBe(true)
  const entries = await list.entries(run.id)
  return {
    run,
    counts: run.counts!,
    said: (id: string): EntryRow[] => entries.filter(({ recordId, crmId }) => recordId === id || crmId === id),
  }
}
const record = async (id: string): Promise<Held> => {
  const all = await list.records()
  return all.find((each) => each.id === id) ?? all.find((each) => each.crmId === id)!
}
const zero = { created: 0, updated: 0, unchanged: 0, skipped: 0, rejected: 0 }

let made = 0
/** A lead that is in step, and that no pull reads again by date. */
const lead = async (values: Record<string, unknown> = {}): Promise<{ id: string; crmId: string }> => {
  const [one] = await leads(1, values)
  return one!
}
const leads = async (count: number, values: Record<string, unknown> = {}) => {
  const ids = Array.from({ length: count }, () =>
    crm.add('lead', {
      Email: `undo.${(made += 1)}@example.com`,
      LastName: 'Undo',
      Company: 'U',
      Title: 'CEO',
      WorkPhone: '1',
      ...values,
    }),
  )
  await good()
  const byId = new Map((await list.records()).map((each) => [each.crmId, each.id]))
  return ids.map((crmId) => ({ id: byId.get(crmId)!, crmId }))
}
const change = (crmId: string, values: Record<string, unknown>) =>
  crm.control.edit({ entity: 'lead', id: crmId, values })
const truth = (crmId: string) => crm.control.person('lead', crmId)!

describe('values that a push has written', () => {
  test('go back in the CRM, and are held here: neither pushed nor pulled, until either side changes', async () => {
    const [one, two] = await leads(2)
    for (const { id } of [one!, two!]) await list.edit(id, { Title: 'Ours', WorkPhone: '2' })
    const pushed = await good()
    const { counts, said } = await undo(pushed.id)
    expect(counts['push']).toMatchObject({ ...zero, read: 2, updated: 2 })
    expect(said(one!.id)).toMatchObject([
      {
        phase: 'push',
        kind: 'updated',
        changes: { Title: { before: 'Ours', after: 'CEO' }, WorkPhone: { before: '2', after: '1' } },
      },
    ])
    expect(truth(one!.crmId)).toMatchObject({ Title: 'CEO', WorkPhone: '1' })
    const held = await record(one!.id)
    expect(held.values).toMatchObject({ Title: 'Ours', WorkPhone: '2' })
    expect(held.agreed).toMatchObject({ Title: { v: 'CEO', h: true }, WorkPhone: { v: '1', h: true } })
    crm.takeWrites()
    await good()
    const verified = await good('verify')
    expect(await list.entries(verified.id)).toMatchObject([{ code: 'heldHere' }, { code: 'heldHere' }])
    const after = await good()
    expect(after.counts!['push']).toMatchObject({ read: 0 })
    expect(crm.takeWrites()).toEqual([])
    expect(await record(one!.id)).toEqual(held)

    // the CRM changes one field of the one, we change one of the other
    change(one!.crmId, { Title: 'Theirs' })
    await list.edit(two!.id, { Title: 'Ours again' })
    await good()
    expect((await record(one!.id)).values).toMatchObject({ Title: 'Theirs', WorkPhone: '2' })
    expect(Object.keys((await record(one!.id)).agreed)).toEqual(['WorkPhone'])
    expect(truth(two!.crmId)).toMatchObject({ Title: 'Ours again', WorkPhone: '1' })
    expect((await record(two!.id)).values).toMatchObject({ Title: 'Ours again', WorkPhone: '2' })
  })
})

describe('values that a pull has taken over', () => {
  test('go back here, and are held: neither pushed nor pulled back, until either side changes', async () => {
    const [one, two, three] = await leads(3, { CBudget: null })
    for (const { crmId } of [one!, two!, three!]) change(crmId, { Title: 'Theirs', CBudget: 12.5 })
    const pulled = await good()
    await list.edit(three!.id, { Title: 'Edited since' })
    const { counts, said, run } = await undo(pulled.id)
    expect(counts).toEqual({ pull: expect.objectContaining({ ...zero, read: 3, updated: 3 }) as unknown })
    expect(run.settings.source).toEqual({ runId: pulled.id, as: 'undo' })
    expect(said(one!.id)).toMatchObject([
      { phase: 'pull', kind: 'updated', changes: { Title: { before: 'Theirs', after: 'CEO' } }, warnings: null },
    ])
    expect(said(three!.id)).toMatchObject([
      { kind: 'updated', warnings: [{ code: 'changedSince', field: list.keyOf('Title') }] },
    ])
    expect(said(three!.id)[0]!.changes).toEqual({ CBudget: { before: 12.5, after: null } })
    const held = await record(one!.id)
    expect(held.values).toMatchObject({ Title: 'CEO', CBudget: null })
    expect(held.agreed).toMatchObject({ Title: { v: 'Theirs', h: true }, CBudget: { v: 12.5, h: true } })

    crm.takeWrites()
    await good()
    await good('verify')
    await good()
    expect(crm.takeWrites().map(({ id }) => id)).toEqual([three!.crmId])
    expect(await record(one!.id)).toEqual(held)

    change(one!.crmId, { Title: 'Theirs again' })
    await list.edit(two!.id, { Title: 'Ours' })
    await good()
    expect((await record(one!.id)).values).toMatchObject({ Title: 'Theirs again', CBudget: null })
    expect((await record(two!.id)).values).toMatchObject({ Title: 'Ours', CBudget: null })
    expect(truth(two!.crmId)).toMatchObject({ Title: 'Ours', CBudget: '12.5' })
  })

  test('stay held where the CRM comes to the value that is here: then there is nothing to hold', async () => {
    const one = await lead()
    change(one.crmId, { Title: 'Theirs' })
    await undo((await good()).id)
    change(one.crmId, { Title: 'CEO' })
    await good()
    expect(await record(one.id)).toMatchObject({ values: { Title: 'CEO' }, agreed: {} })
  })
})

describe('a sync in both directions', () => {
  test('is taken back as a whole, and everything that stays is named', async () => {
    const [pulled, pushed, conflict, linkedTo] = await leads(4)
    change(pulled!.crmId, { Title: 'Theirs' })
    await list.edit(pushed!.id, { Title: 'Ours' })
    change(conflict!.crmId, { Title: 'Their winner' })
    await list.edit(conflict!.id, { Title: 'Our loser', WorkPhone: '2' })
    const created = crm.add('lead', { Email: 'undo.pulled@example.com', LastName: 'Pulled', Company: 'P' })
    const edited = crm.add('lead', { Email: 'undo.edited@example.com', LastName: 'Edited', Company: 'P' })
    const newLead = await list.create({ Email: 'undo.new@example.com', LastName: 'New', Company: 'N' })
    const contact = crm.add('contact', { Email: 'undo.contact@example.com', LastName: 'Contact', Title: 'CFO' })
    const linked = await list.create({ Email: 'undo.contact@example.com', LastName: 'Contact', Title: 'CEO' })
    crm.control.remove({ entity: 'lead', ids: [linkedTo!.crmId] })
    await list.edit(linkedTo!.id, { Title: 'Gone' })
    const before = (await fairlead.db.$client`select record_count from lists where id = ${list.listId}`)[0]!
    const run = await good()
    await list.edit((await record(edited)).id, { Title: 'Edited since' })
    const madeLead = (await record(newLead)).crmId!
    expect(run.counts).toMatchObject({ pull: { created: 2, updated: 2 }, push: { created: 1 } })

    const { counts, said } = await undo(run.id)
    expect(counts['push']).toMatchObject({ read: 5, created: 0, updated: 3, skipped: 2, rejected: 0 })
    expect(counts['pull']).toMatchObject({ read: 4, created: 0, updated: 3, skipped: 1, rejected: 0 })
    expect(said(pulled!.id)).toMatchObject([{ phase: 'pull', kind: 'updated' }])
    expect(said(pushed!.id)).toMatchObject([{ phase: 'push', kind: 'updated' }])
    expect(said(conflict!.id)).toMatchObject([
      { phase: 'push', changes: { WorkPhone: { before: '2', after: '1' } } },
      { phase: 'pull', changes: { Title: { before: 'Their winner', after: 'Our loser' } } },
    ])
    expect(said(created)).toMatchObject([{ phase: 'pull', kind: 'updated', code: 'removedAgain' }])
    expect(said(edited)).toMatchObject([{ phase: 'pull', kind: 'skipped', code: 'changedSince' }])
    expect(said(newLead)).toMatchObject([{ phase: 'push', kind: 'skipped', code: 'leadNotDeleted', crmId: madeLead }])
    expect(said(linked)).toMatchObject([{ phase: 'push', kind: 'updated', crmId: contact }])
    expect(said(linkedTo!.id)).toMatchObject([{ phase: 'push', kind: 'skipped', code: 'notRestored' }])

    expect(truth(pushed!.crmId)).toMatchObject({ Title: 'CEO' })
    expect(truth(conflict!.crmId)).toMatchObject({ Title: 'Their winner', WorkPhone: '1' })
    expect(crm.control.person('contact', contact)).toMatchObject({ Title: 'CFO' })
    expect(truth(madeLead)).toMatchObject({ LastName: 'New' })
    expect(await record(created)).toMatchObject({ removed: true })
    expect(await record(edited)).toMatchObject({ removed: false })
    expect(await record(linkedTo!.id)).toMatchObject({ state: 'deletedInCrm', values: { Title: 'Gone' } })
    const after = (await fairlead.db.$client`select record_count from lists where id = ${list.listId}`)[0]!
    expect(after['record_count']).toBe(before['record_count'] + 1)
    expect(after['record_count']).toBe((await list.records()).filter(({ removed }) => !removed).length)

    // once more: nothing goes back, and nothing is said to have changed that went back before
    const again = await undo(run.id)
    expect(again.counts['push']).toMatchObject({ read: 5, updated: 0, unchanged: 3, skipped: 2 })
    expect(again.counts['pull']).toMatchObject({ read: 4, updated: 0, unchanged: 3, skipped: 1 })
  })
})

describe('records that are not as they were', () => {
  test('stay where the sync had added them and a record of ours went into theirs, or somebody brought them back', async () => {
    const Email = 'undo.mine@example.com'
    const mine = await list.create({ Email, LastName: 'Mine', Company: 'M' })
    const theirs = crm.add('lead', { Email, LastName: 'Mine', Company: 'M' })
    const back = crm.add('lead', { Email: 'undo.back@example.com', LastName: 'Back', Company: 'B' })
    const run = await good()
    expect(await record(mine)).toMatchObject({ removed: true, mergedInto: (await record(theirs)).id })
    const { said } = await undo(run.id)
    expect(said(theirs)).toMatchObject([{ phase: 'pull', kind: 'skipped', code: 'changedSince' }])
    expect(await record(theirs)).toMatchObject({ removed: false })
    expect(await record(back)).toMatchObject({ removed: true })
    await list.restore((await record(back)).id)
    await undo(run.id)
    expect(await record(back)).toMatchObject({ removed: false })
  })
})

describe('people who are not as they were', () => {
  test('changed between our read and our write, they are read once more; gone, they are named and not marked', async () => {
    const people = await leads(16)
    for (const { id } of people) await list.edit(id, { Title: 'Ours', WorkPhone: '2' })
    const pushed = await good()
    const [two, three] = people.slice(-2)
    const edit = (values: Record<string, unknown>) => ({
      edit: { entity: 'lead' as const, id: two!.crmId, values },
    })
    // as soon as they were read, in whatever order they are written
    crm.control.script({
      afterRequests: 1,
      match: { method: 'GET', kind: 'leads' },
      do: [edit({ Title: 'Theirs' }), edit({ CBudget: 7 })],
    })
    crm.control.remove({ entity: 'lead', ids: [three!.crmId] })
    const { counts, said } = await undo(pushed.id)
    expect(crm.control.scripts()).toEqual([])
    expect(counts['push']).toMatchObject({ ...zero, read: 16, updated: 15, skipped: 1 })
    expect(said(two!.id)).toMatchObject([
      {
        kind: 'updated',
        changes: { WorkPhone: { before: '2', after: '1' } },
        warnings: [{ code: 'changedSince', field: list.keyOf('Title') }],
      },
    ])
    expect(said(three!.id)).toMatchObject([{ kind: 'skipped', code: 'deletedInCrm' }])
    expect(truth(two!.crmId)).toMatchObject({ Title: 'Theirs', WorkPhone: '1', CBudget: '7' })
    expect(await record(three!.id)).toMatchObject({ state: null, values: { Title: 'Ours' } })
    await good()
    expect((await record(two!.id)).values).toMatchObject({ Title: 'Theirs', WorkPhone: '2', CBudget: 7 })
  })

  test('what fails for a while is put off, and goes back', async () => {
    const [one, two] = await leads(2)
    for (const { id } of [one!, two!]) await list.edit(id, { Title: 'Ours' })
    const pushed = await good()
    crm.control.addFault({ kind: 'unavailable', times: 2, match: { kind: 'leads', method: 'PUT' } })
    const { counts } = await undo(pushed.id)
    expect(counts['push']).toMatchObject({ ...zero, read: 2, updated: 2 })
    expect([one!, two!].map(({ crmId }) => truth(crmId)['Title'])).toEqual(['CEO', 'CEO'])
  })

  test('R4: others with the address to whom the push had written, too, are named and left alone', async () => {
    const email = 'undo.shared@example.com'
    const [one] = await leads(1, { Email: email })
    const other = crm.add('contact', { Email: email, LastName: 'Undo', Title: 'CEO' })
    await fairlead.db.$client`update accounts set ambiguous_match = 'all' where id = ${fairlead.accountId}`
    await list.edit(one!.id, { Title: 'Ours' })
    const pushed = await good()
    await fairlead.db.$client`update accounts set ambiguous_match = 'best' where id = ${fairlead.accountId}`
    const { said } = await undo(pushed.id)
    expect(said(one!.id)).toMatchObject([{ kind: 'updated', warnings: [{ code: 'othersNotRestored', ids: [other] }] }])
    expect(crm.control.person('contact', other)).toMatchObject({ Title: 'Ours' })
  })
})

describe('a place of its own (R19)', () => {
  test('while a sync is under way the undo waits, another one is refused, and the same one is the answer', async () => {
    const one = await lead()
    change(one.crmId, { Title: 'Theirs' })
    const pulled = await good()
    crm.control.addFault({ kind: 'slow', ms: 1000, match: { kind: 'leads' } })
    const sync = await request(fairlead.db, fairlead.accountId, list.listId, { kind: 'sync', trigger: 'api' })
    await fairlead.wiring.relay()
    await until('the sync is at work', async () => (await get(sync.runId)).state === 'running')
    await expect(startUndo(sync.runId)).rejects.toMatchObject({ code: 'runActive' })
    const waiting = await startUndo(pulled.id)
    expect(waiting.created).toBe(true)
    expect(await startUndo(pulled.id)).toEqual({ runId: waiting.runId, created: false })
    const earlier = await fairlead.db.$client<{ id: string }[]>`
      select id from runs where list_id = ${list.listId} and kind = 'sync' and id < ${pulled.id} order by id desc limit 1`
    await expect(startUndo(earlier[0]!.id)).rejects.toMatchObject({ code: 'runActive' })
    expect(await get(waiting.runId)).toMatchObject({ state: 'queued', startedAt: null })
    expect((await record(one.id)).values).toMatchObject({ Title: 'Theirs' })
    crm.control.clearFaults()
    const first = await fairlead.finished(sync.runId)
    const done = await fairlead.finished(waiting.runId)
    expect(done).toMatchObject({ state: 'succeeded', counts: { pull: { updated: 1 } } })
    expect(done.startedAt!.getTime()).toBeGreaterThanOrEqual(first.finishedAt!.getTime())
    expect((await record(one.id)).values).toMatchObject({ Title: 'CEO' })
  })
})

// last: from here on the connector sends batches, and scripts of the simulator do not see single writes
describe('of a thousand people who were written to', () => {
  test('950 go back and the 50 who were changed again are named', async () => {
    const people = await leads(1000)
    await list.settings({ ...settings, fields: ['Title'] })
    await fairlead.db.$client`
      update records set fields = fields || ${JSON.stringify({ [list.keyOf('Title')]: 'Ours' })}::text::jsonb, version = version + 1,
        agreed = ${JSON.stringify({ [list.keyOf('Title')]: { v: 'CEO', at: new Date().toISOString() } })}::text::jsonb
      where id = any(string_to_array(${people.map(({ id }) => id).join()}::text, ',')::uuid[])`
    const pushed = await good()
    expect(pushed.counts!['push']).toMatchObject({ updated: 1000 })
    const again = people.filter((_, index) => index % 20 === 0)
    for (const { crmId } of again) change(crmId, { Title: 'Theirs' })
    const { counts, said } = await undo(pushed.id)
    expect(counts['push']).toMatchObject({ ...zero, read: 1000, updated: 950, skipped: 50 })
    expect(said(again[0]!.id)).toMatchObject([
      { kind: 'skipped', code: 'changedSince', warnings: [{ code: 'changedSince', field: list.keyOf('Title') }] },
    ])
    const titles = (value: string) => people.filter(({ crmId }) => truth(crmId)['Title'] === value).length
    expect([titles('CEO'), titles('Theirs'), titles('Ours')]).toEqual([950, 50, 0])
    const second = await undo(pushed.id)
    expect(second.counts['push']).toMatchObject({ read: 1000, updated: 0, unchanged: 950, skipped: 50 })
  })
})
