import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as runs from '../src/db/run/state.ts'
import * as sweeps from '../src/db/sweep.ts'
import type { CrmEntity } from '../src/domain/crm.ts'
import { differences } from './support/compare.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'
import { takenOver } from './support/takenOver.ts'

/** Three contacts belong to an owner of their own: when the CRM user may not see it, they are gone, and can come back. */
const hidden = { owner: 'FHIDDEN00001', ids: [] as string[] }
const lists = { lead: '', contact: '' }
let fairlead: Fairlead

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 3000, contacts: 600, maxPage: 500 })
  const { control } = fairlead.simulator
  hidden.ids = control
    .people({ entity: 'contact', count: 3 })
    .items.map(({ Id }) => Id)
    .toSorted()
  control.massUpdate({ entity: 'contact', ids: hidden.ids, values: { Owner: hidden.owner } })
  await fairlead.connect()
  await Promise.all(
    (['lead', 'contact'] as const).map(async (entity) => {
      const run = await fairlead.finished(await fairlead.startImport(entity))
      expect(run.state).toBe('succeeded')
      lists[entity] = run.listId!
    }),
  )
}, 60_000)
afterAll(() => fairlead.close())

const follow = async ({ runId }: { runId: string }): Promise<runs.Run> => fairlead.finished(runId)
const sweep = async (listId: string) => follow(await sweeps.request(fairlead.db, fairlead.accountId, listId))
const confirm = async ({ id }: runs.Run) => follow(await sweeps.confirm(fairlead.db, fairlead.accountId, id))
const remove = (entity: CrmEntity, random: number) => fairlead.simulator.control.remove({ entity, random }).ids.sort()

const marked = async (entity: CrmEntity): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ id: string }[]>`
    select crm_id as id from crm_people where entity = ${entity} and state = 'deletedInCrm' order by crm_id`
  return rows.map(({ id }) => id)
}
/** Some whose records are on the list, and who are not taken to be gone. */
const some = async (entity: CrmEntity, count: number): Promise<string[]> => {
  const rows = await fairlead.db.$client<{ id: string }[]>`
    select r.crm_id as id from records r where list_id = ${lists[entity]} and removed_at is null
      and not exists (select from crm_people p where p.crm_id = r.crm_id) order by r.crm_id limit ${count}`
  return rows.map(({ id }) => id)
}
const take = async (entity: CrmEntity, count: number): Promise<string[]> => {
  const ids = await some(entity, count)
  const sql = fairlead.db.$client
  await sql`update records set removed_at = now() where list_id = ${lists[entity]} and crm_id in ${sql(ids)}`
  return ids
}
/** As if another list had found out that somebody took the person over, whom the CRM does not have. */
const takeOver = (entity: CrmEntity, id: string) =>
  takenOver(fairlead.db.$client, lists[entity], { entity, id }, 'CNOBODY00001')
const entriesOf = (run: runs.Run) =>
  fairlead.db.$client<{ kind: string; code: string; id: string }[]>`
    select kind, code, crm_id as id from entries where last_run_id = ${run.id} order by crm_id`
const each = (kind: string, code: string, ids: string[]) => ids.map((id) => ({ kind, code, id }))
const green = { state: 'succeeded', error: null, balance: { balanced: true, difference: 0, missing: 0, extra: 0 } }

describe('R15: people that are gone from the CRM', () => {
  test('keep their records, are marked deletedInCrm and listed, and the ledger balances', async () => {
    const gone = remove('contact', 4)
    const run = await sweep(lists.contact)
    expect(run).toMatchObject({ ...green, counts: { sweep: { deleted: 4, read: 0 } }, balance: { listTotal: 596 } })
    expect(await entriesOf(run)).toEqual(each('deleted', 'deletedInCrm', gone))
    expect(await marked('contact')).toEqual(gone)
    const [{ kept }] = await fairlead.db.$client<[{ kept: number }]>`
      select count(*)::int as kept from records where list_id = ${lists.contact} and removed_at is null and crm_id in ${fairlead.db.$client(gone)}`
    expect(kept).toBe(4)
  })

  test('are linked again when their keys are seen again', async () => {
    const before = await marked('contact')
    fairlead.simulator.control.setUser({ username: 'admin', hiddenOwners: [hidden.owner] })
    expect(await sweep(lists.contact)).toMatchObject({ ...green, counts: { sweep: { deleted: 3 } } })
    expect(await marked('contact')).toEqual([...before, ...hidden.ids].sort())
    fairlead.simulator.control.setUser({ username: 'admin', hiddenOwners: [] })
    const run = await sweep(lists.contact)
    expect(run).toMatchObject({ ...green, balance: { listTotal: 596 } })
    expect(await entriesOf(run)).toEqual(each('relinked', 'seenAgain', hidden.ids))
    expect(await marked('contact')).toEqual(before)
    expect(await differences(fairlead, lists.contact, 'contact')).toEqual([])
  })

  test('are marked without a question when they are exactly 50, or exactly 2 %', async () => {
    const before = await marked('contact')
    const [fifty, twoPercent] = [remove('contact', 50), remove('lead', 60)]
    const [contacts, leads] = await Promise.all([sweep(lists.contact), sweep(lists.lead)])
    expect(contacts).toMatchObject({ ...green, counts: { sweep: { deleted: 50 } } })
    expect(leads).toMatchObject({ ...green, counts: { sweep: { deleted: 60 } }, balance: { listTotal: 2940 } })
    expect(await marked('contact')).toEqual([...before, ...fifty].sort())
    expect(await marked('lead')).toEqual(twoPercent)
  })

  test('are marked after a confirmation only about as many as the person saw', async () => {
    const listId = lists.lead
    remove('lead', 70)
    const held = await sweep(listId)
    expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 70 } })
    expect(held.error!.detail).toMatch(/^70 of \d+ records are gone from the CRM; none was marked\.$/)
    remove('lead', 80)
    const more = await confirm(held)
    expect(more).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 150 } })
    const [last] = remove('lead', 1)
    const done = await confirm(more)
    expect(done).toMatchObject({ ...green, counts: { sweep: { deleted: 151 } } })
    expect(await marked('lead')).toContain(last)
  })

  test('are a mass deletion when they are more than 50 and more than 2 %: none is marked until a person confirms', async () => {
    const before = await marked('lead')
    const gone = remove('lead', 59)
    const held = await sweep(lists.lead)
    expect(held).toMatchObject({
      state: 'incomplete',
      error: { code: 'massDeletion' },
      counts: { sweep: { deleted: 0 } },
      balance: { balanced: false, extra: 59 },
    })
    expect(await marked('lead')).toEqual(before)
    expect(await confirm(held)).toMatchObject({ ...green, counts: { sweep: { deleted: 59 } } })
    expect(await marked('lead')).toEqual([...before, ...gone].sort())
    await expect(confirm(held)).rejects.toMatchObject({ code: 'nothingToConfirm' })
  })
})

test('R15: the first sweep after the CRM user changed marks nobody if anybody is missing, however few', async () => {
  const [before] = [await marked('contact'), remove('contact', 1)]
  fairlead.simulator.control.setUser({ username: 'second', password: 'secret', role: 'admin', userId: 'U6UJ9A00000Z' })
  expect(await fairlead.connect({ username: 'second' })).toMatchObject({ state: 'connected', username: 'second' })
  const held = await sweep(lists.contact)
  expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion' }, balance: { extra: 1 } })
  expect(await marked('contact')).toEqual(before)
  expect(await confirm(held)).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  remove('contact', 2)
  expect(await sweep(lists.contact)).toMatchObject({ ...green, counts: { sweep: { deleted: 2 } } })
  expect(await sweep(lists.lead), 'nobody is missing among the leads').toMatchObject(green)
})

test('R15: people missing here are fetched, those added to the CRM after the import too', async () => {
  const added = fairlead.simulator.control.add({ entity: 'contact', count: 2 }).ids
  const lost = await fairlead.db.$client<{ id: string }[]>`
    delete from records where id in (
      select r.id from records r where list_id = ${lists.contact} and not exists (select from crm_people p where p.crm_id = r.crm_id) limit 3)
    returning crm_id as id`
  const run = await sweep(lists.contact)
  expect(run).toMatchObject({ ...green, counts: { sweep: { read: 5, created: 5, deleted: 0 } } })
  const ids = [...added, ...lost.map(({ id }) => id)].sort()
  expect(await entriesOf(run)).toEqual(each('changedDuring', 'foundBySweep', ids))
  expect(await differences(fairlead, lists.contact, 'contact')).toEqual([])
})

describe('R15: a read that is not whole marks nobody', () => {
  test('a kind that is disabled, before the keys are read or when the missing are asked for by name', async () => {
    const before = [...(await marked('lead')), ...(await marked('contact'))]
    remove('lead', 1)
    remove('contact', 1)
    const { control } = fairlead.simulator
    control.addFault({ kind: 'disabledKind', name: 'leads', match: { kind: 'leads' } })
    control.addFault({ kind: 'disabledKind', name: 'contacts', match: { kind: 'contacts', contains: 'Id in (' } })
    for (const run of await Promise.all([sweep(lists.lead), sweep(lists.contact)]))
      expect(run).toMatchObject({ state: 'incomplete', error: { code: 'entityDisabled' } })
    expect([...(await marked('lead')), ...(await marked('contact'))]).toEqual(before)
    control.clearFaults()
    for (const run of await Promise.all([sweep(lists.lead), sweep(lists.contact)]))
      expect(run).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  })

  test('keys that miss people who are there when they are asked for by name', async () => {
    const { control } = fairlead.simulator
    control.resetGauges()
    expect(await sweep(lists.contact)).toMatchObject(green)
    const requests = control.journal().filter(({ path }) => path.endsWith('/-/contacts')).length
    const before = await marked('contact')
    const shown = (owner: string) => ({ entity: 'contact' as const, ids: hidden.ids, values: { Owner: owner } })
    for (const user of [{ username: 'second' }, { username: 'third', password: 'secret', userId: 'U6UJ9A00000Y' }]) {
      control.massUpdate(shown(hidden.owner))
      control.setUser({ ...user, role: 'admin', hiddenOwners: [hidden.owner] })
      // nobody is gone: the sweep of a new user asks nobody either
      if (user.username === 'third') await fairlead.connect({ username: 'third' })
      control.resetGauges()
      control.script({
        afterRequests: requests,
        match: { kind: 'contacts' },
        do: [{ massUpdate: shown('SYST00000001') }],
      })
      const run = await sweep(lists.contact)
      expect(run).toMatchObject({ ...green, balance: { explained: { cameDuring: 3 } } })
      expect(await entriesOf(run)).toEqual(each('changedDuring', 'cameDuring', hidden.ids))
      expect(await marked('contact')).toEqual(before)
    }
    expect(await sweep(lists.lead), 'nobody is missing among the leads').toMatchObject(green)
  })
})

test('R17: a record that was removed here is not brought back, and is explained, even when the CRM loses the person', async () => {
  const sql = fairlead.db.$client
  const removed = await take('contact', 2)
  const run = await sweep(lists.contact)
  expect(run).toMatchObject({ ...green, counts: { sweep: { read: 0 } }, balance: { explained: { removed: 2 } } })
  fairlead.simulator.control.remove({ entity: 'contact', ids: removed.slice(0, 1) })
  expect(await sweep(lists.contact)).toMatchObject({ ...green, balance: { explained: { removed: 1 } } })
  const still = await sql`select from records where list_id = ${lists.contact} and removed_at is not null`
  expect(still).toHaveLength(2)
})

/** Sweeps, while something happens as the ledger is being drawn up for the first time, the second time …, after both sides were found to agree. */
const sweepWhile = async (listId: string, ...statements: string[]) => {
  const sql = fairlead.db.$client
  const cases = statements.map((statement, at) => `if time = ${at + 1} then ${statement}; end if;`)
  await sql.unsafe(`
    create sequence meanwhile_times;
    create function meanwhile() returns trigger language plpgsql as $$
      declare time bigint := nextval('meanwhile_times');
      begin ${cases.join(' ')} return null; end $$;
    create trigger meanwhile after update of phase on runs for each row when (new.phase = 'finish') execute function meanwhile()`)
  try {
    return await sweep(listId)
  } finally {
    await sql.unsafe('drop trigger meanwhile on runs; drop function meanwhile(); drop sequence meanwhile_times')
  }
}
const quoted = (ids: string[]) => ids.map((id) => `'${id}'`).join(', ')
/** Takes records away from a list and their people out of the CRM. */
const loseRemoved = async (entity: CrmEntity, count: number): Promise<string[]> => {
  const ids = await take(entity, count)
  fairlead.simulator.control.remove({ entity, ids })
  return ids
}
const removing = (ids: string[]) => `update records set removed_at = now() where crm_id in (${quoted(ids)})`
const restoring = (ids: string[]) => `update records set removed_at = null where crm_id in (${quoted(ids)})`

test('R15: a record that comes back to the list after the comparison, whose person the CRM has lost, is settled before the ledger', async () => {
  const lost = await loseRemoved('lead', 1)
  const run = await sweepWhile(lists.lead, restoring(lost))
  expect(run).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  expect(await entriesOf(run)).toEqual(each('deleted', 'deletedInCrm', lost))
})

test('R15: those whom a run has marked already count when it judges whether too many are gone', async () => {
  const lost = await loseRemoved('contact', 15)
  const gone = fairlead.simulator.control.remove({ entity: 'contact', random: 40 }).ids
  const listed = await fairlead.db.$client`
    select from records r where list_id = ${lists.contact} and crm_id in ${fairlead.db.$client(gone)} and removed_at is null`
  const run = await sweepWhile(lists.contact, restoring(lost))
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 15 }, balance: { extra: 15 } })
  expect(run.error!.detail).toMatch(/^15 of \d+ records are gone from the CRM; none of them was marked\.$/)
  expect(run.counts!['sweep']).toMatchObject({ deleted: listed.length })
  expect(await confirm(run)).toMatchObject({ ...green, counts: { sweep: { deleted: 15 } } })
})

test('R15: a person whose mark is taken away before the ledger, and who is gone all the same, is listed as deleted once', async () => {
  const ids = await some('lead', 1)
  fairlead.simulator.control.remove({ entity: 'lead', ids })
  const run = await sweepWhile(lists.lead, `delete from crm_people where crm_id in (${quoted(ids)})`)
  expect(run).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  expect(await entriesOf(run)).toEqual(each('deleted', 'deletedInCrm', ids))
  expect(await marked('lead')).toEqual(expect.arrayContaining(ids))
})

describe('R15: a person whom another list finds to be gone while the keys are read', () => {
  /** that a sweep makes to read the keys of the leads */
  let requests = 0
  const marking = ([id]: string[]) => `
    insert into crm_people (connection_id, entity, crm_id, account_id, state)
      select connection_id, 'lead', '${id}', account_id, 'deletedInCrm' from lists where id = '${lists.lead}'`

  test('is gone since then, explained, and stays marked', async () => {
    const { control } = fairlead.simulator
    control.resetGauges()
    expect(await sweep(lists.lead)).toMatchObject(green)
    requests = control.journal().filter(({ path }) => path.endsWith('/-/leads')).length
    const ids = await some('lead', 1)
    control.resetGauges()
    control.script({ afterRequests: requests, match: { kind: 'leads' }, do: [{ remove: { entity: 'lead', ids } }] })
    const run = await sweepWhile(lists.lead, marking(ids))
    expect(run).toMatchObject({ ...green, balance: { explained: { goneDuring: 1 } } })
    expect(await entriesOf(run)).toEqual(each('changedDuring', 'goneDuring', ids))
    expect(await marked('lead')).toContain(ids[0])
    expect(await sweep(lists.lead)).toMatchObject({ ...green, balance: { explained: { goneDuring: 0 } } })
  })

  /** While the keys are read the person goes from sight, or comes; `then`: after the first question about it. */
  const scripted = async (before: 'hidden' | 'shown', then?: 'hidden' | 'shown'): Promise<string[]> => {
    const { control } = fairlead.simulator
    const ids = await some('lead', 1)
    const show = (sight: 'hidden' | 'shown') => ({
      entity: 'lead' as const,
      ids,
      values: { Owner: sight === 'hidden' ? hidden.owner : 'SYST00000001' },
    })
    control.setUser({ username: 'third', hiddenOwners: [hidden.owner] })
    control.massUpdate(show(before))
    control.resetGauges()
    const match = { kind: 'leads' as const }
    const after = before === 'hidden' ? 'shown' : 'hidden'
    control.script({ afterRequests: requests, match, do: [{ massUpdate: show(after) }] })
    if (then !== undefined)
      control.script({ afterRequests: 1, match: { ...match, contains: 'Id in (' }, do: [{ massUpdate: show(then) }] })
    return ids
  }

  test('after it was found by being asked for by name, is explained all the same', async () => {
    const ids = await scripted('hidden', 'hidden')
    const run = await sweepWhile(lists.lead, marking(ids))
    expect(run).toMatchObject({ ...green, balance: { explained: { cameDuring: 1, goneDuring: 1 } } })
    expect(await marked('lead')).toContain(ids[0])
  })

  test.each([
    ['is there', 'shown' as const, 0],
    ['is not there', undefined, 1],
  ])('and a third one takes to be there again, is what the CRM says: %s', async (_, then, goneDuring) => {
    const ids = await scripted('shown', then)
    const run = await sweepWhile(lists.lead, marking(ids), `delete from crm_people where crm_id = '${ids[0]}'`)
    expect(run).toMatchObject({ ...green, balance: { explained: { goneDuring } } })
    expect((await marked('lead')).includes(ids[0]!)).toBe(goneDuring === 1)
  })

  test('and takes to be there again, is explained also where the record is removed here', async () => {
    const ids = await scripted('shown')
    const meanwhile = `delete from crm_people where crm_id in (${quoted(ids)}); ${removing(ids)}`
    const run = await sweepWhile(lists.lead, marking(ids), meanwhile)
    expect(run).toMatchObject({ ...green, balance: { explained: { goneDuring: 1, removed: 0 } } })
    expect(await marked('lead')).toEqual(expect.arrayContaining(ids))
  })

  test('and had found to be taken over before, is linked again when it is there when asked for by name', async () => {
    const ids = await scripted('hidden')
    await takeOver('lead', ids[0]!)
    const run = await sweep(lists.lead)
    expect(run).toMatchObject({ ...green, balance: { explained: { cameDuring: 1 } } })
    expect((await entriesOf(run)).map(({ code }) => code).toSorted()).toEqual(['cameDuring', 'seenAgain'])
    expect(await some('lead', 3000)).toContain(ids[0])
  })

  test('is linked again where the CRM has the person nevertheless', async () => {
    const ids = await some('lead', 1)
    const run = await sweepWhile(lists.lead, marking(ids))
    expect(run).toMatchObject({ ...green, balance: { explained: { goneDuring: 0 } } })
    expect(await entriesOf(run)).toEqual(each('relinked', 'seenAgain', ids))
    expect(await marked('lead')).not.toContain(ids[0])
  })
})

test('R16: a person who was taken over by somebody who is gone, too, is marked as deleted; for a new user a person is asked first', async () => {
  const takenOver = async (): Promise<string> => {
    const [id] = (await some('contact', 1)) as [string]
    await takeOver('contact', id)
    fairlead.simulator.control.remove({ entity: 'contact', ids: [id] })
    return id
  }
  const first = await takenOver()
  expect(await sweep(lists.contact)).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  expect(await marked('contact')).toContain(first)
  const second = await takenOver()
  fairlead.simulator.control.setUser({ username: 'fourth', password: 'secret', role: 'admin', userId: 'U6UJ9A00000X' })
  await fairlead.connect({ username: 'fourth' })
  const held = await sweep(lists.contact)
  expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 1 } })
  expect(await confirm(held)).toMatchObject({ ...green, counts: { sweep: { deleted: 1 } } })
  expect(await marked('contact')).toContain(second)
  expect(await sweep(lists.lead), 'nobody is missing among the leads').toMatchObject(green)
})

test('R19: a sweep that is asked for while one is under way is that one', async () => {
  fairlead.simulator.control.settings({ latencyMs: 300 })
  const ask = () => sweeps.request(fairlead.db, fairlead.accountId, lists.lead)
  const [first, second] = await Promise.all([ask(), ask()])
  expect(second.runId).toBe(first.runId)
  expect([first, second].filter(({ created }) => created)).toHaveLength(1)
  await fairlead.wiring.relay()
  const state = async () => (await runs.get(fairlead.db, fairlead.accountId, first.runId)).state
  await until('the sweep is running', async () => (await state()) === 'running')
  expect(await ask()).toEqual({ runId: first.runId, created: false })
  fairlead.simulator.control.settings({ latencyMs: 0 })
  expect(await follow(first)).toMatchObject(green)
})

test('R22, section 4: people that the CRM cannot deliver twice in a row renew their entry', async () => {
  const { control } = fairlead.simulator
  const ids = control.people({ entity: 'contact', count: 10 }).items.flatMap(({ Id }, n) => (n === 5 ? [Id] : []))
  const fault = control.addFault({ kind: 'poison', ids })
  const first = await fairlead.finished(await fairlead.startImport('contact', [], true))
  const second = await sweep(first.listId!)
  for (const run of [first, second])
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' }, balance: { balanced: true } })
  expect(second.counts!['sweep']).toMatchObject({ read: ids.length, rejected: ids.length })
  control.clearFaults(fault)
  expect(await sweep(first.listId!)).toMatchObject({ ...green, counts: { sweep: { created: ids.length } } })
  const entries = await fairlead.db.$client`
    select first_run_id, last_run_id, times from entries where list_id = ${first.listId} and code = 'crmFailed'`
  expect([...entries]).toEqual(ids.map(() => ({ first_run_id: first.id, last_run_id: second.id, times: 2 })))
})
