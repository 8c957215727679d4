import { expect, test } from 'vitest'
import { open } from './support.ts'

test('orderby sorts by several properties, nulls first, and both spellings work', async () => {
  const { feed, control } = await open()
  const fold = (value: unknown): string =>
    String(value ?? '')
      .trimEnd()
      .toUpperCase()
  const people = control.people({ entity: 'lead', count: 1000 }).items
  const expected = people.toSorted((a, b) => {
    const [x, y] = [fold(a['LastName']), fold(b['LastName'])]
    if (x !== y) return x < y ? 1 : -1
    return fold(a['FirstName']) < fold(b['FirstName']) ? -1 : fold(a['FirstName']) > fold(b['FirstName']) ? 1 : 0
  })
  for (const name of ['orderby', 'orderBy']) {
    const rows = (await feed(`dynamic/-/leads?count=1000&select=LastName,FirstName&${name}=LastName%20desc,FirstName`))
      .$resources
    expect(rows.map((row) => [row['LastName'], row['FirstName']])).toEqual(
      expected.map((lead) => [lead['LastName'], lead['FirstName']]),
    )
  }
  const [last] = (await feed('dynamic/-/leads?count=1&select=ModifyDate&orderby=ModifyDate%20desc')).$resources
  const latest = people
    .map((lead) => String(lead['ModifyDate'] ?? ''))
    .sort()
    .at(-1)
  expect(last?.['ModifyDate']).toBe(`/Date(${Date.parse(String(latest))})/`)
})

test('pages by ModifyDate and Id read every changed row once', async () => {
  const { feed, control } = await open({ leads: 2000 })
  control.massUpdate({ entity: 'lead', count: 250, values: { Title: 'Moved' } })
  control.add({ entity: 'lead', count: 7 })
  const from = '2024-01-01T00:00:00.000Z'
  const seen: string[] = []
  let where = `ModifyDate ge @${from}@`
  for (;;) {
    const rows = (
      await feed(`dynamic/-/leads?count=90&select=ModifyDate&orderby=ModifyDate,Id&where=${encodeURIComponent(where)}`)
    ).$resources
    const last = rows.at(-1)
    if (last === undefined) break
    seen.push(...rows.map(({ $key }) => $key))
    const at = new Date(Number(/-?\d+/.exec(String(last['ModifyDate']))?.[0])).toISOString()
    where = `(ModifyDate gt @${at}@ or (ModifyDate eq @${at}@ and Id gt '${last.$key}'))`
  }
  const truth = control
    .people({ entity: 'lead', count: 5000 })
    .items.filter((lead) => String(lead['ModifyDate'] ?? '') >= from)
  expect(seen).toHaveLength(truth.length)
  expect([...seen].sort()).toEqual(truth.map(({ Id }) => Id).sort())
})
