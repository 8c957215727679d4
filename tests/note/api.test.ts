import { afterAll, beforeAll, expect, test } from 'vitest'
import * as connections from '../../src/db/connection.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { inCrm, openNotes } from '../support/note.ts'
import { openTimelines, type Timelines } from '../support/timeline.ts'
import { writesIn } from '../sync/people.ts'

let fairlead: Fairlead
let other: Simulator
let timelines: Timelines
let listId: string
beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0', PUBLIC_URL: 'https://fairlead.example' }
  fairlead = await openFairlead({ leads: 12, contacts: 2, environment })
  other = await startSimulator({ leads: 4, contacts: 3, seed: 8 })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead'))).listId!
  timelines = await openTimelines(fairlead)
}, 60_000)
afterAll(async () => {
  await timelines.close()
  await fairlead.close()
  await other.close()
})

test('G3: notes are listed with their reasons, tried again from their run, and stand on the timeline of the record', async () => {
  const message = await openNotes(fairlead, listId)
  const given = await message.recipients()
  const [first, second] = given
  const ids = [first!.crmId!, second!.crmId!]
  fairlead.simulator.control.addFault({ kind: 'refused', ids, match: { method: 'POST', kind: 'history' } })
  await message.accept(given)
  const [runId] = await message.runs()
  await fairlead.finished(runId!)
  fairlead.simulator.control.clearFaults()

  const url = `/v1/messages/${message.messageId}/notes`
  const rejected = await timelines.call('GET', `${url}?state=rejected&limit=1`)
  expect(rejected.body.items).toMatchObject([
    { code: 'crmRefused', said: { status: 400 }, crm: { entity: 'lead' }, noteId: null },
  ])
  const rest = await timelines.call(
    'GET',
    `${url}?state=rejected&limit=1&cursor=${encodeURIComponent(rejected.body.nextCursor)}`,
  )
  expect(rest.body).toMatchObject({ items: [{ code: 'crmRefused' }], nextCursor: null })
  expect((await timelines.call('GET', `/v1/messages/${runId}/notes`)).status).toBe(404)

  const entries = await timelines.call('GET', `/v1/runs/${runId}/entries`)
  const entry = entries.body.items.find((each: { recordId: string }) => each.recordId === first!.recordId)
  const retried = await timelines.call('POST', `/v1/runs/${runId}/retry`, { entryIds: [entry.id] })
  expect(retried).toMatchObject({ status: 202, body: { kind: 'notes', source: { as: 'retry' } } })
  expect(await fairlead.finished(retried.body.id)).toMatchObject({
    state: 'succeeded',
    counts: { notes: { read: 1, created: 1 } },
  })
  const others = await timelines.call('POST', `/v1/runs/${runId}/retry`, { code: 'crmRefused' })
  expect(await fairlead.finished(others.body.id)).toMatchObject({ counts: { notes: { read: 1, created: 1 } } })
  expect((await timelines.call('POST', `/v1/runs/${runId}/retry`, { code: 'crmRefused' })).body.code).toBe(
    'nothingToRetry',
  )
  const found = inCrm(fairlead)
  expect((await message.all()).map(({ token }) => found.get(token)?.length)).toEqual(given.map(() => 1))

  const events = await timelines.read(listId, first!.recordId)
  expect(events.at(-1)).toMatchObject({
    kind: 'noted',
    crm: { entity: 'lead', id: first!.crmId },
    run: { kind: 'notes' },
  })
})

test('C3: what waited for a CRM goes to another one only when a person says so, and never to somebody by an id of the first', async () => {
  const message = await openNotes(fairlead, listId)
  const given = await message.recipients(3)
  await connections.reset(fairlead.db, fairlead.accountId)
  await message.accept(given)
  expect((await message.all()).map(({ state, code }) => [state, code])).toEqual(
    given.map(() => ['held', 'notConnected']),
  )
  await fairlead.connect()
  const [runId] = await message.runs()
  expect(await fairlead.finished(runId!)).toMatchObject({ state: 'succeeded', counts: { notes: { created: 3 } } })

  const later = await openNotes(fairlead, listId)
  await connections.reset(fairlead.db, fairlead.accountId)
  await later.accept(given)
  await fairlead.connect({ url: other.url })
  expect((await later.all()).map(({ state, code }) => [state, code])).toEqual(given.map(() => ['rejected', 'otherCrm']))
  expect(await later.runs()).toEqual([])
  expect(writesIn(other.control.journal())).toEqual([])

  const retry = `/v1/messages/${later.messageId}/notes/retry`
  const retried = await timelines.call('POST', retry, { code: 'otherCrm' })
  expect(retried).toMatchObject({ status: 202, body: { kind: 'notes' } })
  expect(await fairlead.finished(retried.body.id)).toMatchObject({ state: 'succeeded', counts: { notes: { read: 3 } } })
  const settled = await later.all()
  // found by their address, or nobody's
  for (const { state, code, crmId } of settled) {
    expect([
      ['written', null],
      ['skipped', 'notInCrm'],
    ]).toContainEqual([state, code])
    if (state === 'written')
      expect(other.control.person('lead', crmId!) ?? other.control.person('contact', crmId!)).toBeDefined()
  }
  expect((await timelines.call('POST', retry, { code: 'otherCrm' })).body.code).toBe('nothingToRetry')
  expect((await timelines.call('POST', `/v1/messages/${runId}/notes/retry`, { code: 'otherCrm' })).status).toBe(404)
})
