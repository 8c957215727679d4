import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as deliveries from '../src/db/alert/delivery.ts'
import { operator } from '../src/db/audit.ts'
import { emailKeyOf, hashKeyOf } from '../src/db/emailKey.ts'
import * as messages from '../src/db/message.ts'
import * as runs from '../src/db/run/state.ts'
import { requestUndo } from '../src/db/run/undo.ts'
import * as sweeps from '../src/db/sweep.ts'
import { request } from '../src/db/sync/request.ts'
import * as webhooks from '../src/db/webhook.ts'
import type { WorkflowName } from '../src/temporal/flows.ts'
import { openFairlead, until, type Fairlead } from './support/fairlead.ts'
import { checkOf, fetchHistory, openReplayer, record, recorded } from './support/history.ts'
import { freePort, openMailServer, type MailServer } from './support/mail.ts'
import { addPeople, openMessage } from './support/message.ts'
import { openOptOuts } from './support/optOut.ts'
import { openForm } from './support/submission.ts'
import { openNotes } from './support/note.ts'
import { plainList } from './support/plain.ts'
import { addSchedule, dailySpec } from './support/schedule.ts'
import { openReceiver } from './support/receiver.ts'
import { openList, type TestList } from './support/sync.ts'
import { addUploads, type Uploads } from './support/upload.ts'

// a workflow that is missing here does not compile
const workflows: Record<WorkflowName, true> = {
  checkConnection: true,
  fireSchedule: true,
  housekeeping: true,
  importList: true,
  readFields: true,
  readPicklist: true,
  syncList: true,
  uploadList: true,
  deliverAlert: true,
  drainForms: true,
  sendMessage: true,
  pushOptOuts: true,
  testMessage: true,
  deliverNotes: true,
}

describe('histories that were recorded before replay with the code of today', () => {
  const { replay, close } = openReplayer()
  afterAll(close)

  test.each(recorded())('$name', async ({ history }) => {
    await replay(history)
  })

  test('there is one of every workflow', () => {
    const names = new Set(recorded().map(({ name }) => name.split('.')[0]))
    expect(names).toEqual(new Set(Object.keys(workflows)))
  })
})

describe('what happens today replays, too', () => {
  const { replay, close } = openReplayer()
  afterAll(close)
  let fairlead: Fairlead
  let mailPort: number
  beforeAll(async () => {
    mailPort = await freePort()
    const environment = {
      CRM_TIMEOUT_MS: '2000',
      SMTP_URL: `smtp://127.0.0.1:${mailPort}`,
      PUBLIC_URL: 'https://fairlead.example',
      MAIL_RETRY_SECONDS: '1.5',
    }
    fairlead = await openFairlead({ leads: 1500, contacts: 10, maxPage: 100, environment })
    await fairlead.connect()
  }, 60_000)
  afterAll(() => fairlead.close())

  const prove = async (name: string, workflowId: string): Promise<void> => {
    const history = await fetchHistory(fairlead, workflowId)
    await replay(history)
    record(name, history)
  }
  const workflowOf = async (runId: string) => (await runs.get(fairlead.db, fairlead.accountId, runId)).workflowId
  let listId: string

  test('an import', async () => {
    const run = await fairlead.finished(await fairlead.startImport('lead', ['Company']))
    listId = run.listId!
    await prove('importList.succeeded', run.workflowId)
  })

  test('an import that is held, resumed, and retried on its way', async () => {
    const { control } = fairlead.simulator
    control.addFault({ kind: 'unavailable', times: 2, after: 2, match: { kind: 'leads' } })
    control.addFault({ kind: 'expired', after: 6 })
    const runId = await fairlead.startImport('lead', ['Company'], true)
    await until('it is held', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).state === 'held')
    control.clearFaults()
    await fairlead.connect()
    await fairlead.finished(runId)
    await prove('importList.held', await workflowOf(runId))
  })

  test('an import that is cancelled', async () => {
    fairlead.simulator.control.settings({ latencyMs: 100 })
    const runId = await fairlead.startImport('lead', ['Company'], true)
    await until('it reads', async () => {
      const [sum] = await fairlead.db.$client<[{ n: number }]>`
        select coalesce(sum(read), 0)::int as n from lanes where run_id = ${runId}`
      return sum.n > 0
    })
    await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
    expect((await fairlead.finished(runId)).state).toBe('cancelled')
    fairlead.simulator.control.settings({ latencyMs: 0 })
    const workflowId = await workflowOf(runId)
    await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
    await prove('importList.cancelled', workflowId)
  })

  test('submissions, with a CRM that asks for a pause and a login that is refused', async () => {
    const { control } = fairlead.simulator
    const list = await plainList(fairlead, 'Filled by forms', { Firm: ['Company', null] })
    const form = await openForm(fairlead, list, { email: 'E-mail', last: 'Last name', firm: 'Firm' })
    const workflowId = `forms:${(await fairlead.connect())!.id}`
    control.addFault({ kind: 'unavailable', times: 2, match: { kind: 'leads' } })
    control.addFault({ kind: 'expired', after: 6 })
    const ids: string[] = []
    for (const n of [1, 2, 3, 4, 5, 6])
      ids.push(await form.submit({ email: `replay${n}@form.example`, last: 'Replayed', firm: 'Ltd' }))
    await until('one is held', async () => (await form.all()).some(({ state }) => state === 'held'))
    control.clearFaults()
    await fairlead.connect()
    await form.allSettled()
    await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
    await prove('drainForms.held', workflowId)
  })

  test('opt-outs', async () => {
    const { control } = fairlead.simulator
    const optOuts = openOptOuts(fairlead)
    const workflowId = `optouts:${(await fairlead.connect())!.id}`
    control.addFault({ kind: 'unavailable', times: 2 })
    control.addFault({ kind: 'expired', after: 4 })
    for (const n of [1, 2, 3]) await optOuts.out(`replay${n}@optout.example`)
    await optOuts.reaches('replay3@optout.example', 'held')
    control.clearFaults()
    await fairlead.connect()
    for (const n of [1, 2, 3]) await optOuts.reaches(`replay${n}@optout.example`, 'written')
    await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
    await prove('pushOptOuts.held', workflowId)
  }, 60_000)

  test('notes, with a CRM that asks for a pause and a login that is refused', async () => {
    const { control } = fairlead.simulator
    const message = await openNotes(fairlead, listId)
    control.addFault({ kind: 'unavailable', times: 2, match: { kind: 'history' } })
    control.addFault({ kind: 'expired', after: 6 })
    await message.accept(await message.recipients(20))
    await message.reached('held')
    control.clearFaults()
    await fairlead.connect()
    const [runId] = await message.runs()
    await fairlead.finished(runId!)
    await prove('deliverNotes.held', `notes:${runId}`)
  })

  test('a sweep with differences', async () => {
    fairlead.simulator.control.remove({ entity: 'lead', random: 3 })
    fairlead.simulator.control.add({ entity: 'lead', count: 3 })
    const { runId } = await sweeps.request(fairlead.db, fairlead.accountId, listId)
    await fairlead.finished(runId)
    await prove('syncList.sweep', await workflowOf(runId))
  })

  describe('a sync', () => {
    const edit = async (list: TestList, Company: string, count: number): Promise<void> => {
      const records = (await list.records()).filter(({ crmId, state }) => crmId !== null && state === null)
      for (const { id } of records.slice(0, count)) await list.edit(id, { Company })
    }
    const open = async (): Promise<TestList> => {
      const list = await openList(fairlead, listId)
      await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Company'] })
      return list
    }

    test('in both directions, with a create that has to be looked for', async () => {
      const { control } = fairlead.simulator
      const list = await open()
      await edit(list, 'Pushed', 3)
      await list.create({ Email: 'replayed@new.example', LastName: 'Replayed', Company: 'New' })
      control.massUpdate({ entity: 'lead', count: 40, values: { Title: 'Changed' } })
      control.addFault({ kind: 'dropAfterWrite', times: 1, match: { method: 'POST', kind: 'leads' } })
      const run = await list.run()
      expect(run.counts).toMatchObject({ push: { updated: 3, created: 1 } })
      await prove('syncList.sync', run.workflowId)
    })

    test('that puts nothing off, and that has nothing to push', async () => {
      const list = await open()
      await edit(list, 'At once', 3)
      const pushed = await list.run()
      expect(pushed.counts).toMatchObject({ push: { updated: 3 } })
      await prove('syncList.atOnce', pushed.workflowId)
      const quiet = await list.run()
      expect(quiet.counts).toMatchObject({ push: { read: 0 } })
      await prove('syncList.nothing', quiet.workflowId)
    })

    test('that is held, and resumed', async () => {
      const { control } = fairlead.simulator
      const list = await open()
      await edit(list, 'Held', 30)
      control.addFault({ kind: 'expired', after: 12 })
      const { runId } = await request(fairlead.db, fairlead.accountId, listId, { kind: 'sync', trigger: 'api' })
      await fairlead.wiring.relay()
      await until('it is held', async () => (await runs.get(fairlead.db, fairlead.accountId, runId)).state === 'held')
      control.clearFaults()
      await fairlead.connect()
      await fairlead.finished(runId)
      await prove('syncList.held', await workflowOf(runId))
    })

    test('that is cancelled while it pushes', async () => {
      const { control } = fairlead.simulator
      const list = await open()
      await edit(list, 'Cancelled', 200)
      control.settings({ latencyMs: 60 })
      const { runId } = await request(fairlead.db, fairlead.accountId, listId, { kind: 'sync', trigger: 'api' })
      await fairlead.wiring.relay()
      const writes = (): number => control.gauges().writes
      const before = writes()
      await until('it pushes', async () => writes() > before + 5)
      await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
      expect((await fairlead.finished(runId)).state).toBe('cancelled')
      control.settings({ latencyMs: 0 })
      const workflowId = await workflowOf(runId)
      await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
      await prove('syncList.cancelled', workflowId)
      expect((await list.run()).state).toBe('succeeded')
    })
  })

  test('a verification with differences', async () => {
    fairlead.simulator.control.massUpdate({ entity: 'lead', count: 4, values: { Company: 'Differs' } })
    const { runId } = await request(fairlead.db, fairlead.accountId, listId, { kind: 'verify', trigger: 'api' })
    const run = await fairlead.finished(runId)
    expect(run.counts!['verify']!.skipped).toBeGreaterThan(0)
    await prove('syncList.verify', run.workflowId)
  })

  test('an undo of a sync in both directions', async () => {
    const [undone] = await fairlead.db.$client<{ id: string }[]>`
      select id from runs where list_id = ${listId} and kind = 'sync' and counts -> 'push' ->> 'created' = '1'`
    const { runId } = await requestUndo(fairlead.db, fairlead.accountId, undone!.id)
    const run = await fairlead.finished(runId)
    expect(run.counts).toMatchObject({ push: { skipped: expect.any(Number) as number }, pull: { read: 40 } })
    // nothing was put off, which the older history of an undo does not say
    await prove('syncList.undoAtOnce', run.workflowId)
  })

  describe('an upload', () => {
    const file = `Email\n${Array.from({ length: 60_000 }, (_, n) => `p${n}@x.example\n`).join('')}nobody\n`
    let uploads: Uploads
    beforeAll(async () => {
      uploads = await addUploads(fairlead)
    })
    afterAll(() => uploads.app.close())

    test('with a row that is rejected', async () => {
      const run = await uploads.upload(await uploads.newList(), 'Email\na@x.example\nnobody\n')
      expect(run.counts.upload).toMatchObject({ created: 1, rejected: 1 })
      await prove('uploadList.succeeded', run.workflowId)
    })

    test('that is cancelled', async () => {
      const { body } = await uploads.send(await uploads.newList(), file)
      await until('it works', async () => (await uploads.call('GET', `/v1/runs/${body.id}`)).body.progress.done > 0)
      await uploads.call('POST', `/v1/runs/${body.id}/cancel`)
      expect((await uploads.finish(body.id)).state).toBe('cancelled')
      await fairlead.wiring.flows.client.workflow.getHandle(body.workflowId).result()
      await prove('uploadList.cancelled', body.workflowId)
    })
  })

  describe('a message', () => {
    let mail: MailServer
    beforeAll(async () => {
      mail = await openMailServer({ port: mailPort })
    })
    afterAll(() => mail.close())
    const people = async (count: number): Promise<string> => {
      const { listId } = await plainList(fairlead, `Mailed ${count}`, {})
      const hashKey = await hashKeyOf(fairlead.db, fairlead.wiring.secrets, fairlead.accountId)
      const all = Array.from({ length: count }, (_, n) => ({ email: `m${n}@replay.example` }))
      await addPeople(fairlead, listId, all, (email) => emailKeyOf(hashKey, email))
      return listId
    }

    test('that is tested', async () => {
      const { db, accountId, wiring } = fairlead
      const { messageId } = await openMessage(fairlead, listId)
      const { id } = await messages.insertTest(db, accountId, messageId, { to: ['me@example.com'] }, operator)
      await wiring.relay()
      await wiring.flows.client.workflow.getHandle(`message-test:${id}`).result()
      expect(await messages.getTest(db, accountId, id)).toMatchObject({ state: 'sent', recipients: [] })
      await prove('testMessage.sent', `message-test:${id}`)
    })

    test('that is scheduled, scheduled anew and sent, with a mail that is taken later', async () => {
      mail.turns.set('m1@replay.example', [{ at: 'rcpt', answer: '450 4.2.0 later' }])
      const message = await openMessage(fairlead, await people(3))
      const runId = await message.send(new Date(Date.now() + 3_600_000))
      const workflowId = await workflowOf(runId)
      await until('it waits', () => fairlead.wiring.flows.isOpen(workflowId))
      await message.send()
      expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded', counts: { send: { created: 3 } } })
      await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
      await prove('sendMessage.succeeded', workflowId)
    })

    test('that is cancelled', async () => {
      mail.slow(200)
      const message = await openMessage(fairlead, await people(60))
      const runId = await message.send()
      await until('some have arrived', async () => mail.received.length > 6)
      await runs.requestCancel(fairlead.db, fairlead.accountId, runId)
      expect((await fairlead.finished(runId)).state).toBe('cancelled')
      const workflowId = await workflowOf(runId)
      await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
      await prove('sendMessage.cancelled', workflowId)
    })
  })

  test('a check of credentials, accepted and refused', async () => {
    await fairlead.connect({ password: 'wrong' })
    await prove('checkConnection.refused', await checkOf(fairlead))
    await fairlead.connect()
    await prove('checkConnection.accepted', await checkOf(fairlead))
  })

  test('a reading of fields', async () => {
    const { flows, db } = fairlead.wiring
    const [connection] = await db.query.connections.findMany()
    const input = { accountId: fairlead.accountId, connectionId: connection!.id, entity: 'contact' as const }
    await flows.start('readFields', 'fields:test', input)
    await flows.client.workflow.getHandle('fields:test').result()
    await prove('readFields.succeeded', 'fields:test')
  })

  test('a reading of a picklist', async () => {
    const { flows, db } = fairlead.wiring
    const [connection] = await db.query.connections.findMany()
    const of = { accountId: fairlead.accountId, connectionId: connection!.id, entity: 'lead' as const }
    await flows.start('readPicklist', 'picklist:test', { ...of, field: 'Industry' })
    await flows.client.workflow.getHandle('picklist:test').result()
    await prove('readPicklist.succeeded', 'picklist:test')
  })

  test('a schedule that fires', async () => {
    const id = await addSchedule(fairlead, { listId, spec: dailySpec(90) })
    await fairlead.wiring.relay()
    const handle = fairlead.wiring.flows.client.schedule.getHandle(`schedule:${id}`)
    await handle.backfill([{ start: new Date(Date.now() - 2 * 60 * 60_000), end: new Date(), overlap: 'SKIP' }])
    const action = await until('it has fired', async () => (await handle.describe()).info.recentActions[0])
    const { workflowId } = action.action.workflow
    const { outcome, runId } = await fairlead.wiring.flows.client.workflow.getHandle(workflowId).result()
    expect(outcome).toBe('started')
    await fairlead.finished(runId)
    await prove('fireSchedule.started', workflowId)
    await handle.delete()
  })

  test('a delivery of an alert that fails, waits and is tried again because a person asks', async () => {
    const { db, accountId, wiring } = fairlead
    const receiver = await openReceiver(500)
    const input = { url: receiver.url, events: [] }
    const { webhook } = await webhooks.insert(db, wiring.secrets, accountId, input, operator)
    const { id } = await deliveries.test(db, accountId, webhook.id)
    await wiring.relay()
    const tries = async () => (await deliveries.page(db, accountId, webhook.id, { limit: 1 }))[0]!.tries
    await until('it has failed', async () => (await tries()) > 0)
    await deliveries.retry(db, accountId, webhook.id, id)
    await wiring.relay()
    await wiring.flows.client.workflow.getHandle(`alert:${id}`).result()
    await receiver.close()
    await prove('deliverAlert.retried', `alert:${id}`)
  })

  test('housekeeping', async () => {
    const { flows } = fairlead.wiring
    await flows.start('housekeeping', 'housekeeping:test')
    await flows.client.workflow.getHandle('housekeeping:test').result()
    await prove('housekeeping.succeeded', 'housekeeping:test')
  })
})
