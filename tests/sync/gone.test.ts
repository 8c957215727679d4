import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Run } from '../../src/db/run/state.ts'
import * as sweeps from '../../src/db/sweep.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectInStep, expectQuiet } from '../support/quiet.ts'
import { openList, sumsAgree, type Held, type TestList } from '../support/sync.ts'
import { takenOver } from '../support/takenOver.ts'

/** Every tenth lead belongs to an owner of its own: it is gone when the CRM user may not see that one, and can come back. */
const hidden = { owner: 'FHIDDEN00001', ids: [] as string[] }
let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 1000, contacts: 5, maxPage: 500 })
  const all = control().people({ entity: 'lead', count: 1000, select: ['Id'] }).items
  hidden.ids = all.flatMap(({ Id }, at) => (at % 10 === 3 ? [Id] : []))
  control().massUpdate({ entity: 'lead', ids: hidden.ids, values: { Owner: hidden.owner } })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'Company']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
}, 60_000)
afterEach(() => {
  control().clearFaults()
  control().clearScripts()
})
afterAll(() => fairlead.close())

const control = () => fairlead.simulator.control
const hide = (owners: string[]): void => void control().setUser({ username: 'admin', hiddenOwners: owners })
const marked = async (): Promise<Held[]> => (await leads.records()).filter(({ state }) => state !== null)
const pending = async (): Promise<Held[]> =>
  (await leads.records()).filter(({ agreed }) => Object.keys(agreed).length > 0)
const isHidden = ({ crmId }: Held): boolean => hidden.ids.includes(crmId!)
/** Ten that everybody sees, and so many that only some do, edited here. */
const editSome = async (Title: string, count: number): Promise<Held[]> => {
  const records = await leads.records()
  const some = [...records.filter((each) => !isHidden(each)).slice(0, 10), ...records.filter(isHidden).slice(0, count)]
  for (const { id } of some) await leads.edit(id, { Title })
  return some
}
const codesOf = async (run: Run): Promise<Record<string, number>> => {
  const codes: Record<string, number> = {}
  for (const { kind, code, phase } of await leads.entries(run.id))
    if (phase === 'push' && (kind === 'skipped' || kind === 'rejected')) codes[code!] = (codes[code!] ?? 0) + 1
  return codes
}
const disabled = { kind: 'disabledKind', name: 'leads' } as const

describe('R15: a kind that the CRM does not offer marks nobody', () => {
  test('before a sync reads', async () => {
    control().addFault({ ...disabled, match: { kind: 'leads' } })
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'entityDisabled' } })
    expect(run.error!.remedy).toContain('Enable the feed')
    expect(await marked()).toEqual([])
  })

  test('in the middle of a push, whose edits wait for the next run', async () => {
    await editSome('In the middle', 40)
    const off = [{ fault: { ...disabled, match: { kind: 'leads' } } }]
    control().script({ afterRequests: 20, match: { kind: 'leads', method: 'PUT' }, do: off })
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'entityDisabled' } })
    expect(sumsAgree(run)).toBe(true)
    expect(await marked()).toEqual([])
    expect((await pending()).length).toBeGreaterThan(0)
    control().clearFaults()
    await expectInStep(fairlead, leads, 'lead')
    expect(await pending()).toEqual([])
  })
})

describe('R15: a CRM user with fewer rights', () => {
  test('who is not seen in a push is not marked, the run says so, and goes on when the rights are back', async () => {
    const edited = await editSome('With fewer rights', 60)
    hide([hidden.owner])
    for (const times of [1, 2]) {
      const run = await leads.run()
      expect(run).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion' } })
      expect(run.error!.remedy).toContain('rights of the CRM user')
      expect(run.counts!['push']).toMatchObject({ updated: times === 1 ? 10 : 0, skipped: 60, deleted: 0 })
      expect(await codesOf(run)).toEqual({ massDeletion: 60 })
      expect(sumsAgree(run)).toBe(true)
      expect(await marked()).toEqual([])
    }
    hide([])
    const run = await expectInStep(fairlead, leads, 'lead')
    expect(run.counts!['push']).toMatchObject({ read: 60, updated: 60 })
    for (const { crmId } of edited)
      expect(control().person('lead', crmId!)).toMatchObject({ Title: 'With fewer rights' })
  })

  test('who is seen no more after the CRM user changed is not marked, however few', async () => {
    await editSome('As another user', 3)
    const second = { username: 'second', password: 'secret', role: 'admin', userId: 'U6UJ9A00000Z' } as const
    control().setUser({ ...second, hiddenOwners: [hidden.owner] })
    await fairlead.connect({ username: 'second' })
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion' } })
    expect(run.counts!['push']).toMatchObject({ updated: 10, skipped: 3, deleted: 0 })
    expect(await marked()).toEqual([])
    await fairlead.connect()
    expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ read: 3, updated: 3 })
  })

  test('a sweep that sees nine tenths of the keys marks nobody; confirmed, it marks them, and pushes go on without them', async () => {
    await editSome('After the sweep', 20)
    hide([hidden.owner])
    const held = await leads.run('sweep')
    expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone: 100, of: 1000 } })
    expect(await marked()).toEqual([])
    const { runId } = await sweeps.confirm(fairlead.db, fairlead.accountId, held.id)
    expect(await fairlead.finished(runId)).toMatchObject({
      state: 'succeeded',
      error: null,
      counts: { sweep: { deleted: 100 } },
    })
    expect(new Set((await marked()).map(({ crmId }) => crmId))).toEqual(new Set(hidden.ids))
    const run = await leads.run()
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    expect(run.counts!['push']).toMatchObject({ read: 10, updated: 10 })

    // seen again: linked again, and what waited goes out
    hide([])
    await leads.run('sweep')
    expect(await marked()).toEqual([])
    expect((await expectInStep(fairlead, leads, 'lead')).counts!['push']).toMatchObject({ read: 20, updated: 20 })
  })

  test('who comes back when the rights do is linked again by a pull, too', async () => {
    const few = hidden.ids.slice(0, 5)
    control().massUpdate({ entity: 'lead', ids: few, values: { Owner: 'FHIDDEN00002' } })
    await expectInStep(fairlead, leads, 'lead')
    hide(['FHIDDEN00002'])
    expect(await leads.run('sweep')).toMatchObject({ state: 'succeeded', counts: { sweep: { deleted: 5 } } })
    hide([])
    control().massUpdate({ entity: 'lead', ids: few, values: { Title: 'Back' } })
    const run = await leads.run()
    expect(run.counts!['pull']).toMatchObject({ relinked: 5, updated: 5 })
    expect(await marked()).toEqual([])
    await expectQuiet(fairlead, leads, 'lead')
  })
})

test('R15, R16: however many another list has found to be taken over, they are followed, and do not count as gone', async () => {
  const values = { LastName: 'Heir', FirstName: 'An' }
  const heirs = Array.from({ length: 60 }, (_, at) => ({ ...values, Email: `heir.${at}@example.com` }))
  const ids = heirs.map((each) => control().add({ entity: 'contact', values: each }).ids[0]!)
  const went = control().add({ entity: 'lead', values: { LastName: 'Gone' }, count: 60 }).ids
  await leads.run()
  const sql = fairlead.db.$client
  for (const [at, id] of went.entries()) await takenOver(sql, leads.listId, { entity: 'lead', id }, ids[at]!)
  await sql`
    insert into late_rows (list_id, entity, crm_id, account_id)
    select id, 'lead', unnest(string_to_array(${went.join()}, ',')), account_id from lists where id = ${leads.listId}`
  control().remove({ entity: 'lead', ids: went })
  const run = await leads.run()
  expect(run).toMatchObject({
    state: 'succeeded',
    error: null,
    counts: { pull: { relinked: 60, deleted: 0, skipped: 0 } },
  })
  expect(sumsAgree(run)).toBe(true)
  const linked = (await leads.records()).filter(({ crmEntity }) => crmEntity === 'contact').map(({ crmId }) => crmId)
  expect(new Set(linked)).toEqual(new Set(ids))
})
