import { afterAll, beforeAll, expect, test } from 'vitest'
import { retry } from '../../src/db/run/retry.ts'
import * as runs from '../../src/db/run/state.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { openMessage } from '../support/message.ts'
import { inCrm, openNotes } from '../support/note.ts'

const crm = { leads: 30, contacts: 2, seed: 7 }
let fairlead: Fairlead
let mail: MailServer
let again: Simulator | undefined
beforeAll(async () => {
  mail = await openMailServer()
  const environment = {
    CRM_TIMEOUT_MS: '1000',
    CRM_LATE_MS: '0',
    PUBLIC_URL: 'https://fairlead.example',
    SMTP_URL: mail.url,
  }
  fairlead = await openFairlead({ ...crm, environment })
  await fairlead.connect()
}, 60_000)
afterAll(async () => {
  await fairlead.close()
  await again?.close()
  await mail.close()
})

test('R21, R31: while the CRM is stopped mails go; their notes wait, say why, and arrive once it is back', async () => {
  const { db, accountId } = fairlead
  const { listId } = await fairlead.finished(await fairlead.startImport('lead'))
  await fairlead.simulator.close()
  const message = await openMessage(fairlead, listId!, { addNote: true })
  const sent = await fairlead.finished(await message.send())
  expect(sent).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const accepted = (await message.deliveries()).filter(({ state }) => state === 'accepted')
  expect(mail.received).toHaveLength(accepted.length)
  expect(accepted.length).toBeGreaterThan(20)
  const [{ id: runId }] = await db.$client<[{ id: string }]>`
    select id::text from runs where message_id = ${message.messageId} and kind = 'notes'`
  const waiting = await until('the run says what it waits for', async () => {
    const run = await runs.get(db, accountId, runId)
    return run.error !== null && run
  })
  expect(waiting).toMatchObject({ state: 'running', error: { code: 'crmUnreachable' } })
  const states = async () => [
    ...(await db.$client<{ state: string; code: string | null; tries: number }[]>`
      select distinct state, code, tries from notes where message_id = ${message.messageId}`),
  ]
  await until('the notes say it too', async () =>
    (await states()).every(({ state, code }) => state === 'waiting' && code === 'crmUnreachable'),
  )
  again = await startSimulator({ ...crm, port: fairlead.simulator.port })
  expect(await fairlead.finished(runId)).toMatchObject({
    state: 'succeeded',
    error: null,
    balance: { balanced: true },
    counts: { notes: { read: accepted.length, created: accepted.length } },
  })
  const found = inCrm({ ...fairlead, simulator: again })
  expect(accepted.map(({ previewToken }) => found.get(previewToken!)?.length)).toEqual(accepted.map(() => 1))
})

test('R31: notes of a run that is given up are listed with the reason, and can be tried again', async () => {
  const { db, accountId, wiring, simulator } = fairlead
  const crm = again ?? simulator
  const [list] = await db.$client<{ id: string }[]>`select id::text from lists where account_id = ${accountId} limit 1`
  const message = await openNotes(fairlead, list!.id)
  crm.control.addFault({ kind: 'disabledKind', name: 'history' })
  const given = await message.recipients(3)
  await message.accept(given)
  const [runId] = await message.runs()
  const run = await fairlead.finished(runId!)
  expect(run).toMatchObject({ state: 'incomplete', error: { code: 'entityDisabled' }, balance: { balanced: true } })
  expect(run.counts).toMatchObject({ notes: { read: 3, rejected: 3 } })
  expect((await message.all()).map(({ state, code }) => [state, code])).toEqual(
    given.map(() => ['rejected', 'entityDisabled']),
  )
  crm.control.clearFaults()
  const retried = await db.transaction(async (tx) => retry(tx, accountId, runId!, { code: 'entityDisabled' }))
  await wiring.relay()
  expect(await fairlead.finished(retried.runId)).toMatchObject({
    state: 'succeeded',
    counts: { notes: { created: 3 } },
  })
})
