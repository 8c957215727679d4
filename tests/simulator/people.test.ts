import { expect, test } from 'vitest'
import type { Truth } from '../../src/simulator/control/truth.ts'
import { open } from './support.ts'

const everyone = async (seed: number, leads: number, select?: string[]): Promise<Truth[]> =>
  (await open({ leads, contacts: 0, seed })).control.people({ entity: 'lead', count: leads, ...(select && { select }) })
    .items

test('the same seed gives the same people, another seed others', async () => {
  const [once, again, other] = await Promise.all([everyone(1, 200), everyone(1, 200), everyone(2, 200)])
  expect(again).toEqual(once)
  expect(other.map(({ Email }) => Email)).not.toEqual(once.map(({ Email }) => Email))
})

const told =
  'Email,LastName,Notes,CProfile,DoNotPhone,DoNotEmail,ModifyDate,CreateDate,CBudget,Employees,Address/Country'.split(
    ',',
  )

test('a few in a hundred people are awkward, each kind of awkwardness among them', async () => {
  const people = await everyone(5, 20_000, told)
  const share = (test: (lead: Truth) => boolean): number => people.filter(test).length / people.length
  const email = (lead: Truth): string => String(lead['Email'] ?? '')
  const emails = new Map<string, number>()
  for (const lead of people) {
    const key = email(lead).trim().toLowerCase()
    emails.set(key, (emails.get(key) ?? 0) + 1)
  }
  const kinds: Record<string, (lead: Truth) => boolean> = {
    noEmail: (lead) => lead['Email'] === null,
    blankEmail: (lead) => lead['Email'] === '',
    twinEmail: (lead) => email(lead) !== '' && Number(emails.get(email(lead).trim().toLowerCase())) > 1,
    capitals: (lead) => email(lead) !== '' && email(lead) === email(lead).toUpperCase(),
    blanksAround: (lead) => email(lead) !== email(lead).trim(),
    apostrophe: (lead) => email(lead).includes("'"),
    plus: (lead) => email(lead).includes('+'),
    percent: (lead) => email(lead).includes('%'),
    ampersand: (lead) => email(lead).includes('&'),
    hash: (lead) => email(lead).includes('#'),
    idn: (lead) => email(lead).includes('bücher'),
    foreignName: (lead) => /(?!\p{Script=Latin})\p{L}/u.test(String(lead['LastName'])),
    paddedName: (lead) => lead['LastName'] !== String(lead['LastName']).trim(),
    emoji: (lead) => String(lead['Notes']).includes('🚀'),
    nul: (lead) => String(lead['Notes']).includes('\u0000'),
    loneSurrogate: (lead) => String(lead['Notes']).includes('\ud83d ') && !String(lead['Notes']).includes('🚀'),
    rightToLeft: (lead) => String(lead['Notes']).includes('הערה'),
    longMemo: (lead) => String(lead['CProfile'] ?? '').length > 30_000,
    nullBoolean: (lead) => lead['DoNotPhone'] === null,
    optedOut: (lead) => lead['DoNotEmail'] === true,
    noModifyDate: (lead) => lead['ModifyDate'] === null,
    massUpdated: (lead) => lead['ModifyDate'] === '2024-03-18T02:00:00.000Z',
    zeroDate: (lead) => String(lead['CreateDate']) < '1900',
    noAddress: (lead) => lead.Address === null,
    bigDecimal: (lead) => String(lead['CBudget']).startsWith('1234567890123'),
    textNumber: (lead) => lead['Employees'] === '~ 25',
  }
  const none = Object.entries(kinds).filter(([, test]) => share(test) === 0)
  expect(none.map(([name]) => name)).toEqual([])
  expect(share((lead) => email(lead) === '')).toBeLessThan(0.02)
  expect(new Set(people.map((lead) => lead.Address?.['Country'])).size).toBeGreaterThan(15)
})

test('every value fits the length that metadata states', async () => {
  const { feed, control } = await open({ leads: 3000, contacts: 3000 })
  for (const entity of ['Lead', 'Contact']) {
    const properties = (await feed(`metadata/-/entities('${entity}')/properties?count=500&include=DataTypeData`))
      .$resources
    const lengths = properties.flatMap((item) => {
      const { Length } = item['DataTypeData'] as { Length?: number }
      return Length === undefined ? [] : [[String(item['propertyName']), Length] as const]
    })
    const people = control.people({ entity, count: 3000 }).items
    for (const [name, length] of lengths) {
      const longest = Math.max(...people.map((person) => String(person[name] ?? '').length))
      expect(longest, name).toBeLessThanOrEqual(length)
    }
  }
})

test('an id is given once, however many come and go in a small CRM', async () => {
  const { control } = await open({ leads: 2, contacts: 0 })
  const given = new Set<string>()
  for (let round = 0; round < 4; round += 1) {
    const { ids } = control.add({ entity: 'lead', count: 500 })
    for (const id of ids) given.add(id)
    control.remove({ entity: 'lead', ids })
  }
  expect(given.size).toBe(2000)
})
