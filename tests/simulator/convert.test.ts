import { expect, test } from 'vitest'
import { open } from './support.ts'

const lead = {
  FirstName: 'Ada',
  LastName: 'Lovelace',
  Company: 'Engines & Söhne',
  Email: 'ada@example.com',
  WorkPhone: '1',
  HomePhone: '2',
  Mobile: '3',
  Title: 'Owner',
  DoNotEmail: true,
  DoNotFAX: true,
  Address: { Address1: '1 Row', City: 'Bonn', Country: 'Germany' },
}

test('a converted lead is gone, and a contact of a new account has its values', async () => {
  const { ask, control } = await open()
  const [leadId = ''] = control.add({ entity: 'lead', values: lead }).ids
  const started = Date.now()
  const { contactId } = control.convert({ leadId })
  expect((await ask(`dynamic/-/leads('${leadId}')`)).status).toBe(404)
  const contact = control.person('contact', contactId)
  const { Company, DoNotFAX: _fax, Address: address, ...same } = lead
  expect(contact).toMatchObject({
    ...same,
    DoNotFax: true,
    AccountName: Company,
    Status: 'Active',
    ModifyUser: 'U6UJ9A000001',
    CreateUser: 'U6UJ9A000001',
  })
  expect(contact?.Address).toMatchObject({ ...address, EntityId: contactId })
  expect(control.person('account', String(contact?.['AccountId']))).toMatchObject({ AccountName: Company })
  for (const name of ['CreateDate', 'ModifyDate'])
    expect(Date.parse(String(contact?.[name]))).toBeGreaterThanOrEqual(started)
})

test('a lead can become a contact of a given account, or part of an existing contact', async () => {
  const { control } = await open()
  const [one = '', two = ''] = control.add({ entity: 'lead', values: lead, count: 2 }).ids
  const account = 'AFACCT000010'
  const { contactId } = control.convert({ leadId: one, account })
  const accountName = control.person('account', account)?.['AccountName']
  expect(control.person('contact', contactId)).toMatchObject({ AccountId: account, AccountName: accountName })
  const [known = ''] = control.add({
    entity: 'contact',
    values: { LastName: 'Byron', Title: 'Board', ModifyDate: '2020-01-01' },
  }).ids
  expect(control.convert({ leadId: two, contactId: known })).toEqual({ contactId: known })
  const after = control.person('contact', known)
  expect(after).toMatchObject({ LastName: 'Byron', Title: 'Board', WorkPhone: '1', Address: { City: 'Bonn' } })
  expect(Date.now() - Date.parse(String(after?.['ModifyDate']))).toBeLessThan(10_000)
  expect(control.person('lead', two)).toBeNull()
  expect(() => control.convert({ leadId: two })).toThrow('There is no lead')
})

test('the history of converted leads is a feed only where it is switched on', async () => {
  const { ask, json, feed, control } = await open()
  const { contactId } = control.convert({ leadId: 'QFLEAD000010' })
  control.convert({ leadId: 'QFLEAD000020', contactId })
  const path = `dynamic/-/leadHistory?where=${encodeURIComponent("LeadId in ('QFLEAD000010','QFLEAD000030')")}`
  const kinds = async (): Promise<unknown[]> => (await feed('dynamic/-/')).$resources.map(({ $key }) => $key)
  expect((await ask(path)).status).toBe(404)
  expect(await kinds()).not.toContain('leadHistory')
  control.settings({ leadHistory: true })
  expect(await kinds()).toContain('leadHistory')
  const rows = (await feed(path)).$resources
  const AccountId = control.person('contact', contactId)?.['AccountId']
  expect(rows).toMatchObject([{ LeadId: 'QFLEAD000010', ContactId: contactId, AccountId }])
  expect((await feed('dynamic/-/leadHistory')).$totalResults).toBe(2)
  control.settings({ leadHistory: false })
  expect(await json<unknown[]>(path)).toMatchObject([{ sdataCode: 'ApplicationNotFound' }])
})

test('merged contacts leave one, whose blanks the others filled in their order', async () => {
  const { control } = await open()
  const add = (values: Record<string, unknown>): string =>
    String(control.add({ entity: 'contact', values: { ...values, ModifyDate: '2020-01-01' } }).ids[0])
  const survivorId = add({ Email: 'a@example.com', Title: ' ', Mobile: null })
  const first = add({ Email: 'b@example.com', Title: 'CFO' })
  const second = add({ Title: 'CEO', Mobile: '3', WebPassword: 'never', Address: { City: 'Bonn' } })
  const loserIds = [first, second]
  const after = control.merge({ entity: 'contact', survivorId, loserIds })
  expect(after).toMatchObject({ Email: 'a@example.com', Title: 'CFO', Mobile: '3', WebPassword: null })
  expect(after.Address).toMatchObject({ City: 'Bonn', EntityId: survivorId })
  expect(after['CreateUser']).toBe('U6UJ9A000001')
  expect(Date.now() - Date.parse(String(after['ModifyDate']))).toBeLessThan(10_000)
  expect(loserIds.map((id) => control.person('contact', id))).toEqual([null, null])
})

test('leads merge too; a person is not merged with itself, nor are accounts', async () => {
  const { control, find } = await open()
  const survivorId = 'QFLEAD000010'
  control.merge({ entity: 'lead', survivorId, loserIds: ['QFLEAD000020', 'QFLEAD000030'] })
  expect(await find("Id in ('QFLEAD000010','QFLEAD000020','QFLEAD000030')")).toEqual([survivorId])
  expect(() => control.merge({ entity: 'lead', survivorId, loserIds: [survivorId] })).toThrow('itself')
  expect(() => control.merge({ entity: 'account', survivorId: 'AFACCT000010', loserIds: [] })).toThrow('merged')
})

test('conversion, merging and dates can be asked for over HTTP and in scripts', async () => {
  const { simulator, control, feed } = await open()
  const post = async (path: string, body: unknown): Promise<unknown> =>
    (await fetch(`${simulator.url}/_simulator/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
  expect(await post('convert', { leadId: 'QFLEAD000010' })).toEqual({ contactId: expect.any(String) as string })
  const merged = { entity: 'lead', survivorId: 'QFLEAD000020', loserIds: ['QFLEAD000030'] }
  expect(await post('merge', merged)).toMatchObject({ Id: 'QFLEAD000020' })
  const dated = { entity: 'lead', ids: ['QFLEAD000020'], at: '2099-01-01T00:00:00Z' }
  expect(await post('modify-date', dated)).toEqual({ ids: dated.ids })
  expect(control.person('lead', 'QFLEAD000020')).toMatchObject({ ModifyDate: '2099-01-01T00:00:00.000Z' })
  expect(await post('modify-date', { ...dated, at: 'soon' })).toEqual({ error: "'soon' is not a date" })
  control.script({
    afterRequests: 1,
    do: [
      { convert: { leadId: 'QFLEAD000040' } },
      { merge: { entity: 'lead', survivorId: 'QFLEAD000050', loserIds: ['QFLEAD000060'] } },
      { setModifyDate: { entity: 'lead', ids: ['QFLEAD000070'], at: null } },
    ],
  })
  await feed('dynamic/-/leads?count=1')
  expect(['QFLEAD000040', 'QFLEAD000060'].map((id) => control.person('lead', id))).toEqual([null, null])
  expect(control.person('lead', 'QFLEAD000070')?.['ModifyDate']).toBeNull()
})
