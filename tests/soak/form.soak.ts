import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openForm } from '../support/submission.ts'
import { plainList } from '../support/plain.ts'
import { leadsByEmail } from '../support/push.ts'
import { startWorker, type WorkerProcess } from '../support/worker.ts'

const people = 300
const rounds = 10
const kills = 12

let fairlead: Fairlead
beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '1000' }
  fairlead = await openFairlead({ worker: false, leads: 50, contacts: 20, environment })
}, 60_000)
afterAll(() => fairlead.close())

test('F3, R7, R30: three thousand submissions of three hundred people arrive once and in order, while workers are killed and the CRM fails', async () => {
  let worker: WorkerProcess = await startWorker(fairlead)
  await fairlead.connect()
  const list = await plainList(fairlead, 'Filled by forms', { Firm: ['Company', null], Job: ['Title', 'Title'] })
  const form = await openForm(fairlead, list, { email: 'E-mail', last: 'Last name', firm: 'Firm', job: 'Job' })
  const { control } = fairlead.simulator
  const onCreate = { method: 'POST', kind: 'leads' }
  const emails = Array.from({ length: people }, (_, n) => `soak${n}@form.example`)
  const submitting = (async () => {
    for (let round = 1; round <= rounds; round += 1)
      for (const email of emails) await form.submit({ email, last: 'Soak', firm: 'Ltd', job: String(round) })
  })()
  for (let n = 0; n < kills; n += 1) {
    control.addFault({ kind: 'dropAfterWrite', times: 3, after: n, match: onCreate })
    control.addFault({ kind: 'unavailable', retryAfter: 1, times: 5, after: 20 })
    await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 4000))
    await worker.kill()
    worker = await startWorker(fairlead)
  }
  await submitting
  control.clearFaults()
  const all = await form.allSettled(900_000)
  expect(all).toHaveLength(people * rounds)
  expect(all.filter(({ state }) => state !== 'pushed')).toEqual([])
  const found = leadsByEmail(fairlead)
  expect(emails.filter((email) => found.get(email)?.length !== 1)).toEqual([])
  const { items } = control.people({ entity: 'lead', count: 10_000, select: ['Id', 'Email', 'Title'] })
  const jobs = new Map(items.map((lead) => [lead['Email'], lead['Title']]))
  expect(emails.filter((email) => jobs.get(email) !== String(rounds))).toEqual([])
}, 1_800_000)
