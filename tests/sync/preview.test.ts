import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as accounts from '../../src/db/account.ts'
import { removePreviews } from '../../src/db/housekeeping.ts'
import * as lanes from '../../src/db/lane.ts'
import * as runs from '../../src/db/run/state.ts'
import { planOf } from '../../src/db/sync/plan.ts'
import { storePull } from '../../src/db/sync/pull.ts'
import { request } from '../../src/db/sync/request.ts'
import { previewDays } from '../../src/domain/preview.ts'
import { defaultSync } from '../../src/domain/sync.ts'
import { addRun } from '../api/rows.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { told, toldBy, type Told } from './told.ts'

let fairlead: Fairlead
let crm: People

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 12, contacts: 4 })
  crm = openPeople(fairlead)
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => void crm.takeWrites())

/** Every row that a preview must leave as it is. */
const everything = async (): Promise<unknown> => {
  const sql = fairlead.db.$client
  const rows = async (table: string) => [
    ...(await sql.unsafe(`select t::text from ${table} t ${table === 'entries' ? 'where false' : ''} order by 1`)),
  ]
  const names = ['records', 'lists', 'late_rows', 'creations', 'crm_people', 'columns', 'sync_settings']
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await rows(name)])))
}

/** A list with something of everything that a sync does, on both sides. */
const openWorld = async (tag: string) => {
  const { control } = crm
  const mail = (name: string): string => `${name}.${tag}@example.com`
  const lead = (name: string, more: Record<string, unknown> = {}): string =>
    crm.add('lead', { Email: mail(name), FirstName: 'Le', LastName: name, Company: 'Ltd', Title: 'Boss', ...more })
  const contact = (name: string, email = name): string =>
    crm.add('contact', { Email: mail(email), FirstName: 'Co', LastName: name, Title: 'Chief' })
  const names = ['changed', 'both', 'edited', 'gone', 'owed', 'became', 'moved', 'listed', 'removed', 'back'] as const
  const people = Object.fromEntries(names.map((name) => [name, lead(name)])) as Record<(typeof names)[number], string>
  const imported = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company', 'WorkPhone'], true))
  const list = await openList(fairlead, imported.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'Company', 'WorkPhone'] })
  const records = await list.records()
  const idOf = (name: keyof typeof people): string => records.find(({ crmId }) => crmId === people[name])!.id

  // what comes in
  control.edit({ entity: 'lead', id: people.changed, values: { Title: 'Their title' } })
  const added = lead('added')
  for (const name of ['owed', 'became'] as const) {
    await list.remove(idOf(name))
    await list.restore(idOf(name))
  }
  control.remove({ entity: 'lead', ids: [people.owed] })
  control.convert({ leadId: people.became })
  await list.remove(idOf('removed'))
  control.edit({ entity: 'lead', id: people.removed, values: { Title: 'Unseen' } })
  // both
  control.edit({ entity: 'lead', id: people.both, values: { Title: 'Theirs', WorkPhone: '5' } })
  await list.edit(idOf('both'), { Title: 'Ours', Company: 'Our company' })
  // what goes out
  await list.edit(idOf('edited'), { Title: 'Edited here' })
  await list.edit(idOf('gone'), { Title: 'Too late' })
  control.remove({ entity: 'lead', ids: [people.gone] })
  await list.edit(idOf('moved'), { Title: 'Goes along' })
  control.convert({ leadId: people.moved })
  const one = contact('one')
  const twins = [contact('twin A', 'twins'), contact('twin B', 'twins')]
  const make = (name: string, more: Record<string, string> = {}): Promise<string> =>
    list.create({ Email: mail(name), LastName: `Rec ${name}`, Company: 'Here', ...more })
  const made = {
    nobody: await make('nobody', { Title: 'New' }),
    twice: await make('twice'),
    again: await make('twice', { Title: 'Second' }),
    one: await make('one', { Title: 'Linked' }),
    twins: await make('twins'),
    listed: await make('listed', { WorkPhone: '77' }),
    added: await make('added', { WorkPhone: '88' }),
    blank: await list.create({ LastName: 'No address', Company: 'Here' }),
    missing: await list.create({ Email: mail('missing') }),
  }
  return { list, people, added, one, twins, made, idOf }
}

const withoutAdded = (all: Told[]): Told[] => all.filter(({ phase, kind }) => !(phase === 'pull' && kind === 'created'))

describe('S8: a preview', () => {
  test('writes nothing on either side, and the sync after it does what it has shown', async () => {
    const { list } = await openWorld('shown')
    crm.takeWrites()
    const before = await everything()
    const shown = await list.run('preview')
    expectGood(shown)
    expect(crm.takeWrites()).toEqual([])
    expect(await everything()).toEqual(before)
    const sql = fairlead.db.$client
    expect(await sql`select 1 from previewed_records`).toHaveLength(0)

    const done = await list.run()
    expectGood(done)
    const [was, is] = [told(await list.entries(shown.id), new Map()), await toldBy(fairlead, list, done)]
    expect(withoutAdded(was)).toEqual(is)
    const codes = new Set(is.map(({ phase, kind, code }) => `${phase} ${kind} ${code}`))
    for (const each of ['pull deleted deletedInCrm', 'pull relinked converted', 'push deleted deletedInCrm'])
      expect([...codes]).toContain(each)
    expect(shown.counts).toEqual({ ...done.counts })
  })

  test('is applied exactly, once', async () => {
    const { list } = await openWorld('applied')
    const shown = await list.run('preview')
    const done = await list.apply(shown.id)
    expectGood(done)
    const is = await toldBy(fairlead, list, done)
    expect(is.filter(({ code }) => code === 'changedSince')).toEqual([])
    const deeds = withoutAdded(told(await list.entries(shown.id), new Map())).filter(
      ({ kind, code }) => (kind !== 'skipped' && kind !== 'rejected') || code === 'mergedIntoRecord',
    )
    expect(is).toEqual(deeds)
    await expect(list.apply(shown.id)).rejects.toMatchObject({ code: 'previewApplied' })
    // nothing is left but what the preview had to skip
    crm.takeWrites()
    await list.run()
    expect(crm.takeWrites()).toEqual([])
  })

  test('applied later leaves alone, on both sides, whose situation has changed, and does the rest', async () => {
    const { list, people, added, one, made, idOf } = await openWorld('since')
    const shown = await list.run('preview')
    const { control } = crm
    const email = (await list.records()).find(({ id }) => id === made.nobody)!.values['Email']
    control.edit({ entity: 'lead', id: people.changed, values: { Title: 'Once more' } })
    control.edit({ entity: 'lead', id: added, values: { Title: 'Not as shown' } })
    control.edit({ entity: 'contact', id: one, values: { Title: 'Promoted' } })
    const rival = crm.add('lead', { Email: email, LastName: 'Rival' })
    await list.edit(idOf('edited'), { Title: 'Edited again' })
    await list.remove(idOf('both'))
    // and what was not shown at all
    control.edit({ entity: 'lead', id: people.back, values: { Title: 'Later' } })
    const later = await list.create({ Email: 'later.since@example.com', LastName: 'Later', Company: 'Here' })
    crm.takeWrites()
    const before = new Map((await list.records()).map((record) => [record.id, record]))

    const done = await list.apply(shown.id)
    expectGood(done)
    const entries = await list.entries(done.id)
    const since = entries.filter(({ code }) => code === 'changedSince')
    const left = [idOf('changed'), idOf('edited'), idOf('both'), made.nobody, made.one]
    const ofRecords = since.flatMap(({ recordId }) => recordId ?? [])
    expect(new Set(ofRecords)).toEqual(new Set([...left, made.added]))
    expect(since.filter(({ recordId }) => recordId === null)).toMatchObject([{ crmId: added }])
    const say = (id: string) => since.find(({ recordId }) => recordId === id)?.changes
    expect(say(idOf('changed'))).toMatchObject({ Title: { before: 'Boss', after: 'Once more' } })
    expect(say(idOf('edited'))).toMatchObject({ Title: { before: 'Boss', after: 'Edited again' } })
    expect(say(made.one)).toMatchObject({ Title: { before: 'Promoted', after: 'Linked' } })
    // untouched on both sides, and nobody else was read
    const after = new Map((await list.records()).map((record) => [record.id, record]))
    for (const id of [...left, made.added, idOf('back'), later]) expect(after.get(id)).toEqual(before.get(id))
    const wrote = new Set(crm.takeWrites().map(({ id }) => id))
    for (const id of [people.changed, people.edited, people.both, people.back, added, one, rival])
      expect(wrote).not.toContain(id)
    expect((await list.records()).some(({ crmId }) => crmId === added)).toBe(false)
    // the rest is done
    for (const id of [made.twice, made.twins]) expect(after.get(id)!.crmId).not.toBeNull()
    expect(after.get(made.again)).toMatchObject({ removed: true, mergedInto: made.twice })
    expect(after.get(made.listed)).toMatchObject({ removed: true, mergedInto: idOf('listed') })
    for (const name of ['gone', 'owed'] as const) expect(after.get(idOf(name))!.state).toBe('deletedInCrm')
    for (const name of ['became', 'moved'] as const) expect(after.get(idOf(name))!.crmEntity).toBe('contact')
    // and the next sync, whose mark did not move, settles what was left
    expectGood(await list.run())
    expect(control.person('lead', people.edited)).toMatchObject({ Title: 'Edited again' })
  })
})

describe('S8: a preview and its application', () => {
  test('R4: with `all`, it shows who else is written to; with `hold`, who is asked about', async () => {
    const contact = (): string => crm.add('contact', { Email: 'two@example.com', LastName: 'Two', Title: 'Old' })
    const both = [contact(), contact()]
    const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title'], true))
    const list = await openList(fairlead, listId!)
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] }, { enabled: false })
    const id = await list.create({ Email: 'two@example.com', LastName: 'Two', Title: 'Fresh' })
    const rule = (ambiguousMatch: 'all' | 'hold') =>
      accounts.update(fairlead.db, fairlead.accountId, { ambiguousMatch }, operator)
    await rule('hold')
    const asked = await list.entries((await list.run('preview')).id)
    expect(asked).toMatchObject([{ kind: 'skipped', code: 'needsDecision', recordId: id }])
    await rule('all')
    const shown = await list.run('preview')
    expect(crm.takeWrites()).toEqual([])
    await rule('hold')
    const done = await list.apply(shown.id)
    const [was] = await list.entries(shown.id)
    expect(was).toMatchObject({
      kind: 'updated',
      code: 'linkedByEmail',
      changes: { Title: { before: 'Old', after: 'Fresh' } },
    })
    expect((await list.entries(done.id))[0]).toMatchObject({ warnings: was!.warnings! })
    for (const each of both) expect(crm.control.person('contact', each)).toMatchObject({ Title: 'Fresh' })
  })

  test('R3: it finds people by the addresses that its own earlier steps would have given them', async () => {
    const lead = crm.add('lead', { Email: 'moves@example.com', LastName: 'Moves', Company: 'Ltd', Title: 'Old' })
    const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company'], true))
    const list = await openList(fairlead, listId!)
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Email', 'Title'] })
    const { id } = (await list.records()).find(({ crmId }) => crmId === lead)!
    await list.edit(id, { Email: 'Moved@Example.com' })
    await list.create({ Email: 'moved@example.com', LastName: 'Moves', Company: 'Ltd', Title: 'New' })
    const shown = await list.run('preview')
    expectGood(shown)
    const was = told(await list.entries(shown.id), new Map())
    expect(was.map(({ kind, code }) => [kind, code])).toEqual([
      ['skipped', 'mergedIntoRecord'],
      ['updated', null],
      ['updated', null],
    ])
    const done = await list.apply(shown.id)
    expectGood(done)
    expect(await toldBy(fairlead, list, done)).toEqual(was)
  })

  test('R19: it comes to its end while a sync of the list is held up, and is not held up by it', async () => {
    const { listId } = await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
    const list = await openList(fairlead, listId!)
    const { id } = (await list.records())[0]!
    await list.settings({ enabled: true, updateExisting: true, fields: ['Title'] })
    await list.edit(id, { Title: 'Held up' })
    crm.control.addFault({ kind: 'slow', ms: 3000, match: { method: 'PUT' } })
    const { runId } = await request(fairlead.db, fairlead.accountId, listId!, { kind: 'sync', trigger: 'api' })
    const shown = await list.run('preview')
    expectGood(shown)
    expect(await list.entries(shown.id)).toMatchObject([{ phase: 'push', kind: 'updated', recordId: id }])
    crm.control.clearFaults()
    await fairlead.finished(runId)
    // what it has shown is done already
    expect(await list.entries((await list.apply(shown.id)).id)).toMatchObject([{ code: 'changedSince', recordId: id }])
  })

  test('its entries go seven days after its end, the run stays; what syncs have skipped is never its', async () => {
    const { listId } = await fairlead.finished(await fairlead.startImport('contact', ['Title'], true))
    const list = await openList(fairlead, listId!)
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
    await list.create({ LastName: 'No address' })
    const first = await list.run()
    const shown = [await list.run('preview'), await list.run('preview')]
    const second = await list.run()
    expect((await list.entries(second.id)).map(({ times, code }) => [times, code])).toEqual([[2, 'noEmail']])
    expect(await list.entries(first.id)).toEqual([])
    for (const { id } of shown)
      expect((await list.entries(id)).map(({ times, code }) => [times, code])).toEqual([[1, 'noEmail']])
    const sql = fairlead.db.$client
    const [old, young] = shown.map(({ id }) => id)
    await sql`update runs set finished_at = now() - interval '7 days 1 minute' where id = ${old!}`
    await sql`update runs set finished_at = now() - interval '6 days 23 hours' where id = ${young!}`
    // one that waits to be applied keeps them
    const settings = { source: { runId: old!, as: 'preview' as const } }
    const waiting = await addRun(fairlead.db, fairlead.accountId, { kind: 'sync', state: 'queued', listId, settings })
    expect(await removePreviews(fairlead.db, previewDays)).toBe(0)
    await sql`update runs set state = 'cancelled' where id = ${waiting}`
    expect(await removePreviews(fairlead.db, previewDays)).toBe(1)
    expect([await list.entries(old!), (await list.entries(young!)).length]).toEqual([[], 1])
    await expect(list.apply(old!)).rejects.toMatchObject({ code: 'previewExpired' })
  })

  test('a step that is repeated, and one whose lane was taken over, double nothing', async () => {
    const { listId, connectionId } = await fairlead.finished(await fairlead.startImport('lead', ['Title'], true))
    const list = await openList(fairlead, listId!)
    const { db, accountId } = fairlead
    const sync = { ...defaultSync(), conflict: 'crmWins' as const, ambiguousMatch: 'best' as const, widenedAt: null }
    const runId = await addRun(db, accountId, {
      kind: 'preview',
      state: 'running',
      listId,
      connectionId,
      entity: 'lead',
      settings: { sync },
    })
    const plan = await planOf(db, fairlead.wiring.secrets, await runs.get(db, accountId, runId))
    const range = { after: null, upTo: null }
    await lanes.plan(db, { accountId, runId, phase: 'pull' }, { ranges: [range, range] })
    const claim = async (number: number): Promise<lanes.LaneKey> => {
      const { lane, attempt } = await lanes.claim(db, accountId, runId, 'pull', number)
      return { runId, phase: 'pull', lane, attempt }
    }
    const known = (await list.records())[0]!.crmId!
    const rows = [known, 'LNEVERSEEN01'].map((id) => ({
      id,
      values: { Title: 'As it is now', Email: `${id}@example.com` },
    }))
    const page = { rows, next: null, unreadable: [], warnings: [], entity: 'lead' as const, gone: [] }
    const [lost, own] = [await claim(0), await claim(0)]
    await expect(storePull(db, plan, lost, 0, page)).rejects.toMatchObject({ code: 'leaseLost' })
    await storePull(db, plan, own, 0, page)
    // another lane reads the same two: they are as the first has shown them
    await storePull(db, plan, await claim(1), 0, page)
    expect((await list.entries(runId)).map(({ kind, crmId }) => [kind, crmId])).toEqual([
      ['updated', known],
      ['created', 'LNEVERSEEN01'],
    ])
    const [sums] = await db.$client`
      select sum(created)::int as created, sum(updated)::int as updated, sum(unchanged)::int as unchanged from lanes where run_id = ${runId}`
    expect(sums).toEqual({ created: 1, updated: 1, unchanged: 2 })
    await db.$client`update runs set state = 'cancelled' where id = ${runId}`
  })
})
