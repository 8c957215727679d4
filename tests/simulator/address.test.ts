import { expect, test } from 'vitest'
import { open, type Entry } from './support.ts'

const future = '2030-01-01T00:00:00Z'

test.each([
  ['lead', 'leads', 'QFLEAD000010'],
  ['contact', 'contacts', 'CFCONT000010'],
])('a change of the address of a %s has its own date, whoever makes it', async (entity, kind, id) => {
  const { json, find, control } = await open()
  const dates = (): unknown[] => {
    const person = control.person(entity, id)
    return [person?.['ModifyDate'], person?.Address?.['ModifyDate']]
  }
  const [own] = dates()
  const path = `dynamic/-/${kind}('${id}')`
  const key = control.person(entity, id)?.['AddressId']
  for (const change of [
    () => control.edit({ entity, id, values: { Address: { City: 'Bonn' } } }),
    () => json(path, { method: 'PUT', body: { Address: { City: 'Kiel' } } }),
    () => json(path, { method: 'PUT', body: { Address: { $key: key, City: 'Ulm' } } }),
  ]) {
    const from = new Date().toISOString()
    expect(await find(`Address.ModifyDate ge @${from}@`, kind)).toEqual([])
    await change()
    expect(dates()).toEqual([own, expect.any(String)])
    expect(await find(`Address.ModifyDate ge @${from}@`, kind)).toEqual([id])
    expect(await find(`ModifyDate ge @${from}@`, kind)).toEqual([])
  }
  const [, changed] = dates()
  const row = await json(`${path}?select=Address/ModifyDate`)
  expect((row['Address'] as Entry)['ModifyDate']).toBe(`/Date(${Date.parse(String(changed))})/`)
})

test.each(['lead', 'contact'])('a %s without an address vanishes from every condition on addresses', async (entity) => {
  const { find, control } = await open()
  const kind = `${entity}s`
  const people = control.people({ entity, count: 1000 }).items
  const housed = people.filter(({ Address }) => Address !== null).map(({ Id }) => Id)
  expect(housed.length).toBeLessThan(people.length)
  expect(await find(`Address.ModifyDate ge @${future}@ or Id gt ''`, kind)).toEqual(housed)
  expect(await find("Address.City eq null or Address.City ne null or Id gt ''", kind)).toEqual(housed)
  const homeless = people.find(({ Address }) => Address === null)
  control.edit({ entity, id: String(homeless?.Id), values: { Address: { City: 'Bonn' } } })
  expect(await find(`Address.ModifyDate ge @${future}@ or Id gt ''`, kind)).toHaveLength(housed.length + 1)
})

test('the date of an address can be set and found, alone and beside the date of the person', async () => {
  const { find, control } = await open()
  const key = String(control.person('lead', 'QFLEAD000010')?.['AddressId'])
  control.setModifyDate({ entity: 'leadAddress', ids: [key], at: future })
  control.setModifyDate({ entity: 'lead', ids: ['QFLEAD000030'], at: future })
  const either = `(Address.ModifyDate ge @${future}@ or ModifyDate ge @${future}@)`
  expect(await find(either)).toEqual(['QFLEAD000010', 'QFLEAD000030'])
  expect(await find(`${either} and Id gt 'QFLEAD000010'`)).toEqual(['QFLEAD000030'])
})
