import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as erasures from '../../src/db/erasure.ts'
import * as runs from '../../src/db/run/state.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { openMessage } from '../support/message.ts'
import { tracesOf } from '../support/traces.ts'

let fairlead: Fairlead
let mail: MailServer
let gate: postgres.Sql
const gateKey = 4711

beforeAll(async () => {
  mail = await openMailServer()
  fairlead = await openFairlead({
    leads: 1,
    contacts: 1,
    environment: { PUBLIC_URL: 'https://fairlead.example', SMTP_URL: mail.url },
  })
  await fairlead.connect()
  gate = postgres(fairlead.environment['DATABASE_URL']!, { max: 1, onnotice: () => undefined })
  // an audience that takes as long as somebody holds the gate
  await fairlead.db.$client.unsafe(`
    create function wait_at_gate() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(${gateKey}); return null; end $$;
    create trigger gate after insert on deliveries for each statement execute function wait_at_gate()`)
})
afterAll(async () => {
  await gate.end()
  await fairlead.close()
  await mail.close()
})
beforeEach(async () => {
  await gate`select pg_advisory_lock(${gateKey})`
})
afterEach(async () => {
  await gate`select pg_advisory_unlock_all()`
})

let lists = 0
/** A list of two people who are in the CRM, and a message to it whose audience is being looked up. */
const freezing = async () => {
  const { db, simulator } = fairlead
  const domain = `freeze${(lists += 1)}.example`
  for (const name of ['stays', 'goes'])
    simulator.control.add({ entity: 'lead', values: { Email: `${name}@${domain}`, LastName: name, DoNotEmail: false } })
  simulator.control.add({ entity: 'lead', values: { Email: '', LastName: `nobody-${domain}`, DoNotEmail: false } })
  const imported = await fairlead.finished(await fairlead.startImport('lead', undefined, true))
  const message = await openMessage(fairlead, imported.listId!)
  const runId = await message.send()
  await until(
    'the audience is under way',
    async () =>
      (await db.$client`select from pg_locks where locktype = 'advisory' and objid = ${gateKey} and not granted`)
        .length > 0,
  )
  return { message, runId, domain, listId: imported.listId! }
}

test('R40: an erasure does not wait for an audience that is looked up, and it holds for it', async () => {
  const { db, accountId, wiring } = fairlead
  const { message, runId, domain, listId } = await freezing()
  const email = `goes@${domain}`
  const [other] = await db.$client<[{ id: string; crmId: string }]>`
    select id::text, crm_id as "crmId" from records where list_id = ${listId} and email_key is null and fields ->> 'c3' = ${`nobody-${domain}`}`
  const erase = (subject: Parameters<typeof erasures.erase>[3]['subject']) =>
    erasures.erase(db, wiring.secrets, accountId, { subject, reason: null }, operator)
  await erase({ email })
  await erase({ recordId: other.id })
  expect(await message.deliveries()).toEqual([])
  await gate`select pg_advisory_unlock_all()`
  const run = await fairlead.finished(runId)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const skipped = (await message.deliveries()).filter(({ code }) => code === 'erased')
  expect(skipped).toMatchObject([{ state: 'skipped', email: null }])
  expect(mail.received.map(({ to }) => to)).toContain(`stays@${domain}`)
  expect(mail.received.map(({ to }) => to)).not.toContain(email)
  expect(await tracesOf(db, [email, other.crmId, other.id])).toEqual([])
})

test('a run that is cancelled meanwhile does not wait for its audience, and nobody is mailed', async () => {
  const { db, accountId, wiring } = fairlead
  const { message, runId, domain } = await freezing()
  await runs.requestCancel(db, accountId, runId)
  await wiring.relay()
  // the gate is still held
  expect(await fairlead.finished(runId)).toMatchObject({ state: 'cancelled' })
  expect(await message.deliveries()).toEqual([])
  expect(mail.received.filter(({ to }) => to.endsWith(domain))).toEqual([])
})
