import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openList } from '../support/sync.ts'
import { openPeople, type People } from './people.ts'
import { openSteps, type Steps } from './steps.ts'

let fairlead: Fairlead
let crm: People
let leads: Steps
let second: Steps

const open = async (): Promise<Steps> => {
  const { listId } = await fairlead.finished(
    await fairlead.startImport('lead', ['Company', 'Title', 'WorkPhone'], true),
  )
  const list = await openList(fairlead, listId!)
  await list.settings({ enabled: true, addNew: true, updateExisting: true, fields: ['Title', 'WorkPhone'] })
  return openSteps(crm, list)
}

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 30, contacts: 30 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  leads = await open()
  second = await open()
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => {
  crm.takeWrites()
})

let made = 0
const address = (): string => `conv.${(made += 1)}@example.com`
const person = (entity: 'lead' | 'contact', email: string): string =>
  crm.add(entity, { Email: email, FirstName: 'Con', LastName: 'Verted', Title: 'CEO', WorkPhone: '+1-555-1' })

/** A lead on the list, converted in the CRM to a contact that has its address. */
const convert = async () => {
  const email = address()
  const lead = person('lead', email)
  const { id } = (await leads.run()).of(lead)
  return { email, lead, id, ...crm.control.convert({ leadId: lead }) }
}

describe('R16: a converted lead', () => {
  test('is found by a sweep: the record is the contact’s, keeps its history, and stays on its list', async () => {
    const { lead, id, contactId } = await convert()
    const { of, said, counts } = await leads.run('sweep')
    expect(of(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false, state: null })
    expect(said(id)[0]).toMatchObject({ kind: 'relinked', code: 'converted', warnings: [{ code: 'was', ids: [lead] }] })
    expect(counts['sweep']).toMatchObject({ relinked: 1, deleted: 0 })
    // from now on the contact is read by its id, and written to
    crm.control.edit({ entity: 'contact', id: contactId, values: { WorkPhone: '+1-555-2' } })
    crm.control.setModifyDate({ entity: 'contact', ids: [contactId], at: '2018-01-01T00:00:00Z' })
    await leads.edit(id, { Title: 'Owner' })
    expect((await leads.run()).of(id).values).toMatchObject({ WorkPhone: '+1-555-2', Title: 'Owner' })
    expect(crm.control.person('contact', contactId)).toMatchObject({ WorkPhone: '+1-555-2', Title: 'Owner' })
    await leads.quiet()
  })

  test('is found by a push, and what was edited here goes to the contact', async () => {
    const { id, lead, contactId, email } = await convert()
    await leads.edit(id, { Title: 'Owner' })
    const { of, said, counts } = await leads.run()
    expect(of(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId, agreed: {} })
    expect(said(id)).toMatchObject([{ kind: 'relinked', code: 'converted' }, { kind: 'updated' }])
    expect(said(id)[0]!.warnings).toContainEqual({ code: 'was', ids: [lead] })
    expect(counts['push']).toMatchObject({ read: 1, updated: 1, relinked: 1, deleted: 0, created: 0 })
    expect(crm.control.person('contact', contactId)).toMatchObject({ Title: 'Owner' })
    expect([...crm.everybody().values()].filter(({ Email }) => Email === email)).toHaveLength(1)
    await leads.quiet()
  })

  test('is followed by every list that it is on', async () => {
    const lead = person('lead', address())
    const ids = [(await leads.run()).of(lead).id, (await second.run()).of(lead).id]
    const { contactId } = crm.control.convert({ leadId: lead })
    expect((await leads.run('sweep')).of(ids[0]!)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
    expect((await second.run()).of(ids[1]!)).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false })
  })

  test('whose contact the CRM cannot deliver to another list waits for it there, and is not deleted', async () => {
    const lead = person('lead', address())
    const ids = [(await leads.run()).of(lead).id, (await second.run()).of(lead).id]
    const { contactId } = crm.control.convert({ leadId: lead })
    expect((await leads.run('sweep')).of(ids[0]!)).toMatchObject({ crmEntity: 'contact', crmId: contactId })
    const fault = crm.control.addFault({ kind: 'poison', ids: [contactId] })
    const run = await (await openList(fairlead, second.listId)).run()
    expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' } })
    expect((await second.records()).find(({ id }) => id === ids[1])).toMatchObject({ crmId: lead, state: 'converted' })
    crm.control.clearFaults(fault)
    expect((await second.run()).of(ids[1]!)).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false })
  })

  test.each([
    ['sweep', 'cannot be delivered'],
    ['push', 'cannot be delivered'],
    ['sweep', 'is left out'],
    ['push', 'is left out'],
  ])(
    'R22: whose contact does not come when a %s looks for it, as it %s, waits, and its edits with it, also beside somebody else with the address',
    async (by, why) => {
      for (const rivals of [0, 1]) {
        const { id, lead, email, contactId } = await convert()
        const rival = rivals === 0 ? undefined : person('contact', email)
        await leads.edit(id, { Title: 'Owner' })
        const ids = [contactId]
        const fault = crm.control.addFault(
          why === 'is left out' ? { kind: 'hiddenRows', ids, property: 'Title' } : { kind: 'poison', ids },
        )
        const run = await (await openList(fairlead, leads.listId)).run(by === 'sweep' ? 'sweep' : 'sync')
        expect(run).toMatchObject({ state: 'incomplete', error: { code: 'crmFailed' }, balance: { balanced: true } })
        if (by === 'sweep') expect(run.balance!.explained).toMatchObject({ unresolved: 1 })
        expect((await leads.records()).find((each) => each.id === id)).toMatchObject({
          crmEntity: 'lead',
          crmId: lead,
          state: null,
        })
        if (rival !== undefined) {
          expect(crm.control.person('contact', rival)).toMatchObject({ Title: 'CEO' })
          crm.control.remove({ entity: 'contact', ids: [rival] })
        }
        crm.control.clearFaults(fault)
        expect((await leads.run()).of(id)).toMatchObject({ crmEntity: 'contact', crmId: contactId, removed: false })
        expect(crm.control.person('contact', contactId)).toMatchObject({ Title: 'Owner' })
        await leads.quiet()
      }
    },
  )

  test('that may be one of several contacts is left to a person, and neither followed nor deleted', async () => {
    const { id, lead, email, contactId } = await convert()
    const rival = person('contact', email)
    await leads.edit(id, { Title: 'Owner' })
    const { of, said, counts } = await leads.run()
    expect(of(id)).toMatchObject({ crmEntity: 'lead', crmId: lead, removed: false })
    expect(of(id).state).not.toBe('deletedInCrm')
    expect(said(id)).toMatchObject([{ kind: 'skipped', code: 'needsDecision' }])
    expect(said(id)[0]!.warnings![0]!.ids!.toSorted()).toEqual([contactId, rival].toSorted())
    expect(counts['push']).toMatchObject({ read: 1, skipped: 1, created: 0, deleted: 0 })
    expect(crm.takeWrites()).toEqual([])
    // as long as nobody has decided
    expect((await leads.run()).said(id)).toMatchObject([{ code: 'needsDecision', times: 2 }])
    await leads.run('sweep')
    await leads.remove(id)
  })

  test('whose contact has another address is deleted', async () => {
    const { id, lead, contactId } = await convert()
    crm.control.edit({ entity: 'contact', id: contactId, values: { Email: address() } })
    const { of, said, counts } = await leads.run('sweep')
    expect(of(id)).toMatchObject({ crmEntity: 'lead', state: 'deletedInCrm', removed: false })
    expect(said(lead)).toMatchObject([{ kind: 'deleted', code: 'deletedInCrm' }])
    expect(counts['sweep']).toMatchObject({ deleted: 1, relinked: 0 })
  })

  test('whose contact was there long before and was not touched is deleted', async () => {
    const email = address()
    const lead = person('lead', email)
    const { id } = (await leads.run()).of(lead)
    const old = person('contact', email)
    crm.control.edit({ entity: 'contact', id: old, values: { CreateDate: '2015-01-01T00:00:00Z' } })
    crm.control.setModifyDate({ entity: 'contact', ids: [old], at: '2015-01-01T00:00:00Z' })
    crm.control.remove({ entity: 'lead', ids: [lead] })
    expect((await leads.run('sweep')).of(id)).toMatchObject({ state: 'deletedInCrm', crmId: lead })
  })

  test('whose contact is on the list already becomes one record with it', async () => {
    const email = address()
    const lead = person('lead', email)
    const contact = person('contact', address())
    const { id } = (await leads.run()).of(lead)
    const linked = await leads.create({ Email: String(crm.control.person('contact', contact)!['Email']) })
    expect((await leads.run()).of(linked)).toMatchObject({ crmEntity: 'contact', crmId: contact })
    await leads.edit(id, { Title: 'Owner' })
    crm.control.edit({ entity: 'contact', id: contact, values: { Email: email } })
    crm.control.convert({ leadId: lead, contactId: contact })
    const { of, said } = await leads.run()
    expect(of(id)).toMatchObject({ removed: true, mergedInto: linked })
    expect(said(id)).toMatchObject([{ kind: 'relinked', code: 'converted' }])
    expect(said(id)[0]!.warnings).toContainEqual({ code: 'mergedIntoRecord', ids: [linked] })
    expect((await leads.records()).find((record) => record.id === linked)).toMatchObject({
      removed: false,
      values: { Title: 'Owner' },
    })
    await leads.quiet()
    expect(crm.control.person('contact', contact)).toMatchObject({ Title: 'Owner' })
  })
})
