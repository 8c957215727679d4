import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { inCrm, openNotes } from '../support/note.ts'
import { startWorker } from '../support/worker.ts'

let fairlead: Fairlead
beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0', PUBLIC_URL: 'https://fairlead.example' }
  fairlead = await openFairlead({ worker: false, leads: 120, contacts: 2, environment })
})
afterAll(() => fairlead.close())

test('R31: a worker that is killed while notes are made leaves none missing and none double', async () => {
  const worker = await startWorker(fairlead)
  await fairlead.connect()
  const { listId } = await fairlead.finished(await fairlead.startImport('lead'))
  const message = await openNotes(fairlead, listId!)
  const { control } = fairlead.simulator
  // stored at once, answered late: when the worker dies nobody here knows
  control.addFault({ kind: 'slow', ms: 150, when: 'after', match: { method: 'POST', kind: 'history' } })
  await message.accept(await message.recipients())
  await until('notes are made', async () => control.notes().total >= 20)
  await worker.kill()
  control.clearFaults()
  const states = (await message.all()).map(({ state }) => state)
  expect(states).toContain('creating')
  expect(states.filter((state) => state === 'written').length).toBeLessThan(control.notes().total)
  await startWorker(fairlead)
  const run = await fairlead.finished((await message.runs())[0]!)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const all = await message.all()
  expect(run.counts!['notes']).toMatchObject({ read: all.length, created: all.length })
  const found = inCrm(fairlead)
  expect(all.map(({ state, token }) => [state, found.get(token)?.length])).toEqual(all.map(() => ['written', 1]))
}, 90_000)
