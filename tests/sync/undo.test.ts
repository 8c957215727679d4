import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { requestUndo } from '../../src/db/run/undo.ts'
import * as runs from '../../src/db/run/state.ts'
import { request } from '../../src/db/sync/request.ts'
import type { PushSettings } from '../../src/domain/sync.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree, type EntryRow, type Held, type TestList } from '../support/sync.ts'
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
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(sumsAgree(run)).toBe(true)
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
