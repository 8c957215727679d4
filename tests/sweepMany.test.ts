import { afterAll, beforeAll, expect, test } from 'vitest'
import * as sweeps from '../src/db/sweep.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'

/** More than a sweep settles at a time. */
const hiddenCount = 21_000
const owner = 'FHIDDEN00001'
let fairlead: Fairlead
let listId: string

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 22_000, contacts: 0, maxPage: 1000 })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead'))
  expect(run.state).toBe('succeeded')
  listId = run.listId!
}, 120_000)
afterAll(() => fairlead.close())

const sweep = async () => fairlead.finished((await sweeps.request(fairlead.db, fairlead.accountId, listId)).runId)

test('R15: of whoever the keys do not name, nobody is taken to be gone before the CRM was asked for all of them', async () => {
  const { control } = fairlead.simulator
  const ids = control
    .people({ entity: 'lead', count: hiddenCount })
    .items.map(({ Id }) => Id)
    .toSorted()
  const seen = (some: string[], to: string) => ({
    massUpdate: { entity: 'lead' as const, ids: some, values: { Owner: to } },
  })
  const byName = { afterRequests: 1, match: { kind: 'leads' as const, contains: 'Id in (' } }
  control.massUpdate(seen(ids, owner).massUpdate)
  control.setUser({ username: 'admin', hiddenOwners: [owner] })
  // some of those who are asked for at first, and all of the others, are seen as soon as the first of all are asked for
  const some = [...ids.slice(500, 1000), ...ids.slice(20_000)]
  control.script({ ...byName, do: [seen(some, 'SYST00000001')] })
  const held = await sweep()
  const gone = hiddenCount - some.length
  expect(held).toMatchObject({ state: 'incomplete', error: { code: 'massDeletion', gone }, balance: { extra: gone } })
  control.massUpdate(seen(some, owner).massUpdate)
  // all are seen as soon as somebody is asked for by name
  control.script({ ...byName, do: [seen(ids, 'SYST00000001')] })
  const run = await sweep()
  // but those of the first question
  const { deleted = 0 } = run.counts!['sweep'] ?? {}
  const cameDuring = hiddenCount - deleted
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true, explained: { cameDuring } } })
})
