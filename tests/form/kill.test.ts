import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openForm, type TestForm } from '../support/submission.ts'
import { plainList } from '../support/plain.ts'
import { createsAt, leadsByEmail } from '../support/push.ts'
import { startWorker } from '../support/worker.ts'

let fairlead: Fairlead
let form: TestForm

beforeAll(async () => {
  fairlead = await openFairlead({
    worker: false,
    leads: 3,
    contacts: 2,
    environment: { CRM_TIMEOUT_MS: '2000', CRM_LATE_MS: '0' },
  })
})
afterAll(() => fairlead.close())

test('R7, F3: a worker that is killed between the creation of a lead and its answer leaves one lead, and nothing is lost', async () => {
  const worker = await startWorker(fairlead)
  await fairlead.connect()
  const list = await plainList(fairlead, 'Filled by forms', { Firm: ['Company', null] })
  form = await openForm(fairlead, list, { email: 'E-mail', last: 'Last name', firm: 'Firm' })
  fairlead.simulator.control.addFault({
    kind: 'slow',
    ms: 1500,
    when: 'after',
    times: 1,
    match: { method: 'POST', kind: 'leads' },
  })
  const email = 'killed@form.example'
  const id = await form.submit({ email, last: 'Killed', firm: 'Ltd' })
  const more = await form.submit({ email, last: 'Later' })
  await until('the CRM has the lead', async () => (leadsByEmail(fairlead).get(email)?.length ?? 0) > 0)
  await worker.kill()
  expect((await form.of(id)).state).toBe('pushing')
  await startWorker(fairlead)
  expect(await form.settled(id)).toMatchObject({ state: 'pushed', results: [{ entity: 'lead', kind: 'created' }] })
  expect(await form.settled(more)).toMatchObject({
    state: 'pushed',
    results: [{ kind: 'updated', fields: ['LastName'] }],
  })
  expect(leadsByEmail(fairlead).get(email)).toHaveLength(1)
  expect(createsAt(fairlead)).toBe(1)
}, 90_000)

test('F3: submissions whose drainer is gone are taken up by a worker', async () => {
  const sql = fairlead.db.$client
  const id = await form.store({ email: 'lost@form.example', last: 'Lost', firm: 'Ltd' })
  // lost with the engine's own data: told, and nobody there
  await sql`update outbox set done_at = now() where done_at is null`
  await sql`update submissions set due_at = now() - interval '2 minutes' where id = ${id}`
  const [connection] = await sql<[{ id: string }]>`select id::text from connections`
  await fairlead.wiring.flows.client.workflow.getHandle(`forms:${connection.id}`).terminate()
  await startWorker(fairlead)
  expect(await form.settled(id)).toMatchObject({ state: 'pushed' })
}, 60_000)
