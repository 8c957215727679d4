import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { createBudget } from '../../src/db/budget/budget.ts'
import * as erasures from '../../src/db/erasure.ts'
import { claimCreation, dropClaim } from '../../src/db/sync/creation.ts'
import { request } from '../../src/db/sync/request.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { addAll, createsAt, expectOneLeadEach, leadsByEmail, newPeople } from '../support/push.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'

let fairlead: Fairlead
let leads: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 20, contacts: 5, environment: { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0' } })
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company']))
  leads = await openList(fairlead, run.listId!)
  await leads.settings({ enabled: true, addNew: true })
}, 60_000)
afterAll(() => fairlead.close())

type Waiting = { emailKey: string; recordId: string; connectionId: string }
/** Claims whose request has not gone out yet. */
const unsent = () =>
  fairlead.db.$client<Waiting[]>`
    select encode(email_key, 'hex') as "emailKey", record_id::text as "recordId", connection_id::text as "connectionId" from creations
    where sent_at is null and done_at is null`

test('R7: a create that waits for its turn has not been sent, and is not sent when another one has claimed the person meanwhile', async () => {
  const people = newPeople(40, 'claimed')
  const ids = await addAll(leads, people)
  const emailOf = new Map(ids.map((id, at) => [id, people[at]!.Email]))
  const { control } = fairlead.simulator
  const { accountId, db } = fairlead
  control.settings({ latencyMs: 60 })
  const { runId } = await request(db, accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  await fairlead.wiring.relay()
  await until('some are created', async () => createsAt(fairlead) > 4)

  // somebody else has all of the connection's turns
  const connection = (await db.query.connections.findMany())[0]!
  const budget = createBudget(db, { accountId, connectionId: connection.id, timeoutMs: 20_000 })
  const turns = await Promise.all([1, 2, 3, 4].map(() => budget.take('interactive')))
  const waiting = await until('creates wait for their turn', async () => {
    const rows = await unsent()
    return rows.length === 4 && rows
  })
  await db.$client`update creations set claimed_at = now() - interval '11 minutes' where sent_at is null`
  const others = (await leads.records()).filter(({ crmId }) => crmId !== null)
  const taken = await Promise.all(
    waiting.map(async ({ emailKey, connectionId }, at) => {
      const key = { accountId, connectionId, emailKey, recordId: others[at]!.id, runId }
      const claim = await claimCreation(db, key, { resolvedMsAgo: 0, waitMs: 2000 })
      if (claim.state !== 'mine') throw new Error(`the claim is ${claim.state}`)
      return () => dropClaim(db, key, claim.token)
    }),
  )
  await Promise.all(turns.map((turn) => turn.release()))

  const claimed = waiting.map(({ recordId }) => emailOf.get(recordId)!)
  await until('the others are stored', async () => {
    const open = (await leads.records()).filter(({ crmId, removed }) => crmId === null && !removed)
    return open.length === claimed.length
  })
  const there = leadsByEmail(fairlead)
  expect(claimed.filter((email) => there.has(email))).toEqual([])

  await Promise.all(taken.map((drop) => drop()))
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 40, created: 40 })
  expect(sumsAgree(run)).toBe(true)
  expect(createsAt(fairlead)).toBe(40)
  await expectOneLeadEach(fairlead, [leads], people)
}, 60_000)

test('R40: a record that is erased between look-up and create is not created: the run counts it as skipped, and ends', async () => {
  const people = newPeople(40, 'forgotten')
  const ids = await addAll(leads, people)
  const { accountId, db, wiring, simulator } = fairlead
  const before = createsAt(fairlead)
  simulator.control.settings({ latencyMs: 60 })
  const { runId } = await request(db, accountId, leads.listId, { kind: 'sync', trigger: 'api' })
  await wiring.relay()
  await until('some are created', async () => createsAt(fairlead) > before)

  const connection = (await db.query.connections.findMany())[0]!
  const budget = createBudget(db, { accountId, connectionId: connection.id, timeoutMs: 20_000 })
  const turns = await Promise.all([1, 2, 3, 4].map(() => budget.take('interactive')))
  const last = { recordId: ids.toSorted().at(-1)! }
  const email = people[ids.indexOf(last.recordId)]!.Email
  await erasures.erase(db, wiring.secrets, accountId, { subject: last, reason: null }, operator)
  await Promise.all(turns.map((turn) => turn.release()))

  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', error: null })
  expect(run.counts!['push']).toMatchObject({ read: 40, created: 39, skipped: 1 })
  expect(sumsAgree(run)).toBe(true)
  const skipped = (await leads.entries(runId)).filter(({ kind }) => kind === 'skipped')
  expect(skipped).toMatchObject([{ phase: 'push', code: 'erased', recordId: null, crmId: null }])
  expect(leadsByEmail(fairlead).has(email)).toBe(false)
  const key = { accountId, connectionId: connection.id, emailKey: '00'.repeat(16), ...last, runId }
  expect(await claimCreation(db, key, { resolvedMsAgo: 0, waitMs: 0 })).toEqual({ state: 'gone' })
}, 60_000)
