import { afterAll, describe, expect, test } from 'vitest'
import type { Truth } from '../../src/simulator/control/truth.ts'
import { open, start, type Entry } from './support.ts'

type Test = (lead: Truth) => boolean | null

const text = (value: unknown): string => (typeof value === 'string' ? value.trimEnd().toLowerCase() : '')
const known = (value: unknown): boolean => value !== null && value !== undefined
const city = (lead: Truth): unknown => lead.Address?.['City']

const cases: [where: string, truth: Test][] = [
  ["Status eq 'new'", (lead) => text(lead['Status']) === 'new'],
  ['Status ne "New"', (lead) => known(lead['Status']) && text(lead['Status']) !== 'new'],
  ["not (Status eq 'New')", (lead) => known(lead['Status']) && text(lead['Status']) !== 'new'],
  ['Email eq null', (lead) => lead['Email'] === null],
  ['Email ne null', (lead) => lead['Email'] !== null],
  ["Email eq ''", (lead) => known(lead['Email']) && text(lead['Email']) === ''],
  ['DoNotEmail', (lead) => lead['DoNotEmail'] === true],
  ['not DoNotEmail', (lead) => lead['DoNotEmail'] === false],
  ['(DoNotEmail eq false or DoNotEmail eq null)', (lead) => lead['DoNotEmail'] !== true],
  ['DoNotEmail = true', (lead) => lead['DoNotEmail'] === true],
  ["LastName like 'B%'", (lead) => text(lead['LastName']).startsWith('b')],
  ["LastName not like '%n'", (lead) => !String(lead['LastName']).toLowerCase().endsWith('n')],
  ["upper(LastName) like '_E%'", (lead) => String(lead['LastName'])[1]?.toLowerCase() === 'e'],
  ["Status in ('New','Open')", (lead) => ['new', 'open'].includes(text(lead['Status']))],
  ["Status not in ('New','Open')", (lead) => known(lead['Status']) && !['new', 'open'].includes(text(lead['Status']))],
  [
    'CVisits between 2 and 5',
    (lead) => known(lead['CVisits']) && Number(lead['CVisits']) >= 2 && Number(lead['CVisits']) <= 5,
  ],
  ['CVisits mul 2 + 1 gt 10', (lead) => known(lead['CVisits']) && Number(lead['CVisits']) * 2 + 1 > 10],
  ['CVisits mod 2 eq 1', (lead) => known(lead['CVisits']) && Number(lead['CVisits']) % 2 === 1],
  ['CVisits in (1, 8)', (lead) => [1, 8].includes(Number(lead['CVisits'])) && known(lead['CVisits'])],
  ['CBudget gt 12345678901234000', (lead) => Number(lead['CBudget'] ?? 0) > 12345678901234000],
  ['CScore div 10 lt 2', (lead) => known(lead['CScore']) && Number(lead['CScore']) / 10 < 2],
  [
    'round(CScore) eq 50 or -CVisits eq -8',
    (lead) => (known(lead['CScore']) && Math.round(Number(lead['CScore'])) === 50) || lead['CVisits'] === 8,
  ],
  [
    'ModifyDate ge @2024-01-01@ and ModifyDate lt @2025-01-01T00:00:00Z@',
    (lead) => String(lead['ModifyDate']).startsWith('2024'),
  ],
  ['ModifyDate eq null', (lead) => lead['ModifyDate'] === null],
  [
    '(ModifyDate ge @2026-01-01T00:00:00Z@ or ModifyDate eq null)',
    (lead) => lead['ModifyDate'] === null || String(lead['ModifyDate']) >= '2026',
  ],
  ['year(CreateDate) eq 2019 and month(CreateDate) le 6', (lead) => /^2019-0[1-6]/.test(String(lead['CreateDate']))],
  ['CreateDate lt @1970-01-01@', (lead) => String(lead['CreateDate']) < '1970'],
  [
    'dateAdd(CreateDate, 1) gt ModifyDate',
    (lead) =>
      known(lead['ModifyDate']) &&
      Date.parse(String(lead['CreateDate'])) + 864e5 > Date.parse(String(lead['ModifyDate'])),
  ],
  ['length(trim(FirstName)) eq 3', (lead) => known(lead['FirstName']) && String(lead['FirstName']).trim().length === 3],
  [
    "concat(left(LastName, 1), right(LastName, 1)) eq 'bn'",
    (lead) => `${String(lead['LastName'])[0]}${String(lead['LastName']).at(-1)}`.toLowerCase() === 'bn',
  ],
  ["substring(LastName, 2, 2) eq 'ar'", (lead) => String(lead['LastName']).slice(1, 3).toLowerCase() === 'ar'],
  ["Address.City eq 'Austin'", (lead) => city(lead) === 'Austin'],
  ['Address.City eq null', (lead) => known(lead.Address) && city(lead) === null],
  [
    "Address.City eq 'Austin' or Status eq 'New'",
    (lead) => known(lead.Address) && (city(lead) === 'Austin' || lead['Status'] === 'New'),
  ],
  ['Address.ModifyDate ge @2026-01-01@', (lead) => String(lead.Address?.['ModifyDate'] ?? '') >= '2026'],
  ["Owner.Id eq 'SYST00000001'", (lead) => lead['OwnerId'] === 'SYST00000001'],
  ["Owner.OwnerDescription eq 'everyone'", (lead) => lead['OwnerId'] === 'SYST00000001'],
  ['Address.Id eq null', (lead) => lead.Address === null],
  ["Id gt 'QFLEAD000050' and Id le 'QFLEAD000070'", (lead) => lead.Id > 'QFLEAD000050' && lead.Id <= 'QFLEAD000070'],
  ["Id gt 'QFLEAD000050' and Status eq 'Open'", (lead) => lead.Id > 'QFLEAD000050' && lead['Status'] === 'Open'],
  ["id in ('QFLEAD000010','QFLEAD000020','nobody')", (lead) => ['QFLEAD000010', 'QFLEAD000020'].includes(lead.Id)],
  [
    "lastname eq 'Baker' AND NOT (firstname EQ 'Eva')",
    (lead) => lead['LastName'] === 'Baker' && known(lead['FirstName']) && lead['FirstName'] !== 'Eva',
  ],
]

describe('a where clause finds what the truth says', async () => {
  const { find, control, close } = await start({ leads: 900 })
  afterAll(close)
  const values = { LastName: 'Baker', Status: 'Open', Address: { City: 'Austin' } }
  control.edit({ entity: 'lead', id: 'QFLEAD000020', values })
  control.edit({ entity: 'lead', id: 'QFLEAD000030', values: { CreateDate: '1899-12-30T00:00:00Z' } })
  control.add({ entity: 'lead', count: 3, values: { Status: 'New', CVisits: 8, Address: { City: 'Austin' } } })
  control.remove({ entity: 'lead', random: 5 })
  const people = control.people({ entity: 'lead', count: 5000 }).items

  test.each(cases)('%s', async (where, truth) => {
    const expected = people.filter((lead) => truth(lead) === true).map(({ Id }) => Id)
    expect((await find(where)).sort()).toEqual(expected.sort())
  })

  test('every case above finds somebody', () => {
    const idle = cases.filter(([, truth]) => !people.some((lead) => truth(lead) === true))
    expect(idle.map(([where]) => where)).toEqual([])
  })
})

test('an e-mail is found whatever characters it holds', async () => {
  const { find, control } = await open({ leads: 3000 })
  const people = control.people({ entity: 'lead', count: 5000 }).items
  const hard = people.filter(({ Email }) => /['+%&#ü]/.test(String(Email)))
  expect(hard.length).toBeGreaterThan(20)
  for (const { Id, Email } of hard.slice(0, 30)) {
    const quoted = String(Email).toUpperCase().replaceAll("'", "''")
    expect(await find(`upper(Email) eq '${quoted}'`)).toContain(Id)
  }
})

test('a plus sign in a query is a plus sign, not a blank', async () => {
  const { ask } = await open()
  expect((await ask("dynamic/-/leads?where=Status+eq+'New'")).status).toBe(400)
})

test.each([
  ['Status eq', 'ends too early'],
  ["Status eq 'New", 'Unexpected'],
  ["(Status eq 'New'", 'ends too early'],
  ['Status eq New Old', "Unexpected 'Old'"],
  ["Status = = 'x'", 'Unexpected'],
  ['frobnicate(Status) eq 1', 'not supported'],
  ['CreateDate gt @yesterday@', 'not a date'],
])('%s is refused as BadWhereSyntax', async (where, message) => {
  const { ask } = await open()
  const answer = await ask(`dynamic/-/leads?where=${encodeURIComponent(where)}`)
  const [diagnosis] = (await answer.json()) as Entry[]
  expect([answer.status, diagnosis?.['sdataCode']]).toEqual([400, 'BadWhereSyntax'])
  expect(diagnosis?.['message']).toContain(message)
})

test.each([
  'where=Nope%20eq%201',
  'select=Email,Nope',
  'orderby=Nope',
  'include=Nope',
  'where=Address.Nope%20eq%201',
  'select=AccountManagerId',
])('an unknown property spoils the request: %s', async (query) => {
  const { ask, control } = await open()
  const answer = await ask(`dynamic/-/leads?${query}`)
  expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('could not resolve property: ')])
  control.settings({ unknownPropertyStatus: 400 })
  expect((await ask(`dynamic/-/leads?${query}`)).status).toBe(400)
})

test('a case-sensitive database tells cases apart', async () => {
  const { find, control } = await open()
  control.settings({ collation: 'sensitive' })
  expect(await find("Status eq 'NEW'")).toEqual([])
  expect((await find("Status eq 'New'")).length).toBeGreaterThan(0)
})
