import { afterAll, beforeAll, expect, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import { fireDue } from '../../src/db/schedule/fire.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { plainList, segmentOf } from '../support/plain.ts'
import { addSchedule, dailySpec, firingsOf } from '../support/schedule.ts'
import { sumsAgree, type TestList } from '../support/sync.ts'

const dayMs = 24 * 60 * 60_000

let fairlead: Fairlead
let list: TestList
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 0, contacts: 0 })
  await fairlead.connect()
  list = await plainList(fairlead, 'Scheduled', { Firm: ['Company', null], Team: null })
  for (const [name, Team] of Object.entries({ One: 'A', Two: 'A', Three: 'B' }))
    await list.create({ 'E-mail': `${name}@push.example`, 'Last name': name, Firm: 'Ltd', Team })
}, 60_000)
afterAll(() => fairlead.close())

const linked = async (): Promise<string[]> =>
  (await list.records()).filter(({ crmId }) => crmId !== null).map(({ values }) => String(values['Last name']))
const due = (slot: number, segmentId: string | null): Promise<string> =>
  addSchedule(fairlead, {
    listId: list.listId,
    segmentId,
    slot,
    spec: dailySpec(5),
    accountedUntil: new Date(Date.now() - dayMs / 2),
  })
const fire = (scheduleId: string) => fireDue(fairlead.db, { accountId: fairlead.accountId, scheduleId })

test('P1, P2, R19: schedules of a segment and of its plain list take turns: one pushes, the other is skipped with its run', async () => {
  const segmentId = await segmentOf(fairlead, list, { column: 'Team', operator: 'is', value: 'A' })
  const [first, second] = [await due(1, segmentId), await due(2, null)]
  const fired = await fire(first)
  expect(fired).toMatchObject({ outcome: 'started' })
  const { runId } = fired!
  expect(await runs.get(fairlead.db, fairlead.accountId, runId!)).toMatchObject({ segmentId, trigger: 'schedule' })
  expect(await fire(second)).toMatchObject({ outcome: 'skipped', code: 'runActive', runId })
  const run = await fairlead.finished(runId!)
  expect(run).toMatchObject({ state: 'succeeded', counts: { push: { created: 2 } } })
  expect(sumsAgree(run)).toBe(true)
  expect((await linked()).toSorted()).toEqual(['One', 'Two'])
  expect(await firingsOf(fairlead, second)).toMatchObject([{ outcome: 'skipped', runId }])
})
