import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openOptOuts } from '../support/optOut.ts'
import { startWorker } from '../support/worker.ts'
import { openPeople } from '../sync/people.ts'

let fairlead: Fairlead
beforeAll(async () => {
  fairlead = await openFairlead({ worker: false, leads: 3, contacts: 2, environment: { CRM_TIMEOUT_MS: '2000' } })
})
afterAll(() => fairlead.close())

test('R34: a worker that is killed between the write and its answer leaves nobody out, and who unsubscribes before a CRM is connected is told to it', async () => {
  const crm = openPeople(fairlead)
  const optOuts = openOptOuts(fairlead)
  const email = 'killed@optout.example'
  const ids = ['lead', 'contact', 'lead'].map((entity) =>
    crm.add(entity as 'lead', { Email: email, LastName: 'Person', DoNotEmail: false }),
  )
  await optOuts.out(email)
  expect(await optOuts.of(email)).toEqual([])
  const worker = await startWorker(fairlead)
  crm.control.addFault({ kind: 'slow', ms: 1500, when: 'after', times: 2, match: { method: 'PUT' } })
  await fairlead.connect()
  const flags = () => ids.map((id) => crm.everybody().get(id)?.['DoNotEmail'])
  await until('one is written', async () => flags().includes(true))
  await worker.kill()
  expect((await optOuts.of(email)).map(({ state }) => state)).toEqual(['waiting'])
  await startWorker(fairlead)
  const { results } = await optOuts.reaches(email, 'written')
  expect(flags()).toEqual([true, true, true])
  expect(results).toHaveLength(3)
})
