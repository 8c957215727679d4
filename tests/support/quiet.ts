import { expect } from 'vitest'
import type { Run } from '../../src/db/run/state.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { differences } from './compare.ts'
import type { Fairlead } from './fairlead.ts'
import { expectGood, sumsAgree, type TestList } from './sync.ts'

/** Changes when any record of the list is written, whatever is written. */
const stateOf = async ({ db }: Fairlead, { listId }: TestList) => {
  const [state] = await db.$client<[{ rows: number; versions: number; latest: string }]>`
    select count(*)::int as rows, sum(version)::int as versions, max(updated_at)::text as latest from records where list_id = ${listId}`
  return state
}

/** A sync when nothing has happened since the last one: both sides agree, and nothing is written on either. Answers the run. */
export const expectQuiet = async (fairlead: Fairlead, list: TestList, entity: CrmEntity): Promise<Run> => {
  const { control } = fairlead.simulator
  const before = await stateOf(fairlead, list)
  const { writes } = control.gauges()
  const run = await list.run()
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  const none = { created: 0, updated: 0, skipped: 0, rejected: 0, deleted: 0, relinked: 0, conflicts: 0 }
  for (const counts of Object.values(run.counts!)) expect(counts).toMatchObject(none)
  expect(sumsAgree(run)).toBe(true)
  expect(control.gauges().writes - writes).toBe(0)
  expect(await stateOf(fairlead, list)).toEqual(before)
  expect(await differences(fairlead, list.listId, entity)).toEqual([])
  return run
}

/** Everything that differed is in step after one sync, and the next one writes nothing. Answers the first. */
export const expectInStep = async (fairlead: Fairlead, list: TestList, entity: CrmEntity): Promise<Run> => {
  const run = await list.run()
  expectGood(run)
  expect(await differences(fairlead, list.listId, entity)).toEqual([])
  await expectQuiet(fairlead, list, entity)
  return run
}
