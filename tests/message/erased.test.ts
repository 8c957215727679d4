import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import { findPreview } from '../../src/db/delivery/preview.ts'
import * as erasures from '../../src/db/erasure.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openMailServer, type MailServer } from '../support/mail.ts'
import { openMessage } from '../support/message.ts'
import { inCrm } from '../support/note.ts'

let fairlead: Fairlead
let mail: MailServer
beforeAll(async () => {
  mail = await openMailServer()
  const environment = {
    CRM_TIMEOUT_MS: '1000',
    CRM_LATE_MS: '0',
    PUBLIC_URL: 'https://fairlead.example',
    SMTP_URL: mail.url,
    SMTP_CONNECTIONS: '1',
  }
  fairlead = await openFairlead({ leads: 1, contacts: 1, environment })
  await fairlead.connect()
}, 60_000)
afterAll(async () => {
  await fairlead.close()
  await mail.close()
})

test('R40: an erasure beside a send: what is under way leaves a count, what waits is skipped, and no note is made', async () => {
  const { db, accountId, wiring, simulator } = fairlead
  const email = (name: string): string => `${name}@besides.example`
  const names = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth']
  for (const name of names)
    simulator.control.add({ entity: 'lead', values: { Email: email(name), LastName: name, DoNotEmail: false } })
  const { listId } = await fairlead.finished(await fairlead.startImport('lead'))
  const onNotes = { method: 'POST', kind: 'history' }
  simulator.control.addFault({ kind: 'unavailable', retryAfter: 1, times: 100_000, match: onNotes })
  for (const name of names) mail.always.set(email(name), { at: 'data', waitMs: 400 })
  const message = await openMessage(fairlead, listId!, { addNote: true })
  const runId = await message.send()
  const of = async (state: string) => (await message.deliveries()).filter((each) => each.state === state)
  const erase = async (address: string) =>
    erasures.erase(db, wiring.secrets, accountId, { subject: { email: address }, reason: null }, operator)
  const done = await until('one is accepted', async () => (await of('accepted')).find((each) => each.email !== null))
  await erase(done.email!)
  const going = await until('one is under way', async () => (await of('sending')).find((each) => each.email !== null))
  await erase(going.email!)
  const waiting = (await of('waiting')).find((each) => each.email?.endsWith('besides.example'))
  if (waiting !== undefined) await erase(waiting.email!)
  const erased = new Set([done, going, waiting].flatMap((each) => (each === undefined ? [] : [each.id])))
  expect(await fairlead.finished(runId)).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  simulator.control.clearFaults()
  const runs = await db.$client<{ id: string }[]>`
    select id::text from runs where message_id = ${message.messageId} and kind = 'notes' order by id`
  for (const { id } of runs)
    expect(await fairlead.finished(id)).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const found = inCrm(fairlead)
  for (const each of await message.deliveries()) {
    const isErased = erased.has(each.id)
    expect([each.id, each.email === null]).toEqual([each.id, isErased])
    const notes = each.previewToken === null ? 0 : (found.get(each.previewToken)?.length ?? 0)
    expect(notes).toBe(isErased || each.state !== 'accepted' ? 0 : 1)
    if (isErased && each.previewToken !== null)
      expect(await findPreview(db, each.previewToken)).toMatchObject({ fault: 'erased' })
    expect((await message.content(each.id)) === null).toBe(isErased || each.state !== 'accepted')
  }
  const states = new Map((await message.deliveries()).map(({ id, state, code }) => [id, [state, code]]))
  expect(states.get(done.id)).toEqual(['accepted', null])
  expect(states.get(going.id)).toEqual(['accepted', null])
  // it may have gone out before the erasure had its turn
  if (waiting !== undefined)
    expect([
      ['skipped', 'erased'],
      ['accepted', null],
    ]).toContainEqual(states.get(waiting.id))
  expect(await db.$client`select state, code from notes where delivery_id = ${done.id}`).toMatchObject([
    { state: 'skipped', code: 'erased' },
  ])
})
