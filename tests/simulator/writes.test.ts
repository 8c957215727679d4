import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

const lead = {
  LastName: "O'Neil",
  Company: 'Örtlich & Söhne',
  Email: "o'neil+x%1@bücher.example",
  DoNotEmail: 'T',
  CBudget: '1.50',
}

test('creating answers 201 with the whole entity and an id of the server', async () => {
  const { ask, control } = await open()
  const answer = await ask('dynamic/-/leads', {
    method: 'POST',
    body: { ...lead, LeadFullName: 'ignored', Nonsense: 1 },
  })
  expect(answer.status).toBe(201)
  const made = (await answer.json()) as Entry
  expect(made).toMatchObject({
    LastName: "O'Neil",
    Status: 'New',
    DoNotEmail: true,
    CBudget: 1.5,
    LeadFullName: "O'Neil",
  })
  expect(made['Owner']).toMatchObject({ $key: 'SYST00000001' })
  expect(answer.headers.get('location')).toContain(made.$key)
  expect(control.person('lead', made.$key)).toMatchObject({
    Email: lead.Email,
    ModifyUser: 'ADMIN',
    CreateUser: 'ADMIN',
  })
  expect(control.counts()['leads']).toBe(301)
})

test('new ids lie anywhere in the order of ids', async () => {
  const { control } = await open({ leads: 1000 })
  const { ids } = control.add({ entity: 'lead', count: 40 })
  expect(new Set(ids).size).toBe(40)
  expect(ids.filter((id) => id < 'QFLEAD000RS0').length).toBeGreaterThan(20)
  expect(ids.every((id) => /^\w{12}$/.test(id))).toBe(true)
})

test('a missing required property, an unknown key, a bad value and a too long text are refused with a sentence', async () => {
  const { ask, control } = await open()
  const tries: [Record<string, unknown>, string][] = [
    [{ Company: 'No name' }, 'LastName is required'],
    [{ ...lead, Company: ' ' }, 'Company is required'],
    [{ ...lead, Owner: { $key: 'NOBODY' } }, "Owner 'NOBODY' does not exist"],
    [{ ...lead, DoNotEmail: 'perhaps' }, 'not a valid value for DoNotEmail'],
    [{ ...lead, AssignDate: 'soon' }, 'not a valid value for AssignDate'],
    [{ ...lead, CVisits: 1.5 }, 'not a valid value for CVisits'],
    [{ ...lead, Company: 'x'.repeat(129) }, 'too long'],
  ]
  for (const [body, message] of tries) {
    const answer = await ask('dynamic/-/leads', { method: 'POST', body })
    const [diagnosis] = (await answer.json()) as Entry[]
    expect([answer.status, diagnosis?.['sdataCode']]).toEqual([400, 'ApplicationDiagnosis'])
    expect(diagnosis?.['message']).toContain(message)
  }
  expect((await ask('dynamic/-/leads', { method: 'POST', body: '{ "LastName": ' })).status).toBe(400)
  expect(control.counts()['leads']).toBe(300)
  control.settings({ overlongText: 'cut' })
  expect((await ask('dynamic/-/leads', { method: 'POST', body: { ...lead, Company: 'x'.repeat(129) } })).status).toBe(
    201,
  )
})

test('an update touches what it names: null clears, read-only is passed over, the rest stays', async () => {
  const { json, control } = await open()
  const before = control.person('lead', 'QFLEAD000010')
  const path = "dynamic/-/leads('QFLEAD000010')"
  const body = {
    $key: 'QFLEAD000010',
    title: 'Board',
    Company: null,
    CreateDate: '/Date(0)/',
    LeadFullName: 'x',
    CBirthday: '/Date(5000)/',
  }
  const refused = await json<Entry[]>(path, { method: 'PUT', body })
  expect(refused[0]?.['message']).toBe('Company is required.')
  const after = await json(path, { method: 'PUT', body: { ...body, Company: 'New', WorkPhone: null } })
  expect(after).toMatchObject({ Title: 'Board', Company: 'New', WorkPhone: null, CBirthday: '/Date(5000)/' })
  const truth = control.person('lead', 'QFLEAD000010')
  expect(truth).toEqual({
    ...before,
    Title: 'Board',
    Company: 'New',
    CompanyUpper: 'NEW',
    WorkPhone: null,
    CBirthday: '1970-01-01',
    ModifyDate: truth?.['ModifyDate'],
    ModifyUser: 'ADMIN',
  })
  expect(Date.parse(String(truth?.['ModifyDate']))).toBeGreaterThan(Date.parse('2026-07-01'))
})

test('a nested address is made or changed with its person, and its change is its own', async () => {
  const { json, ask, control } = await open()
  const made = await json('dynamic/-/leads', {
    method: 'POST',
    body: { ...lead, Address: { City: 'Bonn', IsPrimary: true } },
  })
  expect(control.person('lead', made.$key)?.Address).toMatchObject({ City: 'Bonn', LeadId: made.$key })
  const before = control.person('lead', 'QFLEAD000010')
  await ask("dynamic/-/leads('QFLEAD000010')", { method: 'PUT', body: { Address: { City: 'Kiel' } } })
  const after = control.person('lead', 'QFLEAD000010')
  expect(after?.Address).toMatchObject({ City: 'Kiel', Country: before?.Address?.['Country'] })
  expect(after?.['ModifyDate']).toBe(before?.['ModifyDate'])
  expect(after?.Address?.['ModifyDate']).not.toBe(before?.Address?.['ModifyDate'])
})

test('a contact takes its account, and the name that goes with it', async () => {
  const { json, ask } = await open()
  expect((await ask('dynamic/-/contacts', { method: 'POST', body: { LastName: 'Alone' } })).status).toBe(400)
  const account = await json('dynamic/-/accounts', { method: 'POST', body: { AccountName: 'Anvil' } })
  const contact = await json('dynamic/-/contacts', {
    method: 'POST',
    body: { LastName: 'Two', Account: { $key: account.$key } },
  })
  expect(contact).toMatchObject({ AccountName: 'Anvil', Account: { $key: account.$key }, NameLF: 'Two' })
})

test('a deleted row answers 404 and is gone from its feed', async () => {
  const { ask, json, find } = await open()
  const path = "dynamic/-/leads('QFLEAD000010')"
  const gone = await ask(path, { method: 'DELETE' })
  expect([gone.status, await gone.text()]).toEqual([200, ''])
  expect((await ask(path)).status).toBe(404)
  expect((await ask(path, { method: 'PUT', body: { Title: 'x' } })).status).toBe(404)
  expect((await json<Entry[]>(path))[0]?.['message']).toContain('not found')
  expect(await find("Id eq 'QFLEAD000010'")).toEqual([])
})

test('a history entry takes names from ids and dates from the clock', async () => {
  const { json, control } = await open()
  const body = {
    Type: 'atEMail',
    Description: 'Hello',
    LongNotes: `${'x'.repeat(300)}\nhttps://example.com`,
    LeadId: 'QFLEAD000010',
  }
  const entry = await json('dynamic/-/history', { method: 'POST', body })
  const person = control.person('lead', 'QFLEAD000010')
  expect(entry).toMatchObject({
    Type: 'atEMail',
    LeadId: 'QFLEAD000010',
    LeadName: person?.['LeadNameLastFirst'],
    AccountName: person?.['Company'],
    UserId: 'ADMIN       ',
    UserName: 'Ada Ministrator',
    Duration: 0,
    Timeless: false,
    Notes: 'x'.repeat(255),
    LongNotes: body.LongNotes,
  })
  expect(entry['CompletedDate']).toMatch(/^\/Date\(\d+\)\/$/)
  const found = await json<{ $resources: Entry[] }>(
    `dynamic/-/history?where=${encodeURIComponent('LeadId eq \'QFLEAD000010\' and Type ne "atDatabaseChange"')}&orderby=CompletedDate%20desc`,
  )
  expect(found.$resources.map(({ $key }) => $key)).toEqual([entry.$key])
  const changed = await json(`dynamic/-/history('${entry.$key}')`, { method: 'PUT', body: { Description: 'Changed' } })
  expect(changed).toMatchObject({ Description: 'Changed', LongNotes: body.LongNotes })
  expect(
    (await json<Entry[]>('dynamic/-/history', { method: 'POST', body: { Type: 'atNonsense' } }))[0]?.['message'],
  ).toContain('Type')
})
