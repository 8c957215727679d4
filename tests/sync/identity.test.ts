import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People
let list: Steps

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 10 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title', 'WorkPhone', 'Company']))
  list = openSteps(crm, await openList(fairlead, run.listId!))
})
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

const push = { enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone'] }
let made = 0
const address = (name: string): string => `${name}.${(made += 1)}@example.com`
const lead = (email: string | null, more: Record<string, unknown> = {}): string =>
  crm.add('lead', { Email: email, LastName: 'Known', Company: 'Known Ltd', Title: 'CEO', WorkPhone: null, ...more })

test('R1: a new record of a person who is on the list already becomes edits of the old record, which go out', async () => {
  await list.settings(push)
  const email = address('twice')
  const crmId = lead(email, { WorkPhone: '+1-555-1' })
  const old = (await list.run()).of(crmId)
  const twin = await list.create({
    Email: email,
    LastName: 'Known',
    Title: 'Director',
    WorkPhone: null,
    Company: 'Other',
  })
  const { counts, of, said } = await list.run()

  expect(of(twin)).toMatchObject({ removed: true, mergedInto: old.id, crmId: null })
  const [merged] = said(twin)
  expect(merged).toMatchObject({ phase: 'push', kind: 'skipped', code: 'mergedIntoRecord', recordId: twin, crmId })
  expect(merged!.warnings).toContainEqual({ code: 'mergedIntoRecord', ids: [old.id] })
  // non-blank values only; what is not ticked stays here as an edit
  const into = (await list.records()).find(({ id }) => id === old.id)!
  expect(into.values).toMatchObject({ Title: 'Director', WorkPhone: '+1-555-1', Company: 'Other' })
  expect(into.agreed).toMatchObject({ Company: { v: 'Known Ltd' } })
  expect(Object.keys(into.agreed)).toEqual(['Company'])
  expect(crm.control.person('lead', crmId)).toMatchObject({
    Title: 'Director',
    WorkPhone: '+1-555-1',
    Company: 'Known Ltd',
  })
  expect(crm.takeWrites().map(({ id }) => id)).toEqual([crmId])
  expect(counts['push']).toMatchObject({ read: 2, skipped: 1, updated: 1 })
  await list.quiet()
})

test('R1, R17: a new record of a person whose record was removed brings that record back', async () => {
  await list.settings(push)
  const email = address('removed')
  const crmId = lead(email)
  const old = (await list.run()).of(crmId)
  await list.remove(old.id)
  await list.run()
  const again = await list.create({ Email: email, LastName: 'Known', Title: 'Director' })
  await list.run()
  const there = (await list.records()).filter((record) => record.crmId === crmId && !record.removed)
  expect(there).toHaveLength(1)
  expect(there[0]!.values).toMatchObject({ Email: email, Title: 'Director' })
  expect([old.id, again]).toContain(there[0]!.id)
  expect(crm.control.person('lead', crmId)).toMatchObject({ Title: 'Director' })
  await list.quiet()
})

test('R1: two people in the CRM with one address are two records, each with its own values', async () => {
  await list.settings(push)
  const email = address('shared')
  const ids = [lead(email, { FirstName: 'Ann' }), lead(email.toUpperCase(), { FirstName: 'Bob' })]
  const { of } = await list.run()
  expect(ids.map((id) => of(id).values['FirstName'])).toEqual(['Ann', 'Bob'])
  await list.edit(of(ids[1]!).id, { Title: 'Buyer' })
  await list.run()
  expect(ids.map((id) => crm.control.person('lead', id)!['Title'])).toEqual(['CEO', 'Buyer'])
  await list.quiet()
})

describe.each(['insensitive', 'sensitive'] as const)('R2: in a CRM whose collation is %s', (collation) => {
  const nfc = `jürgen.${collation}@bücher.example`
  const spellings = [
    ['capitals there', 'MARY.A@EXAMPLE.COM', 'mary.a@example.com'],
    ['capitals here', 'mary.b@example.com', 'Mary.B@Example.com'],
    ['blanks here', 'mary.c@example.com', '  mary.c@example.com '],
    ['blanks there', '  Mary.D@example.com ', 'mary.d@example.com'],
    ['composed here, decomposed there', nfc.normalize('NFD'), nfc],
    ['decomposed here, composed there', nfc.replace('.', '2.').toUpperCase(), nfc.replace('.', '2.').normalize('NFD')],
  ].map(([name, there, here]) => ({
    name: name!,
    there: there!.replace(/(mary\.\w)/i, `$1.${collation}`),
    here: here!.replace(/(mary\.\w)/i, `$1.${collation}`),
  }))

  test('one person is found whatever the spelling, and nobody is made twice', async () => {
    crm.control.settings({ collation })
    await list.settings(push, { addNew: false })
    const people = spellings.map(({ there }) => lead(there))
    const records: string[] = []
    for (const { here } of spellings)
      records.push(await list.create({ Email: here, LastName: 'Known', Title: 'Buyer' }))
    const { counts, of } = await list.run()
    const links = records.map((id, n) => [spellings[n]!.name, of(id).crmId])
    expect(links).toEqual(people.map((id, n) => [spellings[n]!.name, id]))
    expect(counts['push']).toMatchObject({ created: 0, updated: people.length })
    // the CRM's spelling is left to it
    for (const [n, id] of people.entries())
      expect(crm.control.person('lead', id)).toMatchObject({ Email: spellings[n]!.there, Title: 'Buyer' })
    await list.quiet()
    crm.control.settings({ collation: 'insensitive' })
  })
})

describe('R6', () => {
  test('a record without an address that is linked to nobody is rejected, run after run in one entry', async () => {
    await list.settings(push)
    const id = await list.create({ Email: null, LastName: 'Nameless', Title: 'CEO' })
    const first = await list.run()
    expect(first.said(id)).toMatchObject([{ kind: 'rejected', code: 'noEmail', times: 1 }])
    expect(first.counts['push']).toMatchObject({ read: 1, rejected: 1, created: 0 })
    expect((await list.run()).said(id)).toMatchObject([{ kind: 'rejected', code: 'noEmail', times: 2 }])
    expect(crm.takeWrites()).toEqual([])
    await list.edit(id, { Email: address('named'), Company: 'Named Ltd' })
    expect((await list.run()).said(id)).toMatchObject([{ kind: 'created' }])
  })

  test('a linked record without an address is pulled, counted apart and pushed by its id', async () => {
    await list.settings(push)
    const [blank, none] = [lead(''), lead(null)]
    const { counts, of } = await list.run()
    expect(counts['pull']!.withoutEmail).toBeGreaterThanOrEqual(2)
    await list.edit(of(none).id, { Title: 'Buyer' })
    await list.edit(of(blank).id, { WorkPhone: '+1-555-2' })
    await list.run()
    expect(crm.control.person('lead', none)).toMatchObject({ Title: 'Buyer' })
    expect(crm.control.person('lead', blank)).toMatchObject({ WorkPhone: '+1-555-2' })
    expect(new Set(crm.takeWrites().map((write) => write.id))).toEqual(new Set([blank, none]))
    await list.quiet()
  })

  test('the same person three times in one push is made once; the others become edits of the first', async () => {
    await list.settings(push)
    const email = address('thrice')
    const first = await list.create({ Email: email, LastName: 'Once', Company: 'Once Ltd', Title: 'CEO' })
    const second = await list.create({ Email: ` ${email.toUpperCase()}`, LastName: 'Once', WorkPhone: '+1-555-3' })
    const third = await list.create({ Email: email, LastName: 'Once', Title: 'Buyer' })
    const { counts, of } = await list.run()
    expect(counts['push']).toMatchObject({ created: 1, skipped: 2 })
    expect([second, third].map((id) => of(id).mergedInto)).toEqual([first, first])
    const people = [...crm.everybody().values()].filter(({ Email }) => String(Email).trim().toLowerCase() === email)
    expect(people).toHaveLength(1)
    expect(people[0]).toMatchObject({ Title: 'Buyer', WorkPhone: '+1-555-3', Company: 'Once Ltd' })
    expect(crm.takeWrites().filter(({ id }) => id === null)).toHaveLength(1)
    await list.quiet()
  })
})

describe('R17', () => {
  test('a removed record is neither brought back nor pushed, and the CRM is untouched; restored it takes what it missed', async () => {
    await list.settings(push)
    const [edited, kept] = [lead(address('gone')), lead(address('gone'))]
    const ids = [edited, kept]
    const first = await list.run()
    const [editedId, keptId] = [first.of(edited).id, first.of(kept).id]
    await list.edit(editedId, { WorkPhone: '+1-555-4' })
    for (const id of [editedId, keptId]) await list.remove(id)
    await list.run()
    expect(crm.takeWrites()).toEqual([])
    for (const id of ids) crm.control.edit({ entity: 'lead', id, values: { Title: 'Owner' } })
    const changed = await list.run()
    for (const id of ids) {
      expect(changed.of(id)).toMatchObject({ removed: true, values: { Title: 'CEO' } })
      expect(changed.said(id)).toMatchObject([{ kind: 'skipped', code: 'removedHere' }])
    }
    await list.run('sweep')
    const those = (await list.records()).filter(({ crmId }) => crmId !== null && ids.includes(crmId))
    expect(those.map(({ removed }) => removed)).toEqual([true, true])

    // changed so long ago that no pull would read them again by date
    crm.control.setModifyDate({ entity: 'lead', ids, at: '2020-01-01T00:00:00Z' })
    for (const id of [editedId, keptId]) await list.restore(id)
    const { of } = await list.run()
    expect(of(keptId)).toMatchObject({ removed: false, crmId: kept, values: { Title: 'Owner' }, agreed: {} })
    const values = { Title: 'Owner', WorkPhone: '+1-555-4' }
    expect(of(editedId)).toMatchObject({ removed: false, crmId: edited, values, agreed: {} })
    expect(crm.control.person('lead', edited)).toMatchObject(values)
    await list.quiet()
  })
})
