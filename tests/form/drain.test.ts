import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openFairlead, type Fairlead } from '../support/fairlead.ts'
import { openForm } from '../support/form.ts'
import { plainList } from '../support/plain.ts'
import type { TestList } from '../support/sync.ts'
import { openPeople, type People } from '../sync/people.ts'

let fairlead: Fairlead
let crm: People
let list: TestList

beforeAll(async () => {
  fairlead = await openFairlead({ leads: 3, contacts: 2 })
  crm = openPeople(fairlead)
  await fairlead.connect()
  list = await plainList(fairlead, 'Filled by forms', {
    Job: ['Title', 'Title'],
    Firm: ['Company', null],
    Phone: ['WorkPhone', 'WorkPhone'],
    Note: null,
  })
}, 60_000)
afterAll(() => fairlead.close())
beforeEach(() => void crm.takeWrites())
afterEach(() => crm.control.clearFaults())

const fields = {
  email: 'E-mail',
  first: 'First name',
  last: 'Last name',
  job: 'Job',
  firm: 'Firm',
  phone: 'Phone',
  note: 'Note',
  free: null,
}
let made = 0
const mail = (name: string): string => `${name}.${(made += 1)}@form.example`
const open = (options: Parameters<typeof openForm>[3] = {}) => openForm(fairlead, list, fields, options)
const recordOf = async (id: string | null) => (await list.records()).find((each) => each.id === id)!
const select = ['Id', 'Email', 'FirstName', 'LastName', 'Title', 'Company', 'WorkPhone']
const peopleOf = (entity: 'lead' | 'contact', email: string) =>
  crm.control
    .people({ entity, count: 10_000, select: entity === 'lead' ? select : select.filter((name) => name !== 'Company') })
    .items.filter(({ Email }) => String(Email ?? '').toLowerCase() === email.toLowerCase())

describe('F2: a submission', () => {
  test('of somebody new becomes a lead with every mapped answer, and a record that is linked to it', async () => {
    const form = await open()
    const email = mail('new')
    const id = await form.submit({
      email,
      first: 'Nia',
      last: 'New',
      job: 'Chief',
      firm: 'New Ltd',
      phone: '',
      free: 'kept',
    })
    const settled = await form.settled(id)
    expect(settled).toMatchObject({ state: 'pushed', code: null, results: [{ entity: 'lead', kind: 'created' }] })
    const [lead, ...others] = peopleOf('lead', email)
    expect(others).toEqual([])
    expect(lead).toMatchObject({ FirstName: 'Nia', LastName: 'New', Title: 'Chief', Company: 'New Ltd' })
    const record = await recordOf(settled.recordId)
    expect(record).toMatchObject({ crmEntity: 'lead', crmId: lead!.Id, agreed: {}, removed: false })
    expect(record.values).toMatchObject({ 'E-mail': email, Job: 'Chief' })
    crm.takeWrites()
    const run = await list.run()
    expect(run).toMatchObject({ state: 'succeeded' })
    expect(crm.takeWrites()).toEqual([])
  })
})
