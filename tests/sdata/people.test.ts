import { describe, expect, test, onTestFinished } from 'vitest'
import type { CrmEntity, CrmField, CrmPerson, CrmValue } from '../../src/domain/crm.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, field, openCrm, readAll, standBefore } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 400, contacts: 150, seed: 11, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}

type Truth = Record<string, unknown>

/** What Fairlead must hold of a person, worked out from the simulator's own truth. */
const expected = (truth: Truth, { name, type, picklist }: CrmField, texts: Map<string, string>): CrmValue => {
  const [parent, child] = name.split('/')
  const related = child === undefined ? truth : (truth[String(parent)] as Truth | null)
  const value = related?.[child ?? name] ?? null
  if (value === null || value === '') return null
  if (type === 'number') {
    const exact = String(Number(value)) === String(value) || Number(value).toFixed(2) === String(value)
    return exact ? Number(value) : { bigDecimal: String(value) }
  }
  if (type === 'date') return String(value).slice(0, 10)
  if (picklist !== null) return texts.get(`${picklist} ${String(value)}`) ?? String(value)
  if (typeof value !== 'string') return value as CrmValue
  return value.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\uFFFD') || null
}

const compare = async (simulator: Simulator, entity: CrmEntity, fields: CrmField[], people: CrmPerson[]) => {
  const truths = new Map<string, Truth>()
  for (let after: string | null = null; ;) {
    const { items, next }: { items: Truth[]; next: string | null } = simulator.control.people({
      entity,
      after,
      count: 1000,
    })
    for (const item of items) truths.set(String(item['Id']), item)
    if (next === null) break
    after = next
  }
  expect(people.map(({ id }) => id).sort()).toEqual([...truths.keys()].sort())
  const texts = new Map<string, string>()
  for (const name of new Set(fields.map(({ picklist }) => picklist)))
    if (name !== null) {
      const where = encodeURIComponent(`name eq '${name}'`)
      const reply = await fetch(
        `${simulator.url}/sdata/slx/system/-/picklists?format=json&include=items&where=${where}`,
        {
          headers: { authorization: `Basic ${btoa('admin:secret')}` },
        },
      )
      const text = (await reply.text()).replace(/^\uFEFF/, '')
      const [list] = (
        JSON.parse(text) as { $resources: { items: { $resources: { $key: string; code: string; text: string }[] } }[] }
      ).$resources
      for (const { $key, code, text } of list?.items.$resources ?? []) {
        texts.set(`${name} ${code}`, text)
        texts.set(`${name} ${$key.trim()}`, text)
      }
    }
  for (const { id, values } of people) {
    const wanted = Object.fromEntries(
      fields.map((one) => [one.name, one.name === 'Id' ? id : expected(truths.get(id)!, one, texts)]),
    )
    expect(values).toEqual(wanted)
  }
}

describe('every person arrives with every value (R8)', () => {
  test.each<[string, Parameters<Simulator['control']['settings']>[0]]>([
    ['as version 8 answers by default', {}],
    ['with dates in ISO, booleans as letters, a byte-order mark', { dates: 'iso', booleans: 'letters', bom: true }],
    [
      'with padded ids, relations that are objects without key, pages of 37',
      { padIds: true, nullRelation: 'object', maxPage: 37 },
    ],
    ['with picklists stored as codes, data types in camel case', { picklistStorage: 'code', dataTypeShape: 'camel' }],
    ['with picklists stored as ids, data types as XML', { picklistStorage: 'id', dataTypeShape: 'xml' }],
  ])('%s', async (_title, settings) => {
    const simulator = await start()
    simulator.control.settings(settings)
    const crm = openCrm(simulator.url, { password: 'secret' })
    for (const entity of ['lead', 'contact'] as const) {
      const fields = await crm.fields(entity)
      const { people, warnings, unreadable } = await readAll(crm, entity, fields)
      expect({ warnings, unreadable }).toEqual({ warnings: [], unreadable: [] })
      await compare(simulator, entity, fields, people)
    }
  })

  test('from a 7.5.4 server too, where fields come from the schema', async () => {
    const simulator = await start({ mode: '7.5.4' })
    const crm = openCrm(simulator.url, { password: 'secret' })
    const fields = await crm.fields('lead')
    expect(fields.find(({ name }) => name === 'CBirthday')?.type).toBe('date')
    const plain = fields.filter(({ name }) => name !== 'CSegment' && name !== 'CTier')
    await compare(simulator, 'lead', plain, (await readAll(crm, 'lead', plain)).people)
  })
})

describe('by id', () => {
  test('all that exist come, in whatever number, and the others are simply not among the rows', async () => {
    const simulator = await start({ leads: 700, maxPage: 60 })
    const crm = openCrm(simulator.url, { password: 'secret' })
    const ids = (await readAll(crm, 'lead', basics)).people.map(({ id }) => id)
    const { rows, unreadable } = await crm.peopleById('lead', basics, [...ids, 'QNOTHERE0001', ids[0]!, "O'ID"])
    expect(rows.map(({ id }) => id).sort()).toEqual([...ids].sort())
    expect(unreadable).toEqual([])
    await compare(simulator, 'lead', basics, rows)
  })

  test('long queries are split when the server refuses the POST that stands for a GET', async () => {
    const simulator = await start({ leads: 300 })
    const server = await standBefore(simulator.url, ({ method, path }) =>
      method === 'POST' && path.endsWith('/leads') ? { status: 405 } : undefined,
    )
    const crm = openCrm(server.root, { password: 'secret' })
    const fields = await crm.fields('lead')
    const { people, warnings } = await readAll(crm, 'lead', [
      ...fields,
      ...fields.map((one) => ({ ...one, name: one.name })),
    ])
    expect(warnings).toEqual([])
    await compare(simulator, 'lead', fields, people)
    const { rows } = await crm.peopleById(
      'lead',
      fields,
      people.map(({ id }) => id),
    )
    await compare(simulator, 'lead', fields, rows)
    expect(server.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/leads'))).toHaveLength(1)
    expect(Math.max(...server.requests.map(({ url }) => `${server.url}${url}`.length))).toBeLessThanOrEqual(2000)
  })
})

test('a field that the CRM user may not see counts as missing, never as blank (R8, R24)', async () => {
  const simulator = await start()
  for (const shows of ['absent', 'null'] as const) {
    simulator.control.setUser({
      username: 'admin',
      password: 'secret',
      role: 'admin',
      restrictions: [{ entity: 'Lead', property: 'Industry', access: 'NoAccess', shows }],
    })
    const crm = openCrm(simulator.url, { password: 'secret' })
    const page = await crm.people('lead', [...basics, field('Industry')], { after: null, upTo: null })
    expect(page.rows.every(({ values }) => !('Industry' in values))).toBe(true)
    expect(page.warnings).toEqual([{ code: 'fieldMissing', field: 'Industry', count: 400 }])
    expect((await crm.fields('lead')).map(({ name }) => name)).not.toContain('Industry')
  }
})
