import { eq } from 'drizzle-orm'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as accounts from '../src/db/account.ts'
import * as alerts from '../src/db/alert.ts'
import * as deliveries from '../src/db/alert/delivery.ts'
import { operator } from '../src/db/audit.ts'
import * as quarantine from '../src/db/quarantine.ts'
import * as runs from '../src/db/run/state.ts'
import * as rows from '../src/db/schema.ts'
import * as webhooks from '../src/db/webhook.ts'
import type { AlertDetails, AlertKind } from '../src/domain/alert.ts'
import { startMailSink, type MailSink } from '../src/embedded/mail.ts'
import type { housekeeping } from '../src/workflows/housekeeping.ts'
import { addList, addRun } from './api/rows.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'
import { openMessage } from './support/message.ts'
import { addAll, newPeople } from './support/push.ts'
import { isSigned, openReceiver, toldOf, type Receiver, type Turn } from './support/receiver.ts'
import { openList } from './support/sync.ts'

let fairlead: Fairlead
let sink: MailSink
const folder = mkdtempSync(join(tmpdir(), 'fairlead-alerts-'))
const logged: string[] = []
beforeAll(async () => {
  sink = await startMailSink({ dir: folder })
  fairlead = await openFairlead({
    leads: 60,
    contacts: 0,
    environment: {
      ALERT_RETRY_SECONDS: '0.05,0.05',
      SMTP_URL: sink.url,
      PUBLIC_URL: 'https://fairlead.example',
      CRM_TIMEOUT_MS: '1500',
    },
    log: pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) }),
  })
  await fairlead.connect()
}, 60_000)
afterAll(async () => {
  await fairlead.close()
  await sink.stop()
  rmSync(folder, { recursive: true })
})

const opened: { receiver: Receiver; webhookId: string }[] = []
/** A program that is told of some kinds of alerts, and answers as it is told to. */
const listen = async (events: AlertKind[], ...turns: Turn[]) => {
  const { db, accountId, wiring } = fairlead
  const receiver = await openReceiver(...turns)
  const made = await webhooks.insert(db, wiring.secrets, accountId, { url: receiver.url, events }, operator)
  opened.push({ receiver, webhookId: made.webhook.id })
  return { receiver, webhookId: made.webhook.id, secret: made.secret }
}
afterEach(async () => {
  for (const { receiver, webhookId } of opened.splice(0)) {
    await webhooks.remove(fairlead.db, fairlead.accountId, webhookId, operator)
    await receiver.close()
  }
  await accounts.update(fairlead.db, fairlead.accountId, { alertEmails: [] }, operator)
  await fairlead.db.$client`delete from alerts`
  fairlead.simulator.control.clearFaults()
})

const raise = async (kind: AlertKind, subject: string, details: AlertDetails = {}): Promise<void> => {
  await alerts.raise(fairlead.db, fairlead.accountId, { kind, subject, details })
  await fairlead.wiring.relay()
}
const resolve = async (kind: AlertKind, subject: string): Promise<void> => {
  await alerts.resolve(fairlead.db, fairlead.accountId, { kind, subject })
  await fairlead.wiring.relay()
}
const log = (webhookId: string) => deliveries.page(fairlead.db, fairlead.accountId, webhookId, { limit: 50 })
/** Until nothing of the account waits to be told. */
const settled = () =>
  until('everything is told', async () => {
    await fairlead.wiring.relay()
    const [left] = await fairlead.db.$client<[{ n: number }]>`
      select count(*)::int as n from alert_deliveries where state = 'pending'`
    return left.n === 0
  })
const housekeep = async (): Promise<void> => {
  const workflowId = `housekeeping-${randomBytes(4).toString('hex')}`
  const { flows } = fairlead.wiring
  await flows.start('housekeeping', workflowId)
  await flows.client.workflow.getHandle<typeof housekeeping>(workflowId).result()
  await settled()
}
const yesterday = () => fairlead.db.$client`
  update alerts set told_at = told_at - interval '1 day', seen_at = seen_at - interval '1 day', opened_at = opened_at - interval '1 day'`
const mails = (): string[] =>
  readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file), 'utf8'))
const noEnding = {
  counts: {},
  balance: {} as never,
  error: null,
  recordsAdded: 0,
  mark: null,
  swept: null,
  widenedAt: null,
}
const states = ({ calls }: Receiver) => calls.map((call) => `${toldOf(call).data.kind} ${toldOf(call).data.state}`)
const newList = (name: string) => addList(fairlead.db, fairlead.accountId, { name })

describe('section 5: a webhook', () => {
  test('that answers 500, then drops the connection, then takes it is told once, signed each time, and its log says all three', async () => {
    const { receiver, webhookId, secret } = await listen([], 500, 'drop')
    const listId = await newList('Told thrice')
    await raise('runFailed', listId, { code: 'internal' })
    await settled()
    expect(receiver.calls.map((call) => isSigned(call, secret))).toEqual([true, true, true])
    expect(new Set(receiver.calls.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(receiver.calls.map(({ body }) => body)).size).toBe(1)
    expect(toldOf(receiver.calls[0]!)).toMatchObject({
      type: 'alert.opened',
      data: {
        kind: 'runFailed',
        state: 'open',
        subject: { type: 'list', id: listId, name: 'Told thrice' },
        message: expect.stringMatching(/\.$/) as string,
        remedy: expect.stringMatching(/\.$/) as string,
      },
    })
    const [delivery] = await log(webhookId)
    expect(delivery).toMatchObject({ state: 'delivered', nextAt: null, event: 'runFailed' })
    expect(delivery!.id).toBe(receiver.calls[0]!.headers['webhook-id'])
    const attempt = { at: expect.any(String) as string, ms: expect.any(Number) as number }
    expect(delivery!.attempts).toEqual([
      { ...attempt, status: 500, error: 'answer' },
      { ...attempt, status: null, error: 'unreachable' },
      { ...attempt, status: 204, error: null },
    ])
    expect(logged.join('')).toContain('an alert did not arrive')
    for (const hidden of [secret, secret.slice(6), receiver.url, 'Told thrice', 'never to be kept'])
      expect(logged.join('')).not.toContain(hidden)
  })

  test('that never answers well is given up visibly, and tried anew when a person asks', async () => {
    const { receiver, webhookId } = await listen([], 500, 404, 'http://169.254.169.254/')
    await raise('runFailed', await newList('Given up'))
    await settled()
    const [failed] = await log(webhookId)
    expect(failed).toMatchObject({ state: 'failed', nextAt: null })
    expect(failed!.attempts.map(({ status, error }) => [status, error])).toEqual([
      [500, 'answer'],
      [404, 'answer'],
      [307, 'redirect'],
    ])
    await deliveries.retry(fairlead.db, fairlead.accountId, webhookId, failed!.id)
    await settled()
    expect((await log(webhookId))[0]).toMatchObject({ state: 'delivered', attempts: { length: 4 } })
    expect(receiver.calls).toHaveLength(4)
  })

  test('is told of the kinds that it wants only', async () => {
    const { receiver } = await listen(['quarantineGrown'])
    const listId = await newList('Chosen')
    await raise('runFailed', listId)
    await raise('quarantineGrown', listId, { parked: 3 })
    await settled()
    expect(states(receiver)).toEqual(['quarantineGrown open'])
  })

  test('whose secret was changed gets both signatures for a day, then the new one only', async () => {
    const { receiver, webhookId, secret } = await listen([])
    const { db, accountId, wiring } = fairlead
    const rotated = await webhooks.update(db, wiring.secrets, accountId, webhookId, { rotateSecret: true }, operator)
    await deliveries.test(db, accountId, webhookId)
    await settled()
    await db.$client`update webhooks set previous_until = now() - interval '1 second'`
    await deliveries.test(db, accountId, webhookId)
    await settled()
    expect(receiver.calls.map((call) => [isSigned(call, secret), isSigned(call, rotated.secret!)])).toEqual([
      [true, true],
      [false, true],
    ])
  })

  test('that is removed gets no more', async () => {
    const { receiver, webhookId } = await listen([], 500)
    await fairlead.db
      .$client`insert into webhooks (account_id, url, secret) values (${fairlead.accountId}, 'http://127.0.0.1:1', 'none')`
    await fairlead.db.$client`delete from webhooks where id <> ${webhookId}`
    await deliveries.test(fairlead.db, fairlead.accountId, webhookId)
    await settled()
    expect(receiver.calls).toHaveLength(2)
  })
})

test('a webhook that is removed while something is told is told nothing, and nothing fails', async () => {
  const { db, accountId, wiring } = fairlead
  const made = await webhooks.insert(db, wiring.secrets, accountId, { url: 'http://127.0.0.1:1', events: [] }, operator)
  const listId = await newList('Told meanwhile')
  let telling = Promise.resolve()
  await db.transaction(async (tx) => {
    await tx.delete(rows.webhooks).where(eq(rows.webhooks.id, made.webhook.id))
    telling = raise('runFailed', listId)
    await until('it waits for the removal', async () => {
      const waiting = await db.$client`
        select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
      return waiting.length > 0
    })
  })
  await telling
  expect(await alerts.page(db, accountId, { limit: 1 })).toMatchObject([{ subject: listId, resolvedAt: null }])
})

test('a call that waits behind another of its alert goes out at once when a person has that one tried again', async () => {
  const { receiver, webhookId } = await listen([])
  const { db, accountId } = fairlead
  const problem = { kind: 'runFailed', subject: await newList('In order') } as const
  await alerts.raise(db, accountId, problem)
  await alerts.resolve(db, accountId, problem)
  const [over, opened] = await log(webhookId)
  await deliveries.retry(db, accountId, webhookId, opened!.id)
  const woken = await db.select().from(rows.outbox).where(eq(rows.outbox.kind, 'wake')).orderBy(rows.outbox.id)
  expect(woken.slice(-2).map(({ workflowId }) => workflowId)).toEqual([`alert:${opened!.id}`, `alert:${over!.id}`])
  await settled()
  expect(states(receiver)).toEqual(['runFailed open', 'runFailed resolved'])
})

describe('one alert for an open problem and day, one on recovery', () => {
  test('to programs and people: opened and over are two tellings, another look on the same day none, the next day one', async () => {
    const { receiver } = await listen([])
    await accounts.update(fairlead.db, fairlead.accountId, { alertEmails: ['ops@example.com'] }, operator)
    const before = mails().length
    const listId = await newList('Kühler Verteiler')
    const runId = await addRun(fairlead.db, fairlead.accountId, { kind: 'sync', listId })
    for (let times = 0; times < 3; times += 1) await raise('runIncomplete', listId, { runId, code: 'crmFailed' })
    await housekeep()
    expect(states(receiver)).toEqual(['runIncomplete open'])
    await yesterday()
    await housekeep()
    await housekeep()
    expect(states(receiver)).toEqual(['runIncomplete open', 'runIncomplete open'])
    await resolve('runIncomplete', listId)
    await settled()
    await raise('runIncomplete', listId, { code: 'crmFailed' })
    await resolve('runIncomplete', listId)
    await settled()
    expect(states(receiver)).toEqual(['runIncomplete open', 'runIncomplete open', 'runIncomplete resolved'])
    const sent = mails().slice(before)
    expect(sent).toHaveLength(3)
    expect(sent[0]).toMatch(/^To: ops@example\.com\r$/m)
    expect(sent[0]).toMatch(/^Message-ID: <[0-9a-f-]{36}@localhost>\r$/m)
    expect(sent[0]).toContain('Auto-Submitted: auto-generated')
    expect(sent[0]!.replaceAll('=\r\n', '')).toContain(`https://fairlead.example/v1/runs/${runId}`)
    expect(sent[2]).toContain('complete again')
  })

  test('a quarantine is told of again only when it has grown since', async () => {
    const { receiver } = await listen([])
    const listId = await newList('Parked more')
    for (const parked of [5, 3]) await raise('quarantineGrown', listId, { parked })
    await yesterday()
    await housekeep()
    await raise('quarantineGrown', listId, { parked: 5 })
    expect(await settled()).toBe(true)
    expect(receiver.calls).toHaveLength(1)
    await raise('quarantineGrown', listId, { parked: 6 })
    await settled()
    expect(receiver.calls).toHaveLength(2)
  })

  test('what happened once is neither repeated nor said to be over; of what is gone nothing is open', async () => {
    const { receiver } = await listen([])
    const before = mails().length
    await accounts.update(fairlead.db, fairlead.accountId, { alertEmails: ['ops@example.com'] }, operator)
    const listId = await newList('Removed')
    await raise('scheduleMissed', listId)
    await raise('runFailed', listId)
    await settled()
    await yesterday()
    await fairlead.db.$client`update lists set removed_at = now() where id = ${listId}`
    await housekeep()
    expect(states(receiver).toSorted()).toEqual(['runFailed open', 'runFailed resolved', 'scheduleMissed open'])
    // it was not mended, and nobody says so
    const last = mails().slice(before).at(-1)
    expect(last).toContain('A problem is over: Removed')
    expect(last).not.toContain('succeed again')
    expect(toldOf(receiver.calls.at(-1)!).data).toMatchObject({ details: { gone: true } })
    const open = await alerts.page(fairlead.db, fairlead.accountId, { limit: 200 })
    expect(open.filter(({ subject, resolvedAt }) => subject === listId && resolvedAt === null)).toEqual([])
  })

  test('the problem of a message stays open until the message is removed', async () => {
    const { db, accountId } = fairlead
    const { messageId } = await openMessage(fairlead, await newList('Mailed'))
    const isOpen = async (): Promise<boolean> =>
      (await alerts.page(db, accountId, { limit: 200 })).some(
        ({ subject, resolvedAt }) => subject === messageId && resolvedAt === null,
      )
    await raise('runFailed', messageId)
    await alerts.closeOver(db)
    expect(await isOpen()).toBe(true)
    await db.update(rows.messages).set({ removedAt: new Date() }).where(eq(rows.messages.id, messageId))
    await alerts.closeOver(db)
    expect(await isOpen()).toBe(false)
  })
})

describe('what is told', () => {
  test('C4: a password that was changed in the CRM, and its reconfirmation', async () => {
    const { receiver } = await listen(['connectionBroken'])
    const { control } = fairlead.simulator
    control.setUser({ username: 'admin', password: 'changed' })
    await housekeep()
    expect(states(receiver)).toEqual(['connectionBroken open'])
    await fairlead.connect({ password: 'changed' })
    await settled()
    expect(states(receiver)).toEqual(['connectionBroken open', 'connectionBroken resolved'])
    control.setUser({ username: 'admin', password: 'secret' })
    await fairlead.connect()
  })

  test('a run that ends incomplete, until one of the same list succeeds; nothing of one that is cancelled', async () => {
    const { receiver } = await listen(['runIncomplete', 'runFailed'])
    const { control } = fairlead.simulator
    const [first] = control.people({ entity: 'lead', count: 1 }).items
    control.addFault({ kind: 'poison', ids: [first!.Id] })
    const imported = await fairlead.finished(await fairlead.startImport('lead', ['Company', 'Title'], true))
    expect(imported.state).toBe('incomplete')
    await settled()
    const list = await openList(fairlead, imported.listId!)
    control.clearFaults()
    const cancelled = await addRun(fairlead.db, fairlead.accountId, {
      kind: 'sync',
      listId: imported.listId,
      state: 'running',
    })
    const run = await runs.get(fairlead.db, fairlead.accountId, cancelled)
    await runs.finish(fairlead.db, run, { ...noEnding, state: 'cancelled' })
    await settled()
    expect(receiver.calls).toHaveLength(1)
    expect((await list.run()).state).toBe('succeeded')
    await settled()
    expect(states(receiver)).toEqual(['runIncomplete open', 'runIncomplete resolved'])
    expect(toldOf(receiver.calls[0]!).data).toMatchObject({
      details: { runId: imported.id, run: 'import', code: 'crmFailed' },
    })
  })

  test('R15: what a sweep left for a person is not over because a sync succeeds, but because a sweep does', async () => {
    const { receiver } = await listen(['runIncomplete'])
    const listId = await newList('Many gone')
    const end = async (kind: 'sync' | 'sweep', code?: string): Promise<void> => {
      const runId = await addRun(fairlead.db, fairlead.accountId, { kind, listId, state: 'running' })
      const run = await runs.get(fairlead.db, fairlead.accountId, runId)
      const error = code === undefined ? null : { code, detail: '.', remedy: '.' }
      const state = error === null ? 'succeeded' : 'incomplete'
      await runs.finish(fairlead.db, run, { ...noEnding, error, state })
      await settled()
    }
    await end('sweep', 'massDeletion')
    await end('sync', 'crmFailed')
    await end('sync')
    expect(states(receiver)).toEqual(['runIncomplete open'])
    await end('sweep')
    expect(states(receiver)).toEqual(['runIncomplete open', 'runIncomplete resolved'])
  })

  test('R23: records that are parked, until none is', async () => {
    const { receiver } = await listen(['quarantineGrown'])
    const { control } = fairlead.simulator
    const imported = await fairlead.finished(await fairlead.startImport('lead', ['Company'], true))
    const list = await openList(fairlead, imported.listId!)
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: [] })
    await addAll(list, newPeople(3, 'parked'))
    const match = { method: 'POST', kind: 'leads' }
    control.addFault({ kind: 'errorArray', status: 400, message: 'Not today.', match })
    for (let times = 0; times < 3; times += 1) await list.run()
    await settled()
    expect(toldOf(receiver.calls[0]!).data).toMatchObject({ subject: { id: list.listId }, details: { parked: 3 } })
    await quarantine.releaseBy(fairlead.db, fairlead.accountId, { listId: list.listId }, operator)
    await settled()
    expect(states(receiver)).toEqual(['quarantineGrown open', 'quarantineGrown resolved'])
  })
})
