import { expect, test } from 'vitest'
import { people, setModifyDate } from '../../src/simulator/control/people.ts'
import { candidates } from '../../src/simulator/query/access.ts'
import { splitById } from '../../src/simulator/query/split.ts'
import { parseWhere } from '../../src/simulator/where/parser.ts'
import { kindNamed, makeWorld } from '../../src/simulator/world.ts'
import { open } from './support.ts'

const list = (texts: string[]): string => texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(',')

test('e-mails are found in any case, singly and by the hundred', async () => {
  const { find, control } = await open()
  const people = control
    .people({ entity: 'lead', count: 100 })
    .items.filter(({ Email }) => typeof Email === 'string' && Email.trim() !== '')
  const fold = (text: unknown): string => String(text).trimEnd().toUpperCase()
  const emails = [...new Set(people.map(({ Email }) => fold(Email)))]
  const everybody = control.people({ entity: 'lead', count: 1000 }).items
  const expected = everybody.filter(({ Email }) => emails.includes(fold(Email))).map(({ Id }) => Id)
  for (const where of [`upper(Email) in (${list(emails)})`, `Email in (${list(emails)})`])
    expect(await find(where)).toEqual(expected)
  const [email = ''] = emails
  const same = everybody.filter(({ Email }) => fold(Email) === email).map(({ Id }) => Id)
  expect(await find(`upper(Email) eq ${list([email])}`)).toEqual(same)
})

test('pages, counts and offsets hold under a filter on dates with rows that have none', async () => {
  const { feed, control } = await open()
  const ids = control.people({ entity: 'lead', count: 300 }).items.map(({ Id }) => Id)
  control.setModifyDate({ entity: 'lead', ids, at: '2020-01-01T00:00:00Z' })
  control.setModifyDate({ entity: 'lead', ids: ids.slice(10, 40), at: null })
  control.setModifyDate({ entity: 'lead', ids: ids.slice(100, 130), at: '2099-01-01T00:00:00Z' })
  const expected = [...ids.slice(10, 40), ...ids.slice(100, 130)]
  const where = '(ModifyDate ge @2026-01-01T00:00:00Z@ or ModifyDate eq null)'
  const ask = (more: string, clause = where) =>
    feed(`dynamic/-/leads?select=Id&orderby=Id&${more}&where=${encodeURIComponent(clause)}`)
  expect((await ask('count=0')).$totalResults).toBe(60)
  expect((await ask('count=1&startIndex=31')).$resources.map(({ $key }) => $key)).toEqual([expected[30]])
  const seen: string[] = []
  for (let last = ''; ; last = String(seen.at(-1))) {
    const { $resources } = await ask('count=25', `${where} and Id gt '${last}'`)
    if ($resources.length === 0) break
    seen.push(...$resources.map(({ $key }) => $key))
  }
  expect(seen).toEqual(expected)
})

test('a half-open window and its two ends agree', async () => {
  const { find } = await open({ leads: 1000 })
  const [from, to] = ['2024-01-01T00:00:00Z', '2024-03-01T00:00:00Z']
  const inside = await find(`ModifyDate ge @${from}@ and ModifyDate lt @${to}@`)
  const after = new Set(await find(`ModifyDate ge @${to}@`))
  const both = await find(`ModifyDate ge @${from}@`)
  expect(inside.length).toBeGreaterThan(10)
  expect(inside).toEqual(both.filter((id) => !after.has(id)))
  expect(await find(`ModifyDate between @${from}@ and @2024-02-29T23:59:59.999Z@`)).toEqual(inside)
  expect(await find("ModifyDate ge '2024-01-01' and ModifyDate lt '2024-03-01'")).toEqual(inside)
})

test('a date as text finds what the instant finds', async () => {
  const { find, control } = await open()
  control.setModifyDate({ entity: 'lead', ids: ['QFLEAD000010'], at: '2099-01-01T00:00:00Z' })
  expect(await find('ModifyDate eq @2099-01-01T00:00:00Z@')).toEqual(['QFLEAD000010'])
  expect(await find("ModifyDate eq '2099-01-01T00:00:00Z'")).toEqual(['QFLEAD000010'])
})

test('among a million only changed rows, those without a date and those with an e-mail are looked at', () => {
  const world = makeWorld({ leads: 1_000_000, contacts: 10 })
  const kind = kindNamed(world, 'leads')
  const { items } = people(world, { entity: 'lead', count: 100_000, select: ['Email'] })
  const ids = items.filter((_, n) => n % 100 === 0).map(({ Id }) => Id)
  const at = '2026-11-01T00:00:00Z'
  setModifyDate(world, { entity: 'lead', ids, at })
  const looked = (where: string): number | undefined =>
    candidates(world, kind, splitById(parseWhere(where)).rest)?.length
  expect(looked(`ModifyDate ge @${at}@ and Id gt 'QFLEAD000000'`)).toBe(1000)
  const without = looked('ModifyDate eq null')!
  const either = looked(`(ModifyDate ge @${at}@ or ModifyDate eq null) and Id gt 'QFLEAD000000'`)
  expect(either).toBeGreaterThanOrEqual(1000)
  expect(either).toBeLessThanOrEqual(1000 + without)
  expect(without).toBeLessThan(10_000)
  const emails = items.flatMap(({ Email }) => (Email ? [String(Email).toUpperCase()] : [])).slice(0, 100)
  const found = looked(`upper(Email) in (${list(emails)})`)
  expect(found).toBeGreaterThan(99)
  expect(found).toBeLessThan(2000)
})

test('twenty thousand rows of one date are read page by page, by key and by date', async () => {
  const { feed, control } = await open({ leads: 100_000 })
  const ids = control.people({ entity: 'lead', count: 20_000, select: ['Id'] }).items.map(({ Id }) => Id)
  const at = '2026-11-01T00:00:00Z'
  control.setModifyDate({ entity: 'lead', ids, at })
  for (const orderby of ['Id', 'ModifyDate,Id']) {
    const seen: string[] = []
    for (;;) {
      const where = `ModifyDate ge @${at}@ and Id gt '${seen.at(-1) ?? ''}'`
      const path = `dynamic/-/leads?count=1000&select=Id&orderby=${orderby}&where=${encodeURIComponent(where)}`
      const { $resources } = await feed(path)
      if ($resources.length === 0) break
      seen.push(...$resources.map(({ $key }) => $key))
    }
    expect(seen).toEqual(ids)
  }
})
