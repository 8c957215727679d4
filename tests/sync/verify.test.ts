import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList, sumsAgree, type TestList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People
let plain: TestList
let list: Steps

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 60, contacts: 10 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  const run = await fairlead.finished(
    await fairlead.startImport('lead', ['Title', 'WorkPhone', 'CBudget', 'CBirthday']),
  )
  plain = await openList(fairlead, run.listId!)
  list = openSteps(crm, plain)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
})
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

let made = 0
/** A lead that is on the list, and that no pull reads again by date. */
const lead = async (): Promise<{ id: string; crmId: string }> => {
  const email = `verify.${(made += 1)}@example.com`
  const crmId = crm.add('lead', { Email: email, LastName: 'Verify', Company: 'V', Title: 'CEO', WorkPhone: '1' })
  crm.control.setModifyDate({ entity: 'lead', ids: [crmId], at: '2020-02-02T02:02:02Z' })
  return { id: (await list.run('sweep')).of(crmId).id, crmId }
}
/** Values that are changed behind Fairlead's back. */
const damage = (id: string, values: Record<string, unknown>) => {
  const byKey = Object.fromEntries(Object.entries(values).map(([name, value]) => [list.keyOf(name), value]))
  return fairlead.db
    .$client`update records set fields = fields || ${JSON.stringify(byKey)}::text::jsonb where id = ${id}`
}
/** A verification that finds something. */
const verify = async () => {
  const before = await list.records()
  const run = await plain.run('verify')
  expect(sumsAgree(run)).toBe(true)
  expect(crm.takeWrites()).toEqual([])
  const entries = await list.entries(run.id)
  const said = (id: string) => entries.filter(({ recordId, crmId }) => recordId === id || crmId === id)
  return { run, said, before }
}

test('a verification reads everybody, finds nothing that differs, and writes nothing', async () => {
  const { run, before } = await verify()
  expect(run).toMatchObject({
    kind: 'verify',
    state: 'succeeded',
    error: null,
    balance: { balanced: true, difference: 0 },
  })
  const everybody = crm.control.counts()['leads']!
  expect(run.counts!['verify']).toMatchObject({ read: everybody, unchanged: everybody, skipped: 0, updated: 0 })
  expect(run.balance).toMatchObject({ crmTotal: everybody, listTotal: everybody, missing: 0, extra: 0 })
  expect(await list.records()).toEqual(before)
})

describe('differences', () => {
  test('of values are listed field by field and left alone; the next sync repairs them', async () => {
    const { id, crmId } = await lead()
    await damage(id, { Title: 'Wrong', WorkPhone: null, CBudget: 5 })
    const { run, said, before } = await verify()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'notBalanced' } })
    expect(said(id)).toMatchObject([{ phase: 'verify', kind: 'skipped', code: 'differsHere', crmId }])
    expect(said(id)[0]!.changes).toEqual({
      Title: { before: 'Wrong', after: 'CEO' },
      WorkPhone: { before: null, after: '1' },
      CBudget: { before: 5, after: null },
    })
    expect(run.counts!['verify']).toMatchObject({ skipped: 1 })
    expect(await list.records()).toEqual(before)

    const { of } = await list.run()
    expect(of(id).values).toMatchObject({ Title: 'CEO', WorkPhone: '1', CBudget: null })
    expect((await verify()).run).toMatchObject({ state: 'succeeded', error: null })
    await list.quiet()
  })

  test('that wait to be pushed are told apart, and need no repair', async () => {
    const { id, crmId } = await lead()
    await list.edit(id, { Title: 'Owner' })
    const { run, said } = await verify()
    expect(said(id)).toMatchObject([{ kind: 'skipped', code: 'pendingHere' }])
    expect(run).toMatchObject({ state: 'succeeded', error: null })
    await list.run()
    expect(crm.takeWrites().map((write) => write.id)).toEqual([crmId])
    expect((await verify()).said(id)).toEqual([])
  })

  test('of an unticked column that is not pushed are no differences', async () => {
    const { id } = await lead()
    await list.settings(
      { enabled: true, addNew: true, updateExisting: true, fields: ['Title'] },
      { excludedFields: ['WorkPhone'] },
    )
    await damage(id, { WorkPhone: '2' })
    expect((await verify()).run).toMatchObject({ state: 'succeeded' })
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
    await damage(id, { WorkPhone: '1' })
  })

  test('of records that are linked to the other entity are found, too', async () => {
    const email = 'verify.contact@example.com'
    const contact = crm.add('contact', { Email: email, LastName: 'Verify', Title: 'CEO' })
    const id = await list.create({ Email: email })
    expect((await list.run()).of(id)).toMatchObject({ crmEntity: 'contact', crmId: contact })
    await damage(id, { Title: 'Wrong' })
    const { said, run } = await verify()
    expect(said(id)).toMatchObject([{ code: 'differsHere', changes: { Title: { before: 'Wrong', after: 'CEO' } } }])
    expect(run).toMatchObject({ state: 'incomplete' })
    expect((await list.run()).of(id).values).toMatchObject({ Title: 'CEO' })
    expect((await verify()).run).toMatchObject({ state: 'succeeded' })
  })
})

describe('keys', () => {
  test('somebody whom the list has missed is found and added', async () => {
    const crmId = crm.add('lead', { Email: 'verify.missed@example.com', LastName: 'Missed', Company: 'V' })
    crm.control.setModifyDate({ entity: 'lead', ids: [crmId], at: '2019-01-01T00:00:00Z' })
    const { run, said } = await verify()
    expect(said(crmId).map(({ code }) => code)).toContain('missingHere')
    expect(run).toMatchObject({ balance: { balanced: true, missing: 0 } })
    expect((await list.records()).filter((record) => record.crmId === crmId)).toHaveLength(1)
    expect((await verify()).said(crmId)).toEqual([])
  })

  test('somebody whom nobody wants on the list is said to be left out', async () => {
    await list.settings({}, { addNew: false })
    const crmId = crm.add('lead', { Email: 'verify.unwanted@example.com', LastName: 'Unwanted', Company: 'V' })
    for (const kind of ['verify', 'sweep', 'sync'] as const) {
      const { said } = await list.run(kind)
      expect(said(crmId).map(({ code }) => code)).toContain('notAdded')
      expect((await list.records()).some((record) => record.crmId === crmId)).toBe(false)
    }
    await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title'] })
    await list.run()
  })

  test('somebody who is gone from the CRM is marked', async () => {
    const { id, crmId } = await lead()
    crm.control.remove({ entity: 'lead', ids: [crmId] })
    const { run, said } = await verify()
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true }, counts: { sweep: { deleted: 1 } } })
    expect(said(crmId)).toMatchObject([{ kind: 'deleted', code: 'deletedInCrm' }])
    expect((await list.records()).find((record) => record.id === id)).toMatchObject({
      state: 'deletedInCrm',
      removed: false,
    })
  })

  test('somebody who was removed here is explained', async () => {
    const { id, crmId } = await lead()
    await list.remove(id)
    const { run, said } = await verify()
    expect(said(crmId)).toMatchObject([{ kind: 'skipped', code: 'removedHere' }])
    expect(run).toMatchObject({
      state: 'succeeded',
      balance: { balanced: true, difference: 0, explained: { removed: 1 } },
    })
  })
})
