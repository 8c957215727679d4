import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { expectGood, openList, type EntryRow, type Held, type TestList } from '../support/sync.ts'
import { openPeople, type People, type Truth } from './people.ts'

// R8, R11: what the CRM makes of a value is the value that both sides agree on

let fairlead: Fairlead
let crm: People
let list: TestList

const fields = ['WorkPhone', 'Title', 'CBudget', 'Description', 'UserField3', 'Address/City', 'CLastVisit']

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 5 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Company', ...fields]))
  list = await openList(fairlead, run.listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields })
  crm.control.settings({
    overlongText: 'cut',
    rewrites: {
      Lead: { WorkPhone: 'digits', Title: 'upper', CBudget: 'round2', Description: 'trim' },
      LeadAddress: { City: 'upper' },
    },
  })
})
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

type Seen = { held: Held; said: EntryRow[]; person: Truth; writes: number }
const sync = async (recordId: string): Promise<Seen> => {
  const run = await list.run()
  expectGood(run)
  const held = (await list.records()).find(({ id }) => id === recordId)!
  const said = (await list.entries(run.id)).filter((entry) => entry.recordId === recordId)
  return { held, said, person: crm.control.person('lead', held.crmId!)!, writes: crm.takeWrites().length }
}
/** Nothing comes back, nothing goes out, nothing is counted. */
const expectNoEcho = async (recordId: string): Promise<void> => {
  const before = await list.records()
  const run = await list.run()
  expect(crm.takeWrites()).toEqual([])
  expect(run.counts).toMatchObject({ pull: { created: 0, updated: 0, conflicts: 0 }, push: { read: 0 } })
  expect((await list.entries(run.id)).filter((entry) => entry.recordId === recordId)).toEqual([])
  expect(await list.records()).toEqual(before)
}
let made = 0
const lead = async (values: Record<string, unknown> = {}): Promise<string> => {
  const address = `rewrite.${(made += 1)}@example.com`
  const id = crm.add('lead', { Email: address, LastName: 'Rewrite', Company: 'Rewrites', ...values })
  await list.run()
  crm.takeWrites()
  return (await list.records()).find(({ crmId }) => crmId === id)!.id
}

const ours = {
  WorkPhone: '+49 (30) 1234-5',
  Title: 'Head of Sales',
  CBudget: { bigDecimal: '12345678901234567.895' },
  Description: '  between blanks ',
  UserField3: 'as it is',
  'Address/City': 'Köln',
  CLastVisit: '2026-02-03T04:05:06.000Z',
}
const theirs = {
  WorkPhone: '493012345',
  Title: 'HEAD OF SALES',
  CBudget: { bigDecimal: '12345678901234567.90' },
  Description: 'between blanks',
  UserField3: 'as it is',
  'Address/City': 'KÖLN',
  CLastVisit: '2026-02-03T04:05:06.000Z',
}
const rewritten = ['WorkPhone', 'Title', 'CBudget', 'Description', 'Address/City'].toSorted()
const warned = (said: EntryRow[], code: string): string[] =>
  said
    .flatMap(({ warnings }) => (warnings ?? []).flatMap((each) => (each.code === code ? [each.field!] : [])))
    .toSorted()

describe('R11: values that the CRM rewrites and rounds', () => {
  test('of an update are taken over with a warning, and do not come back', async () => {
    const id = await lead()
    await list.edit(id, ours)
    const { held, said, writes } = await sync(id)
    expect(writes).toBe(1)
    expect(held).toMatchObject({ agreed: {} })
    expect(held.values['CBudget']).toEqual({ bigDecimal: expect.stringMatching(/^12345678901234567\.90?$/) })
    expect({ ...held.values, CBudget: theirs.CBudget }).toMatchObject(theirs)
    expect(said).toMatchObject([{ phase: 'push', kind: 'updated' }])
    expect(warned(said, 'valueRewritten')).toEqual(rewritten)
    await expectNoEcho(id)
  })

  test('of a new lead, too', async () => {
    const id = await list.create({ Email: 'new.rewrite@example.com', LastName: 'New', Company: 'New', ...ours })
    const { held, said, writes } = await sync(id)
    expect(writes).toBe(1)
    expect({ ...held.values, CBudget: theirs.CBudget }).toMatchObject(theirs)
    expect(held.agreed).toEqual({})
    expect(said).toMatchObject([{ phase: 'push', kind: 'created' }])
    expect(warned(said, 'valueRewritten')).toEqual(rewritten)
    await expectNoEcho(id)
  })

  test('to what they were are written once, and taken over', async () => {
    const id = await lead({ Title: 'CEO' })
    await list.edit(id, { Title: 'Owner' })
    await sync(id)
    await list.edit(id, { Title: 'owner' })
    const { held, writes } = await sync(id)
    expect(writes).toBe(1)
    expect(held.values).toMatchObject({ Title: 'OWNER' })
    await expectNoEcho(id)
  })
})

describe('R8: text that is longer than the CRM allows', () => {
  const long = `${'x'.repeat(79)}😀 and more`

  test.each(['cut', 'error'] as const)(
    'is cut with a warning, never in the middle of a letter, where the CRM answers with %s',
    async (overlongText) => {
      crm.control.settings({ overlongText })
      const id = await lead()
      await list.edit(id, { UserField3: long })
      const { held, said, person, writes } = await sync(id)
      expect(writes).toBe(1)
      expect(person['UserField3']).toBe('x'.repeat(79))
      expect(said).toMatchObject([
        { kind: 'updated', changes: { UserField3: { before: null, after: 'x'.repeat(79) } } },
      ])
      expect(warned(said, 'valueCut')).toEqual(['UserField3'])
      expect(held).toMatchObject({ values: { UserField3: 'x'.repeat(79) }, agreed: {} })
      await expectNoEcho(id)
    },
  )

  test('is cut in a new lead', async () => {
    const id = await list.create({
      Email: 'long@example.com',
      LastName: 'Long',
      Company: 'Long',
      UserField3: 'y'.repeat(200),
    })
    const { person, said } = await sync(id)
    expect(person['UserField3']).toBe('y'.repeat(80))
    expect(warned(said, 'valueCut')).toEqual(['UserField3'])
    await expectNoEcho(id)
  })

  test('that the CRM has as far as it goes is not written again', async () => {
    const id = await lead({ UserField3: 'z'.repeat(80) })
    await list.edit(id, { UserField3: `${'z'.repeat(80)} and more` })
    const { writes, held } = await sync(id)
    expect(writes).toBe(0)
    expect(held.agreed).toEqual({})
    await expectNoEcho(id)
  })
})

describe('R11: only changed fields travel', () => {
  test('one field of a person, once; the address with its own key', async () => {
    const id = await lead({ Title: 'CEO', WorkPhone: '1', Address: { City: 'BONN', State: 'NRW' } })
    await list.edit(id, { Title: 'CTO' })
    await list.run()
    const [write] = crm.takeWrites()
    expect(Object.keys(JSON.parse(write!.body) as object).filter((name) => !name.startsWith('$'))).toEqual(['Title'])
    await list.edit(id, { 'Address/City': 'Ulm' })
    const { person } = await sync(id)
    expect(person).toMatchObject({ Title: 'CTO', WorkPhone: '1', Address: { City: 'ULM', State: 'NRW' } })
    await expectNoEcho(id)
  })

  test('a person without an address gets one', async () => {
    const id = await lead({ Address: null })
    await list.edit(id, { 'Address/City': 'Trier' })
    expect((await sync(id)).person).toMatchObject({ Address: { City: 'TRIER' } })
    await expectNoEcho(id)
  })

  test('what is edited here and back again is nothing to push', async () => {
    const id = await lead({ Title: 'CEO' })
    await list.edit(id, { Title: 'Buyer' })
    await list.edit(id, { Title: 'CEO' })
    await expectNoEcho(id)
  })

  test('our own write with other people’s names on it is judged by value', async () => {
    const id = await lead({ Title: 'CEO' })
    await list.edit(id, { Title: 'BUYER' })
    const { person } = await sync(id)
    // somebody saves the person in the CRM without changing anything
    crm.control.edit({ entity: 'lead', id: person.Id, values: { Title: 'BUYER' } })
    const run = await list.run()
    expect(run.counts).toMatchObject({ push: { read: 0 }, pull: { conflicts: 0 } })
    const changes = (await list.entries(run.id)).filter(({ recordId }) => recordId === id).map((entry) => entry.changes)
    expect(changes.flatMap((each) => Object.keys(each ?? {})).filter((name) => name !== 'ModifyDate')).toEqual([])
  })
})
