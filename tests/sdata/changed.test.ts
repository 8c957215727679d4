import { describe, expect, onTestFinished, test } from 'vitest'
import type { Crm, CrmChanged, CrmField, KeyRange } from '../../src/domain/crm.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, field, open, openCrm, standBefore, tinyServer } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 300, contacts: 60, seed: 5, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator) => openCrm(`${simulator.url}/sdata`, { password: 'secret' })
const idsOf = (simulator: Simulator, entity = 'lead'): string[] =>
  simulator.control.people({ entity, count: 5000 }).items.map(({ Id }) => Id)

const since = '2035-03-01T10:00:00.400Z'
const fields = [...basics, field('Address/City'), field('ModifyDate', 'instant')]

const readChanged = async (
  crm: Crm,
  of: CrmChanged['of'],
  wanted: CrmField[] = fields,
  range: KeyRange = open,
  entity: 'lead' | 'contact' = 'lead',
) => {
  const [people, warnings, unreadable] = [[] as { id: string; values: object }[], [] as object[], [] as string[]]
  for (let { after } = range; ;) {
    const page = await crm.people(entity, wanted, { ...range, after }, { changed: { since, of } })
    people.push(...page.rows)
    warnings.push(...page.warnings)
    unreadable.push(...page.unreadable.map(({ id }) => id))
    if (page.next === null) return { people, ids: people.map(({ id }) => id), warnings, unreadable }
    after = page.next
  }
}

/** People of whom some changed themselves, some only their address, some both; and one without a date. */
const scene = (simulator: Simulator, entity = 'lead') => {
  const all = idsOf(simulator, entity).filter((id) => simulator.control.person(entity, id)?.['Address'])
  const { control } = simulator
  const edit = (id: string, values: object) => control.edit({ entity, id, values: { ...values } })
  const own = all.filter((_, at) => at % 5 === 1)
  const both = own.slice(0, 4)
  const moved = all.filter((_, at) => at % 7 === 2 && at % 5 !== 1)
  for (const id of [...moved, ...both]) edit(id, { Address: { City: 'Moved', ModifyDate: '2035-03-01T10:00:00.000Z' } })
  for (const id of own) edit(id, { ModifyDate: '2035-03-01T10:00:00.000Z' })
  for (const id of moved) edit(id, { ModifyDate: '2035-03-01T09:59:59.000Z' })
  const dateless = all.at(-1)!
  edit(dateless, { ModifyDate: null })
  const others = all.filter((id) => !own.includes(id) && !moved.includes(id) && id !== dateless)
  for (const id of others.slice(0, 50)) edit(id, { Address: { ModifyDate: '2035-03-01T09:59:59.900Z' } })
  for (const id of others.slice(0, 50)) edit(id, { ModifyDate: '2035-02-01T00:00:00.000Z' })
  return { own: [...new Set([...own, dateless])].sort(), moved: moved.filter((id) => id !== dateless).sort() }
}

describe('R14: people who changed since an instant', () => {
  test.each(['lead', 'contact'] as const)(
    'themselves or by their address come in two sets that do not overlap, to the second: %s',
    async (entity) => {
      const simulator = await start()
      const { own, moved } = scene(simulator, entity)
      const crm = connect(simulator)
      expect((await readChanged(crm, 'person', fields, open, entity)).ids).toEqual(own)
      const changed = await readChanged(crm, 'address', fields, open, entity)
      expect(changed.ids).toEqual(moved)
      expect(changed.people.every(({ values }) => 'Address/City' in values)).toBe(true)
      expect(await crm.total(entity, { changed: { since, of: 'person' } })).toBe(own.length)
      expect(await crm.total(entity, { changed: { since, of: 'address' } })).toBe(moved.length)
      const at = own.length >> 1
      expect(await crm.keyAt(entity, at, { changed: { since, of: 'person' } })).toBe(own[at])
      expect(await crm.keyAt(entity, 1, { changed: { since, of: 'address' } })).toBe(moved[1])
      expect(await crm.keyAt(entity, own.length, { changed: { since, of: 'person' } })).toBeNull()
    },
  )

  test('in short pages, with wrong totals and without links to the next, in lanes', async () => {
    const simulator = await start()
    const { own, moved } = scene(simulator)
    simulator.control.addFault({ kind: 'shortPages', rows: 7 })
    simulator.control.addFault({ kind: 'totals', value: 3 })
    simulator.control.addFault({ kind: 'noNext' })
    const crm = connect(simulator)
    expect((await readChanged(crm, 'person')).ids).toEqual(own)
    expect((await readChanged(crm, 'address')).ids).toEqual(moved)
    const middle = own[own.length >> 1]!
    const lanes = [
      { after: null, upTo: middle },
      { after: middle, upTo: null },
    ]
    const parts = await Promise.all(lanes.map((range) => readChanged(crm, 'person', fields, range)))
    expect(parts.flatMap(({ ids }) => ids)).toEqual(own)
  })

  test('with people whom the CRM cannot deliver named, and nobody else looked at', async () => {
    const simulator = await start()
    const { own, moved } = scene(simulator)
    const bad = [own[0]!, own[9]!, own.at(-1)!, moved[3]!]
    const unchanged = idsOf(simulator).filter((id) => !own.includes(id) && !moved.includes(id))
    simulator.control.addFault({ kind: 'poison', ids: [...bad, ...unchanged.slice(0, 5)] })
    const crm = connect(simulator)
    const people = await readChanged(crm, 'person')
    expect(people.unreadable.sort()).toEqual(bad.slice(0, 3).sort())
    expect(people.ids).toEqual(own.filter((id) => !bad.includes(id)))
    const addresses = await readChanged(crm, 'address')
    expect(addresses.unreadable).toEqual([moved[3]])
    expect(addresses.ids).toEqual(moved.filter((id) => !bad.includes(id)))
  })

  test('with more properties than one URL can name', async () => {
    const simulator = await start()
    const { own, moved } = scene(simulator)
    const server = await standBefore(simulator.url, ({ method, path }) =>
      method === 'POST' && path.endsWith('/leads') ? { status: 405 } : undefined,
    )
    const crm = openCrm(server.root, { password: 'secret' })
    const many = await crm.fields('lead')
    for (const [of, ids] of [['person', own] as const, ['address', moved] as const]) {
      const read = await readChanged(crm, of, [...many, ...many.map((one) => ({ ...one }))])
      expect(read.ids).toEqual(ids)
      expect(read.warnings).toEqual([])
      expect(Object.keys(read.people[0]!.values)).toHaveLength(many.length)
    }
  })

  test('an empty page is believed only if nobody who changed follows', async () => {
    let empty = 1
    const rows = [{ $key: 'Q1' }, { $key: 'Q2' }]
    const server = await tinyServer(({ query }) => {
      const where = query.get('where') ?? ''
      if (query.has('include')) return { json: feed([]) }
      if (!where.includes('(ModifyDate ge @2035-03-01T10:00:00Z@ or ModifyDate eq null)')) return { status: 400 }
      if (query.get('orderby') === 'Id desc') return { json: feed(rows.slice(1)) }
      if (empty-- > 0) return { json: feed([], { $totalResults: 2 }) }
      return { json: feed(where.includes("Id gt 'Q2'") ? [] : rows) }
    })
    const crm = openCrm(server.root)
    const page = await crm.people('lead', [], open, { changed: { since, of: 'person' } })
    expect(page.rows.map(({ id }) => id)).toEqual(['Q1', 'Q2'])
    empty = 9
    const error = await failure(crm.people('lead', [], open, { changed: { since, of: 'person' } }))
    expect(error.code).toBe('crmPaging')
  })

  test('a server that always fails on the condition is failing, whatever range is asked: nobody is blamed', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'htmlError', match: { contains: 'ModifyDate ge' } })
    const range = { after: idsOf(simulator)[4]!, upTo: null }
    const error = await failure(connect(simulator).people('lead', fields, range, { changed: { since, of: 'person' } }))
    expect(error.code).toBe('crmFailed')
  })
})

describe('a server that cannot tell whose address changed', () => {
  test.each([
    [
      'because it does not know the property',
      { kind: 'missingProperty', entity: 'LeadAddress', property: 'ModifyDate' },
    ],
    ['because it breaks', { kind: 'htmlError', match: { contains: 'Address.ModifyDate' } }],
    [
      'because it refuses',
      { kind: 'errorArray', status: 400, sdataCode: 'BadWhereSyntax', match: { contains: 'Address.ModifyDate' } },
    ],
  ] as const)('%s says so once a page; everything else goes on', async (_title, fault) => {
    const simulator = await start()
    const { own } = scene(simulator)
    simulator.control.addFault(fault)
    const crm = connect(simulator)
    const { people, warnings } = await readChanged(crm, 'address')
    expect(people).toEqual([])
    expect(warnings).toEqual([{ code: 'addressChangesUnknown', count: 1 }])
    expect(await crm.total('lead', { changed: { since, of: 'address' } })).toBeNull()
    expect(await crm.keyAt('lead', 0, { changed: { since, of: 'address' } })).toBeNull()
    const read = await readChanged(crm, 'person')
    expect(read.ids).toEqual(own)
    expect(read.warnings).toEqual([])
    expect(read.people.every(({ values }) => 'ModifyDate' in values)).toBe(true)
    expect(await crm.latestChange('lead', { addresses: true })).toBe(await crm.latestChange('lead'))
  })

  test('is not one that is only out of reach', async () => {
    const simulator = await start()
    const { moved } = scene(simulator)
    const crm = connect(simulator)
    simulator.control.addFault({ kind: 'drop', times: 3, match: { contains: 'Address.ModifyDate' } })
    expect((await failure(readChanged(crm, 'address'))).code).toBe('crmUnreachable')
    expect((await readChanged(crm, 'address')).ids).toEqual(moved)
  })
})

test('R14: the latest change counts addresses where that is asked, each within a day of the CRM’s clock', async () => {
  const simulator = await start({ leads: 20 })
  const crm = connect(simulator)
  const ids = idsOf(simulator).filter((id) => simulator.control.person('lead', id)?.['Address'])
  const set = (at: number, values: object) =>
    simulator.control.edit({ entity: 'lead', id: ids[at]!, values: { ...values } })
  const own = new Date(Math.floor(Date.now() / 1000) * 1000 - 86_400_000).toISOString()
  const moved = new Date(Date.parse(own) + 3_600_000).toISOString()
  const early = '2020-01-01T00:00:00.000Z'
  for (const at of ids.keys()) {
    set(at, { Address: { ModifyDate: early } })
    set(at, { ModifyDate: early })
  }
  set(2, { Address: { ModifyDate: moved } })
  set(2, { ModifyDate: early })
  set(3, { ModifyDate: own })
  expect(await crm.latestChange('lead')).toBe(own)
  expect(await crm.latestChange('lead', { addresses: true })).toBe(moved)
  set(4, { Address: { ModifyDate: '2090-01-01T00:00:00.000Z' } })
  set(4, { ModifyDate: early })
  expect(await crm.latestChange('lead', { addresses: true })).toBe(moved)
  set(5, { ModifyDate: new Date(Date.parse(moved) + 5000).toISOString() })
  expect(await crm.latestChange('lead', { addresses: true })).toBe(new Date(Date.parse(moved) + 5000).toISOString())
})
