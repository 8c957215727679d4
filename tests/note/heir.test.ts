import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { inCrm, openNotes } from '../support/note.ts'
import { takenOver } from '../support/takenOver.ts'

/** R16, R32: notes of leads that somebody has taken over, where that one is gone, broken, or was taken over in turn. */
let fairlead: Fairlead
let listId: string
let given: string[]

beforeAll(async () => {
  const environment = { CRM_TIMEOUT_MS: '1000', CRM_LATE_MS: '0', PUBLIC_URL: 'https://fairlead.example/' }
  fairlead = await openFairlead({ leads: 80, contacts: 10, environment })
  fairlead.simulator.control.settings({ leadHistory: true })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead'))).listId!
  const all = await (await openNotes(fairlead, listId)).recipients()
  given = all.filter(({ email }) => isAlone(email)).map(({ crmId }) => crmId!)
}, 60_000)
afterAll(() => fairlead.close())
afterEach(() => {
  fairlead.simulator.control.clearFaults()
})

const isAlone = (email: string | null): boolean => {
  const { control } = fairlead.simulator
  const where = `upper(Email) eq '${email?.toUpperCase()}'`
  return control.people({ entity: 'lead', where }).total + control.people({ entity: 'contact', where }).total === 1
}
let made = 0
const contact = (email = `heir.${(made += 1)}@example.com`): string =>
  fairlead.simulator.control.add({ entity: 'contact', values: { Email: email, FirstName: 'An', LastName: 'Heir' } })
    .ids[0]!
const remove = (entity: 'lead' | 'contact', id: string) => fairlead.simulator.control.remove({ entity, ids: [id] })
const taken = (entity: 'lead' | 'contact', id: string, to: string) =>
  takenOver(fairlead.db.$client, listId, { entity, id }, to)

/** What becomes of the note of a mail to a lead that was there when the mail was sent. */
const noteOf = async (happens: (lead: string, email: string) => Promise<unknown>) => {
  const message = await openNotes(fairlead, listId)
  const lead = given.shift()!
  const recipient = (await message.recipients()).find(({ crmId }) => crmId === lead)!
  await happens(lead, recipient.email!)
  await message.accept([recipient])
  const run = await fairlead.finished((await message.runs())[0]!)
  const [{ state, code, crmId, token }] = (await message.all()) as [Awaited<ReturnType<typeof message.all>>[number]]
  const people = (inCrm(fairlead).get(token) ?? []).map((note) => note['ContactId'] ?? note['LeadId'])
  return { run: run.state, state, code, crmId, people }
}
const written = (id: string) => ({ run: 'succeeded', state: 'written', code: null, crmId: id, people: [id] })
const broken = { run: 'incomplete', state: 'rejected', code: 'crmFailed', people: [] }

test('who took the lead over and does not come leaves the note rejected, not given to somebody else with the address', async () => {
  const told = await noteOf(async (lead, email) => {
    const heir = contact()
    contact(email)
    await taken('lead', lead, heir)
    remove('lead', lead)
    fairlead.simulator.control.addFault({ kind: 'poison', ids: [heir] })
  })
  expect(told).toMatchObject(broken)
})

test('the same of a contact that the CRM names', async () => {
  const { control } = fairlead.simulator
  const told = await noteOf(async (lead) => {
    const { contactId } = control.convert({ leadId: lead })
    control.edit({ entity: 'contact', id: contactId, values: { Email: 'moved@heir.example' } })
    control.addFault({ kind: 'poison', ids: [contactId] })
  })
  expect(told).toMatchObject(broken)
})

test('one of two with the address does not come, and the other one is not taken for the lead', async () => {
  const told = await noteOf(async (lead, email) => {
    const ids = [contact(email), contact(email)]
    remove('lead', lead)
    fairlead.simulator.control.addFault({ kind: 'poison', ids: [ids[0]!] })
  })
  expect(told).toMatchObject(broken)
})

test('the first one along the chain who is there gets it, as a record would follow', async () => {
  for (const gone of ['none', 'first', 'second']) {
    const ids = [contact(), contact()] as [string, string]
    const told = await noteOf(async (lead) => {
      await taken('lead', lead, ids[0])
      await taken('contact', ids[0], ids[1])
      remove('lead', lead)
      if (gone !== 'none') remove('contact', gone === 'first' ? ids[0] : ids[1])
    })
    expect(told).toEqual(written(gone === 'first' ? ids[1] : ids[0]))
  }
})

test('a contact that the CRM names, and that was merged into another, is followed', async () => {
  const heir = contact()
  const told = await noteOf(async (lead) => {
    const { contactId } = fairlead.simulator.control.convert({ leadId: lead })
    await taken('contact', contactId, heir)
    remove('contact', contactId)
  })
  expect(told).toEqual(written(heir))
})
