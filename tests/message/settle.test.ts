import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claim } from '../../src/db/delivery/claim.ts'
import { ledgerOf } from '../../src/db/delivery/finish.ts'
import { freeze } from '../../src/db/delivery/freeze.ts'
import { jobOf, type Job } from '../../src/db/delivery/job.ts'
import { settle } from '../../src/db/delivery/settle.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as runs from '../../src/db/run/state.ts'
import * as t from '../../src/db/schema.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addPeople, openMessage } from '../support/message.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

const fake = () => ({ db: api.db, accountId: api.account.id, wiring: { relay: async () => undefined } as never })
const listOf = async (name: string, emails: string[]): Promise<string> => {
  const { id } = (await api.call('POST', '/v1/lists', { body: { name } })).body
  const hashKey = await hashKeyOf(api.db, api.secrets, api.account.id)
  const people = emails.map((email) => ({ email, first: 'Pat' }))
  await addPeople(fake(), id, people, (email) => emailKeyOf(hashKey, email))
  return id
}
/** The audience of a message, frozen by its run. */
const frozen = async (runId: string): Promise<Job> => {
  const run = () => runs.get(api.db, api.account.id, runId)
  await freeze(api.db, api.secrets, await run(), {
    check: async () => undefined,
    signal: new AbortController().signal,
  })
  return jobOf(api.db, await run())
}
const claimId = '019ab3c7-0000-7000-8000-112233445566'
const claimAll = (job: Job) => claim(api.db, job, claimId, { limit: 100, leaseMs: 60_000 })

test('R34: who opts out by any record of the account after the freeze is not mailed, however the record keeps it', async () => {
  const emails = ['own', 'other', 'solicit', 'removed', 'gone', 'free'].map((name) => `${name}@opted.example`)
  const listId = await listOf('Mailed', emails)
  const otherId = await listOf('Not mailed', emails)
  const goneId = await listOf('Removed', emails)
  const message = await openMessage(fake(), listId)
  const job = await frozen(await message.send())
  const say = (list: string, name: string, fields: Record<string, unknown>) => api.db.$client`
    update records set fields = fields || ${JSON.stringify(fields)}::text::jsonb
    where list_id = ${list} and fields ->> 'c1' = ${`${name}@opted.example`}`
  await say(listId, 'own', { c6: ' T ' })
  await say(otherId, 'other', { c6: true })
  await say(otherId, 'solicit', { c7: ' Y' })
  await say(otherId, 'removed', { c6: true })
  await api.db.$client`
    update records set removed_at = now() where list_id = ${otherId} and fields ->> 'c1' = 'removed@opted.example'`
  await say(goneId, 'gone', { c6: true })
  await api.db
    .update(t.lists)
    .set({ removedAt: sql`now()` })
    .where(eq(t.lists.id, goneId))
  await say(otherId, 'free', { c6: false, c7: 'no' })
  const claimed = await claimAll(job)
  expect(claimed.map(({ email, skip }) => `${email.split('@')[0]} ${skip}`).toSorted()).toEqual([
    'free null',
    'gone null',
    'other optedOut',
    'own optedOut',
    'removed null',
    'solicit optedOut',
  ])
})

test('dead addresses of a page are suppressed together, each with its evidence', async () => {
  const emails = ['x', 'y', 'z'].map((name) => `${name}@dead.example`)
  const message = await openMessage(fake(), await listOf('Dead', emails))
  const job = await frozen(await message.send())
  const dead = { state: 'rejected', code: 'mailRefused', status: 550, smtpCode: '5.1.1', isDead: true } as const
  const audits = () => api.db.$count(t.audit, eq(t.audit.action, 'suppression.create'))
  const before = await audits()
  const outcomes = (await claimAll(job)).map((delivery) => ({ delivery, ...dead }))
  await settle(api.db, job, claimId, outcomes)
  const made = await api.db.select().from(t.suppressions).where(eq(t.suppressions.reason, 'bounced'))
  expect(new Set(made.map(({ email }) => email))).toEqual(new Set(emails))
  for (const { delivery } of outcomes)
    expect(made.find(({ email }) => email === delivery.email)!.evidence).toContain(delivery.id)
  expect((await audits()) - before).toBe(1)
  const counts = { state: 'rejected', code: 'mailRefused' }
  expect(await message.deliveries()).toMatchObject([counts, counts, counts])
})

test('a mail that is answered after its run has failed counts in the run that goes on with it, and that ledger balances', async () => {
  const emails = ['a', 'b', 'c', 'd'].map((name) => `${name}@late.example`)
  const message = await openMessage(fake(), await listOf('Late', emails))
  const { db, account } = api
  const failed = await frozen(await message.send())
  const claimed = await claimAll(failed)
  const of = (at: number) => ({ delivery: claimed[at]!, sentAt: new Date() })
  await settle(db, failed, claimId, [{ ...of(0), state: 'accepted', code: null }])
  await db.update(t.runs).set({ state: 'failed', finishedAt: new Date() }).where(eq(t.runs.id, failed.runId))
  const next = await frozen(await message.send())
  expect(next.runId).not.toBe(failed.runId)
  // the worker of the failed run is alive
  const last = await settle(db, failed, claimId, [
    { ...of(1), state: 'accepted', code: null },
    { ...of(2), state: 'rejected', code: 'mailRefused' },
    { ...of(3), state: 'unknown', code: 'fateUnknown' },
  ])
  expect(last).toEqual({ cancelRequested: true })
  const ledger = async (runId: string) => ledgerOf(db, await runs.get(db, account.id, runId))
  expect(await ledger(failed.runId)).toMatchObject({
    counts: { send: { read: 1, created: 1, rejected: 0 } },
    balance: { balanced: true },
  })
  expect(await ledger(next.runId)).toMatchObject({
    counts: { send: { read: 3, created: 1, rejected: 2 } },
    balance: { balanced: true },
  })
})
