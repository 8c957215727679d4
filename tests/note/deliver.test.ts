import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import * as runs from '../../src/db/run/state.ts'
import type { Fault } from '../../src/simulator/faults.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { inCrm, openNotes } from '../support/note.ts'
import { plainList } from '../support/plain.ts'
import { fetchHistory } from '../support/history.ts'

let fairlead: Fairlead
const listOf: Partial<Record<'lead' | 'contact', string>> = {}

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0', PUBLIC_URL: 'https://fairlead.example/' }
  fairlead = await openFairlead({ leads: 80, contacts: 40, environment })
  await fairlead.connect()
  for (const entity of ['lead', 'contact'] as const)
    listOf[entity] = (await fairlead.finished(await fairlead.startImport(entity))).listId!
}, 60_000)
afterAll(() => fairlead.close())
afterEach(() => {
  fairlead.simulator.control.clearFaults()
})

const people = (note: Record<string, unknown>): unknown[] => [note['LeadId'], note['ContactId']]

test.each(['lead', 'contact'] as const)(
  'R31, R32: each accepted mail to a linked %s gets one note of the right type, user, time and text',
  async (entity) => {
    const message = await openNotes(fairlead, listOf[entity]!)
    const given = await message.recipients()
    const subject = 'Eine sehr lange Betreffzeile, die nicht mehr passt, weil sie 😀😀😀'
    await message.accept(given, subject)
    const [runId] = await message.runs()
    const run = await fairlead.finished(runId!)
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
    expect(run.counts!['notes']).toMatchObject({ read: given.length, created: given.length, skipped: 0, rejected: 0 })
    const found = inCrm(fairlead)
    for (const { token, crmId, noteId, state } of await message.all()) {
      expect(state).toBe('written')
      const [note, ...others] = found.get(token) ?? []
      expect(others).toEqual([])
      const person = fairlead.simulator.control.person(entity, crmId!)!
      const names =
        entity === 'lead'
          ? { LeadId: crmId, LeadName: person['LeadNameLastFirst'], AccountName: person['Company'], ContactId: null }
          : {
              ContactId: crmId,
              ContactName: person['NameLF'],
              AccountId: person['AccountId'],
              AccountName: person['AccountName'],
              LeadId: null,
            }
      const at = message.sentAt.toISOString()
      expect(note).toMatchObject({
        Id: noteId,
        Type: 'atEMail',
        StartDate: at,
        CompletedDate: at,
        OriginalDate: at,
        ...names,
      })
      expect(note).toMatchObject({ UserId: 'ADMIN', Duration: 0, Timeless: false })
      const description = String(note!['Description'])
      expect(description.length).toBeLessThanOrEqual(64)
      expect(subject.startsWith(description)).toBe(true)
      expect(String(note!['LongNotes']).split('\r\n').slice(1)).toEqual([
        subject,
        `https://fairlead.example/p/${token}`,
      ])
    }
    const { events } = await fetchHistory(fairlead, run.workflowId)
    expect(events!.length).toBeLessThan(20)
  },
)

test('G2: a message that adds no notes makes none', async () => {
  const message = await openNotes(fairlead, listOf.lead!, { addNote: false })
  await message.accept(await message.recipients(3))
  expect(await message.all()).toEqual([])
  expect(await message.runs()).toEqual([])
})

test('what comes after the end of a run starts another one', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  const [one, two] = await message.recipients(2)
  await message.accept([one!])
  await fairlead.finished((await message.runs())[0]!)
  await message.accept([two!])
  const after = await message.runs()
  expect(after).toHaveLength(2)
  expect(await fairlead.finished(after[1]!)).toMatchObject({ state: 'succeeded', counts: { notes: { created: 1 } } })
})

const onNotes = { method: 'POST', kind: 'history' }
test.each<[string, Fault]>([
  ['connections are dropped after the CRM stored the note', { kind: 'dropAfterWrite', times: 6, match: onNotes }],
  ['the CRM stores notes late', { kind: 'lateWrite', ms: 1500, answer: 'drop', times: 2, match: onNotes }],
  ['the CRM asks for a pause', { kind: 'unavailable', retryAfter: 1, times: 5, match: onNotes }],
])('R31: no note is missing and none is double when %s', async (_, fault) => {
  const message = await openNotes(fairlead, listOf.lead!)
  fairlead.simulator.control.addFault(fault)
  await message.accept(await message.recipients(40))
  const run = await fairlead.finished((await message.runs())[0]!)
  expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  const found = inCrm(fairlead)
  const all = await message.all()
  expect(all.map(({ state, token }) => [state, found.get(token)?.length])).toEqual(all.map(() => ['written', 1]))
})

test('R21, R22: a person about whom the CRM refuses notes is listed with its words, and nobody else waits', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  const given = await message.recipients(10)
  fairlead.simulator.control.addFault({
    kind: 'refused',
    ids: [given[4]!.crmId!],
    message: 'Not this one.',
    match: onNotes,
  })
  await message.accept(given)
  const run = await fairlead.finished((await message.runs())[0]!)
  expect(run).toMatchObject({ state: 'succeeded', counts: { notes: { read: 10, created: 9, rejected: 1 } } })
  const [entry] = await fairlead.db
    .$client`select kind, code, record_id::text as record, crm from entries where last_run_id = ${run.id}`
  expect(entry).toMatchObject({
    kind: 'rejected',
    code: 'crmRefused',
    record: given[4]!.recordId,
    crm: { message: 'Not this one.' },
  })
})

test('R7, R21: a note that the CRM may have made is looked for and tried on for long, and then given up', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  const [given] = await message.recipients(1)
  fairlead.simulator.control.addFault({ kind: 'drop', match: onNotes })
  await message.accept([given!])
  const [runId] = await message.runs()
  const { $client: sql } = fairlead.db
  await until('it was tried twice', async () => {
    const [found] = await sql<{ tries: number }[]>`select tries from notes where message_id = ${message.messageId}`
    return found!.tries >= 2
  })
  await sql`update notes set tries = 60 where message_id = ${message.messageId}`
  const run = await fairlead.finished(runId!)
  expect(run).toMatchObject({ balance: { balanced: true }, counts: { notes: { read: 1, created: 0, rejected: 1 } } })
  const entries = await sql`select kind, code from entries where last_run_id = ${run.id}`
  expect(entries).toMatchObject([{ kind: 'rejected', code: 'crmFailed' }])
})

test('R7, R21: a note that the CRM made at the last try, without an answer, is found', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  fairlead.simulator.control.addFault({ kind: 'drop', times: 4, match: onNotes })
  fairlead.simulator.control.addFault({ kind: 'dropAfterWrite', after: 4, times: 1, match: onNotes })
  await message.accept(await message.recipients(1))
  expect(await fairlead.finished((await message.runs())[0]!)).toMatchObject({ counts: { notes: { created: 1 } } })
  const [note] = await message.all()
  expect(inCrm(fairlead).get(note!.token)).toHaveLength(1)
})

test('C2, C4: notes wait for a login that is refused, and then arrive', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  fairlead.simulator.control.addFault({ kind: 'expired' })
  await message.accept(await message.recipients(10))
  const [runId] = await message.runs()
  await until('the run is held', async () => (await runs.get(fairlead.db, fairlead.accountId, runId!)).state === 'held')
  await message.reached('held', 10)
  fairlead.simulator.control.clearFaults()
  await fairlead.connect()
  expect(await fairlead.finished(runId!)).toMatchObject({ state: 'succeeded', counts: { notes: { created: 10 } } })
})

test('R3, R4: people of a plain list are found by their address, contacts first, and never created', async () => {
  const { control } = fairlead.simulator
  const list = await plainList(fairlead, 'Plain', {})
  const add = (entity: string, Email: string): string => control.add({ entity, values: { Email } }).ids[0]!
  const contact = add('contact', 'both@note.example')
  add('lead', 'both@note.example')
  const lead = add('lead', 'lead@note.example')
  const twins = [add('contact', 'twin@note.example'), add('contact', 'twin@note.example')]
  for (const Email of ['both', 'lead', 'twin', 'nobody'])
    await list.create({ 'E-mail': `${Email}@Note.example`, 'Last name': Email })
  const message = await openNotes(fairlead, list.listId)
  const before = control.counts()
  await message.accept(await message.recipients())
  const run = await fairlead.finished((await message.runs())[0]!)
  expect(run.counts!['notes']).toMatchObject({ read: 4, created: 3, skipped: 1 })
  const [both, single, twin, nobody] = await message.all()
  expect(both).toMatchObject({
    state: 'written',
    entity: 'contact',
    crmId: contact,
    warnings: [],
  })
  expect(single).toMatchObject({ state: 'written', entity: 'lead', crmId: lead })
  expect(twin).toMatchObject({
    state: 'written',
    crmId: twins[1],
    warnings: [{ code: 'otherMatches', ids: [twins[0]] }],
  })
  expect(nobody).toMatchObject({ state: 'skipped', code: 'notInCrm' })
  expect(control.counts()).toMatchObject({ leads: before['leads'], contacts: before['contacts'] })
})

test('R16: the note of a lead that was converted is the contact’s; who is gone is skipped', async () => {
  const message = await openNotes(fairlead, listOf.lead!)
  const { control } = fairlead.simulator
  const given = (await message.recipients()).toReversed()
  const isAlone = (email: string | null): boolean =>
    (['lead', 'contact'] as const).every(
      (entity) =>
        control.people({ entity, where: `upper(Email) eq '${email?.toUpperCase()}'` }).total ===
        (entity === 'lead' ? 1 : 0),
    )
  const [converted, removed] = given.filter(({ email }) => isAlone(email))
  const { contactId } = control.convert({ leadId: converted!.crmId! })
  control.remove({ entity: 'lead', ids: [removed!.crmId!] })
  await message.accept([converted!, removed!])
  await fairlead.finished((await message.runs())[0]!)
  const all = await message.all()
  expect(all.find(({ crmId }) => crmId === contactId)).toMatchObject({ state: 'written', entity: 'contact' })
  expect(all.find(({ state }) => state === 'skipped')).toMatchObject({ code: 'deletedInCrm' })
  expect(
    inCrm(fairlead)
      .get(all.find(({ crmId }) => crmId === contactId)!.token)
      ?.map(people),
  ).toEqual([[null, contactId]])
})
