import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { operator } from '../../src/db/audit.ts'
import * as lists from '../../src/db/list.ts'
import { reopen } from '../../src/db/submission/wake.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openOptOuts } from '../support/optOut.ts'
import { openForm } from '../support/submission.ts'
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

  /** A contact and two leads of one address; each lacks something. */
  const three = (email: string) => ({
    contact: crm.add('contact', { Email: email.toUpperCase(), LastName: 'Old', FirstName: 'Pat', Title: 'Was' }),
    first: crm.add('lead', { Email: email, LastName: 'Old', FirstName: 'Pat', Title: 'Was', Company: 'Old Ltd' }),
    second: crm.add('lead', { Email: ` ${email} `, LastName: 'Old', FirstName: 'Pat', Title: null, WorkPhone: '1' }),
  })
  const answers = { last: 'Now', job: 'Chief', firm: 'Now Ltd', phone: '', first: '  ' }

  test('R29, overwrite: a contact and two leads with the address all get what was answered; blanks clear nothing', async () => {
    const form = await open()
    const email = mail('three')
    const { contact, first, second } = three(email)
    const settled = await form.settled(await form.submit({ email, ...answers }))
    expect(settled).toMatchObject({ state: 'pushed' })
    expect(new Set(settled.results.map(({ id, kind }) => `${id} ${kind}`))).toEqual(
      new Set([contact, first, second].map((id) => `${id} updated`)),
    )
    const now = { FirstName: 'Pat', LastName: 'Now', Title: 'Chief' }
    const people = crm.everybody()
    expect(people.get(contact)).toMatchObject(now)
    expect(people.get(first)).toMatchObject({ ...now, Company: 'Now Ltd' })
    expect(people.get(second)).toMatchObject({ ...now, Company: 'Now Ltd', WorkPhone: '1' })
    // R4: the record is the contact
    expect(await recordOf(settled.recordId)).toMatchObject({ crmEntity: 'contact', crmId: contact })
    crm.takeWrites()
    await list.run()
    expect(crm.takeWrites()).toEqual([])
    const again = await form.settled(await form.submit({ email, ...answers }))
    expect(again.results.map(({ kind }) => kind)).toEqual(['unchanged', 'unchanged', 'unchanged'])
    expect(crm.takeWrites()).toEqual([])
  })

  test('R29, blanksOnly: only what is blank in the CRM is filled, and the list does not push the rest later', async () => {
    const form = await open({ policy: 'blanksOnly' })
    const email = mail('blanks')
    const { contact, first, second } = three(email)
    expect(await form.settled(await form.submit({ email, ...answers }))).toMatchObject({ state: 'pushed' })
    const people = crm.everybody()
    expect(people.get(contact)).toMatchObject({ LastName: 'Old', Title: 'Was' })
    expect(people.get(first)).toMatchObject({ LastName: 'Old', Title: 'Was', Company: 'Old Ltd' })
    expect(people.get(second)).toMatchObject({ LastName: 'Old', Title: 'Chief', WorkPhone: '1' })
    crm.takeWrites()
    await list.run()
    expect(crm.takeWrites()).toEqual([])
  })

  test('R29, createOnly: whoever is in the CRM stays as they are; somebody new is created', async () => {
    const form = await open({ policy: 'createOnly' })
    const email = mail('only')
    three(email)
    const settled = await form.settled(await form.submit({ email, ...answers }))
    expect(settled.results.map(({ kind }) => kind)).toEqual(['unchanged', 'unchanged', 'unchanged'])
    await list.run()
    expect(crm.takeWrites()).toEqual([])
    const fresh = mail('fresh')
    const made = await form.settled(await form.submit({ email: fresh, last: 'Fresh', firm: 'Fresh Ltd' }))
    expect(made).toMatchObject({ state: 'pushed', results: [{ kind: 'created' }] })
    expect(peopleOf('lead', fresh)).toHaveLength(1)
  })

  test('R34: of an address that is opted out, without a new consent, makes a lead that is marked', async () => {
    const form = await open()
    const email = mail('out')
    const optOuts = openOptOuts(fairlead)
    await optOuts.out(email)
    await optOuts.reaches(email, 'written')
    expect(await form.settled(await form.submit({ email, last: 'Out', firm: 'Out Ltd' }))).toMatchObject({
      state: 'pushed',
    })
    const [{ Id: id }] = peopleOf('lead', email) as [{ Id: string }]
    await until('the lead is marked', async () => {
      await fairlead.wiring.relay()
      return crm.everybody().get(id)?.['DoNotEmail'] === true
    })
  })

  test('R40: whose record is gone when the lead would be made is settled as erased, and makes nobody', async () => {
    const form = await open()
    const email = mail('gone')
    crm.control.addFault({ kind: 'slow', ms: 600, match: { method: 'GET' } })
    const id = await form.submit({ email, last: 'Gone', firm: 'Gone Ltd' })
    const { recordId } = await form.reaches(id, 'pushing')
    await fairlead.db.$client`delete from records where id = ${recordId}::uuid`
    expect(await form.settled(id)).toMatchObject({ state: 'rejected', code: 'erased', results: [] })
    expect(peopleOf('lead', email)).toEqual([])
  })

  test('R30: the same address fifty times at once, in mixed case: one lead with the last values, fifty pushed', async () => {
    const form = await open()
    const email = mail('fifty')
    const cased = (n: number): string => (n % 2 === 0 ? email : email.toUpperCase())
    for (let n = 1; n <= 50; n += 1)
      await form.store({ email: cased(n), last: `Last ${n}`, firm: `Firm ${n}`, job: String(n) })
    await form.wake()
    const all = await form.allSettled()
    expect(all.map(({ state }) => state)).toEqual(Array.from({ length: 50 }, () => 'pushed'))
    expect(new Set(all.map(({ recordId }) => recordId)).size).toBe(1)
    const leads = peopleOf('lead', email)
    expect(leads).toHaveLength(1)
    expect(leads[0]).toMatchObject({ LastName: 'Last 50', Company: 'Firm 50', Title: '50' })
    expect(all.flatMap(({ results }) => results).filter(({ kind }) => kind === 'created')).toHaveLength(1)
    // in order: each wrote what it said
    const jobs = crm
      .takeWrites()
      .flatMap(({ body }) => /"Title":"(\d+)"/.exec(body)?.[1] ?? [])
      .map(Number)
    expect(jobs).toEqual(jobs.toSorted((a, b) => a - b))
    expect(await recordOf(all[0]!.recordId)).toMatchObject({ agreed: {}, values: { Job: '50' } })
  })

  test('of a form that does not push is stored on the list alone; one without an address that should push is rejected', async () => {
    const quiet = await open({ push: false })
    const email = mail('quiet')
    const stored = await quiet.settled(await quiet.submit({ email, last: 'Quiet' }))
    expect(stored).toMatchObject({ state: 'stored', code: null, results: [] })
    expect(await recordOf(stored.recordId)).toMatchObject({ crmId: null, values: { 'E-mail': email } })
    expect(peopleOf('lead', email)).toEqual([])
    const form = await open()
    const nobody = await form.settled(await form.submit({ email: '', last: 'Nobody' }))
    expect(nobody).toMatchObject({ state: 'rejected', code: 'noEmail' })
    expect(await recordOf(nobody.recordId)).toMatchObject({ values: { 'Last name': 'Nobody' } })
  })

  test('R17: brings the removed record of its person back', async () => {
    const form = await open()
    const email = mail('back')
    const first = await form.settled(await form.submit({ email, last: 'Back', firm: 'Back Ltd' }))
    await list.remove(first.recordId!)
    const second = await form.settled(await form.submit({ email, last: 'Again' }))
    expect(second).toMatchObject({ state: 'pushed', recordId: first.recordId })
    expect(await recordOf(first.recordId)).toMatchObject({ removed: false, values: { 'Last name': 'Again' } })
  })

  test('R1: whose person is on the list by another address goes into that record', async () => {
    const form = await open()
    const email = mail('moved')
    const first = await form.settled(await form.submit({ email, last: 'One', firm: 'One Ltd' }))
    const lead = first.results[0]!.id
    const other = mail('other')
    crm.control.massUpdate({ entity: 'lead', ids: [lead], values: { Email: other } })
    const second = await form.settled(await form.submit({ email: other, last: 'Two' }))
    expect(second).toMatchObject({
      state: 'pushed',
      recordId: first.recordId,
      results: [{ id: lead, kind: 'updated' }],
    })
    expect(crm.everybody().get(lead)).toMatchObject({ LastName: 'Two', Email: other })
    // those that were on the record that went are the other's, too
    const third = mail('third')
    crm.control.massUpdate({ entity: 'lead', ids: [lead], values: { Email: third } })
    for (const last of ['Three', 'Four', 'Five']) await form.store({ email: third, last })
    await form.wake()
    const all = await form.allSettled()
    expect(new Set(all.map(({ recordId }) => recordId))).toEqual(new Set([first.recordId]))
    expect(await recordOf(first.recordId)).toMatchObject({ agreed: {}, values: { 'Last name': 'Five' } })
  })

  test('R15: of somebody whose lead was deleted in the CRM makes a new one, to which the record is linked', async () => {
    const form = await open()
    const email = mail('gone')
    const first = await form.settled(await form.submit({ email, last: 'One', firm: 'One Ltd' }))
    crm.control.remove({ entity: 'lead', ids: [first.results[0]!.id] })
    await list.edit(first.recordId!, { Job: 'Edited' })
    await list.run()
    expect(await recordOf(first.recordId)).toMatchObject({ state: 'deletedInCrm' })
    // so long that the CRM has shown what it made
    await fairlead.db.$client`update creations set done_at = done_at - interval '2 minutes'`
    const second = await form.settled(await form.submit({ email, last: 'Two', firm: 'Two Ltd' }))
    expect(second).toMatchObject({ state: 'pushed', recordId: first.recordId, results: [{ kind: 'created' }] })
    const id = second.results[0]!.id
    expect(await recordOf(first.recordId)).toMatchObject({ crmId: id, state: null, agreed: {} })
    crm.takeWrites()
    await list.run()
    expect(crm.takeWrites()).toEqual([])
  })

  test('P1, C3: binds its list to the CRM, and keeps by what the CRM is known again', async () => {
    const own = await plainList(fairlead, 'Bound by a form', { Company: ['Company', null], 'Business City': null })
    const form = await openForm(fairlead, own, { email: 'E-mail', firm: 'Company', city: 'Business City' })
    const email = mail('bound')
    crm.add('lead', { Email: email, LastName: 'Bound', Company: 'Ltd' })
    const settled = await form.settled(await form.submit({ email, city: 'Bonn' }))
    expect(settled).toMatchObject({ state: 'pushed' })
    // R28: by the name of the column
    expect(settled.warnings).toContainEqual({ code: 'addressNotMapped', field: 'Business City' })
    const sql = fairlead.db.$client
    const [found] = await sql`
      select l.connection_id = c.id as bound, r.fields ? 'c4' as dated from lists l join connections c on c.account_id = l.account_id
        join records r on r.list_id = l.id where l.id = ${own.listId} and r.id = ${settled.recordId}`
    expect(found).toEqual({ bound: true, dated: true })
  })
})

describe('the version that a submission was made with', () => {
  test('decides about it, also when the form is changed while it waits', async () => {
    const form = await open({ policy: 'overwrite' })
    const email = mail('version')
    const id = crm.add('lead', { Email: email, LastName: 'Was', Company: 'Was Ltd' })
    const first = await form.store({ email, last: 'First' })
    await form.change({ policy: 'createOnly' })
    const second = await form.store({ email, last: 'Second' })
    await form.wake()
    await form.allSettled()
    expect((await form.of(first)).results).toMatchObject([{ id, kind: 'updated' }])
    expect((await form.of(second)).results).toMatchObject([{ id, kind: 'unchanged' }])
    expect(crm.everybody().get(id)).toMatchObject({ LastName: 'First' })
  })

  test('R29: what the CRM requires and nobody gave rejects it; tried again by hand it goes by the form as it was mended', async () => {
    const form = await open()
    const email = mail('required')
    const id = await form.submit({ email, last: 'Without' })
    const rejected = await form.settled(id)
    expect(rejected).toMatchObject({ state: 'rejected', code: 'requiredMissing' })
    expect(rejected.warnings).toContainEqual({ code: 'requiredMissing', field: 'Company' })
    await form.change({ newLeadDefaults: { Company: 'Unknown Ltd' } })
    expect(await reopen(fairlead.db, fairlead.accountId, { formId: form.formId, code: 'requiredMissing' })).toBe(1)
    await fairlead.wiring.relay()
    expect(await form.settled(id)).toMatchObject({ state: 'pushed', code: null })
    expect(peopleOf('lead', email)).toMatchObject([{ Company: 'Unknown Ltd' }])
  })

  test('R30: one that is tried again after later ones of its address fills in what is blank, and leaves what they said', async () => {
    const form = await open()
    const email = mail('late')
    const older = await form.settled(await form.submit({ email, last: 'Older', job: 'Older', phone: '1' }))
    expect(older).toMatchObject({ state: 'rejected', code: 'requiredMissing' })
    const newer = await form.settled(await form.submit({ email, last: 'Newer', job: 'Newer', firm: 'Newer Ltd' }))
    const { id } = newer.results[0]!
    crm.control.massUpdate({ entity: 'lead', ids: [id], values: { WorkPhone: null } })
    expect(await reopen(fairlead.db, fairlead.accountId, { ids: [older.id] })).toBe(1)
    await fairlead.wiring.relay()
    const late = await form.settled(older.id)
    expect(late).toMatchObject({ state: 'pushed', results: [{ id, kind: 'updated', fields: ['WorkPhone'] }] })
    expect(late.warnings).toContainEqual({ code: 'newerAnswers' })
    const now = { LastName: 'Newer', Title: 'Newer', Company: 'Newer Ltd', WorkPhone: '1' }
    expect(crm.everybody().get(id)).toMatchObject(now)
    expect(await recordOf(late.recordId)).toMatchObject({ agreed: {}, values: { 'Last name': 'Newer', Phone: '1' } })
    crm.takeWrites()
    await list.run()
    expect(crm.takeWrites()).toEqual([])
    // one that is still to come comes after it
    const other = mail('late')
    const first = await form.settled(await form.submit({ email: other, last: 'First' }))
    const second = await form.store({ email: other, last: 'Second', firm: 'Second Ltd' })
    await reopen(fairlead.db, fairlead.accountId, { ids: [first.id] })
    await fairlead.wiring.relay()
    expect(await form.settled(second)).toMatchObject({ state: 'pushed' })
    expect(peopleOf('lead', other)).toMatchObject([{ LastName: 'Second' }])
  })

  test('R22: those of a list that was removed meanwhile are rejected, and hold nobody up', async () => {
    const gone = await plainList(fairlead, 'To be removed', { Company: ['Company', null] })
    const form = await openForm(fairlead, gone, { email: 'E-mail', firm: 'Company' })
    const id = await form.submit({ email: mail('removed') })
    expect(await form.settled(id)).toMatchObject({ state: 'rejected' })
    await form.change({})
    await lists.remove(fairlead.db, fairlead.accountId, gone.listId, operator)
    await reopen(fairlead.db, fairlead.accountId, { ids: [id] })
    const healthy = await open()
    const other = await healthy.submit({ email: mail('healthy'), last: 'Healthy', firm: 'Ltd' })
    expect(await healthy.settled(other)).toMatchObject({ state: 'pushed' })
    expect(await form.settled(id)).toMatchObject({ state: 'rejected', code: 'listRemoved' })
  })
})
