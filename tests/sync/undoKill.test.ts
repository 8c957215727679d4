import { expect, onTestFinished, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import { requestUndo } from '../../src/db/run/undo.ts'
import { openFairlead, until } from '../support/fairlead.ts'
import { openList, sumsAgree } from '../support/sync.ts'
import { startWorker } from '../support/worker.ts'

test('a worker killed in the middle of an undo leaves each value set back once, and exact counts', async () => {
  const fairlead = await openFairlead({
    worker: false,
    leads: 80,
    contacts: 5,
    environment: { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1000' },
  })
  onTestFinished(fairlead.close)
  const { control } = fairlead.simulator
  const worker = await startWorker(fairlead)
  await fairlead.connect()
  const { listId } = await fairlead.finished(await fairlead.startImport('lead', ['Title']))
  const list = await openList(fairlead, listId!)
  await list.settings({ enabled: true, updateExisting: true, fields: ['Title'] })
  const people = (await list.records()).slice(0, 60)
  const titleOf = (crmId: string | null): unknown => control.person('lead', crmId!)!['Title']
  const earlier = new Map(people.map(({ crmId }) => [crmId, titleOf(crmId)]))
  await Promise.all(people.map(({ id }) => list.edit(id, { Title: 'Ours' })))
  const pushed = await list.run()
  expect(pushed.counts!['push']).toMatchObject({ updated: 60 })
  const backIn = (): number => people.filter(({ crmId }) => titleOf(crmId) !== 'Ours').length
  expect(backIn()).toBe(0)

  control.settings({ latencyMs: 60 })
  const { runId } = await requestUndo(fairlead.db, fairlead.accountId, pushed.id)
  await fairlead.wiring.relay()
  await until('some values are back', async () => backIn() >= 20)
  await worker.kill()
  expect((await runs.get(fairlead.db, fairlead.accountId, runId)).state).toBe('running')
  await startWorker(fairlead)
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 60, updated: 60, unchanged: 0, skipped: 0, rejected: 0 })
  expect(sumsAgree(run)).toBe(true)
  for (const [crmId, title] of earlier) expect(titleOf(crmId)).toEqual(title)
  const held = (await list.records()).filter(({ agreed }) => agreed['Title']?.h === true)
  expect(held).toHaveLength(60)
  expect((await list.entries(runId)).filter(({ kind }) => kind === 'updated')).toHaveLength(60)
}, 120_000)
