import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CrmChanges, CrmField } from '../../src/domain/crm.ts'
import { sameValue } from '../../src/domain/values.ts'
import { parseJson } from '../../src/sdata/http/json.ts'
import { readerOf } from '../../src/sdata/values/value.ts'
import { encode, typed } from '../../src/sdata/write/value.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, field, openCrm, tinyServer, type Reaction } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 30, contacts: 5, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator, timeoutMs = 5000) =>
  openCrm(`${simulator.url}/sdata`, { password: 'secret', timeoutMs })
const bodies = (simulator: Simulator) =>
  simulator.control.journal().flatMap(({ method, body }) => (method === 'POST' && body ? [body] : []))

const company = field('Company')
const everything: CrmField[] = [
  ...basics,
  company,
  field('Notes'),
  field('CNewsletter', 'boolean'),
  field('CScore', 'number'),
  field('CBudget', 'number'),
  field('CBirthday', 'date'),
  field('CLastVisit', 'instant'),
  field('CSegment', 'picklist', { picklist: 'Segment', picklistStorage: 'code' }),
  field('CTier', 'picklist', { picklist: 'Tier', picklistStorage: 'id' }),
  field('Industry', 'picklist', { picklist: 'Industry', picklistStorage: 'text' }),
  field('Address/Address1'),
  field('Address/City'),
  field('Address/State'),
]
const ada: CrmChanges = {
  Email: "ada+o'hara@example.com",
  FirstName: 'Ada',
  LastName: 'Łovelace "von" 🚀',
  Company: 'Analytical Engines & Söhne',
  Notes: 'Line one\nLine two',
  CNewsletter: true,
  CScore: 12.5,
  CBudget: { bigDecimal: '12345678901234567.89' },
  CBirthday: '1815-12-10',
  CLastVisit: '2026-11-23T10:00:00.123Z',
  CSegment: 'Public sector',
  CTier: 'gold',
  Industry: 'Software',
  'Address/Address1': '12 St. James’s Square',
  'Address/City': 'London',
  'Address/State': null,
}

describe('a lead is created', () => {
  test.each([
    ['as version 8 keeps things', {}],
    [
      'with dates in ISO, booleans as letters, padded ids',
      { dates: 'iso', booleans: 'letters', padIds: true } as const,
    ],
    ['where only items of picklists are taken', { picklistWrites: 'mustExist' } as const],
  ])('and answered as it was stored, every type of value unharmed: %s', async (_title, settings) => {
    const simulator = await start()
    simulator.control.settings(settings)
    const found = await connect(simulator).createLead(everything, ada)
    expect(found.values).toEqual({ ...ada, CTier: 'Gold' })
    expect(found.etag).not.toBeNull()
    expect(found.addressKey).not.toBeNull()
    const stored = simulator.control.person('lead', found.id)!
    expect(stored).toMatchObject({
      Email: ada['Email'],
      CBudget: '12345678901234567.89',
      CBirthday: '1815-12-10',
      CLastVisit: '2026-11-23T10:00:00.123Z',
      CSegment: 'PUBL',
      Address: { City: 'London', State: null, IsPrimary: true },
    })
    expect(String(stored['CTier'])).toMatch(/ITEM0000$/)
    const [body = ''] = bodies(simulator)
    expect(body).toContain('"CBudget":12345678901234567.89')
    expect(body).toContain('"CLastVisit":"/Date(1795428000123)/"')
    expect(body).toContain(`"CBirthday":"/Date(${Date.UTC(1815, 11, 10, 0, 0, 5)})/"`)
    expect(body).not.toContain('$key')
    expect((await connect(simulator).peopleById('lead', everything, [found.id])).rows[0]).toEqual(found)
  })

  test('without an address where all of it is blank', async () => {
    const simulator = await start()
    const { values, addressKey } = await connect(simulator).createLead(everything, {
      LastName: 'Bare',
      Company: 'None',
      'Address/City': null,
      'Address/State': '',
    })
    expect(values).toMatchObject({ 'Address/City': null, LastName: 'Bare', Email: null })
    expect(addressKey).toBeNull()
    expect(bodies(simulator)[0]).not.toContain('Address')
  })

  test('with text that a database can hold', async () => {
    const simulator = await start()
    const found = await connect(simulator).createLead([...basics, company], {
      LastName: 'Nul\0 half \ud83d',
      Company: 'C',
    })
    expect(found.values['LastName']).toBe('Nul half \uFFFD')
  })

  test('with several items of a picklist in one field, and text that is no item as it is', async () => {
    const simulator = await start()
    const crm = connect(simulator)
    const segment = field('CSegment', 'picklist', { picklist: 'Segment', picklistStorage: 'code' })
    const fields = [...basics, company, segment]
    const create = (text: string) => crm.createLead(fields, { LastName: 'P', Company: 'C', CSegment: text })
    const several = await create('Enterprise,Mid-market')
    expect(simulator.control.person('lead', several.id)?.['CSegment']).toBe('ENTE, MIDM')
    expect(several.values['CSegment']).toBe('Enterprise, Mid-market')
    const own = await create('Made up, Enterprise')
    expect(own.values['CSegment']).toBe('Made up, Enterprise')
  })

  test('for an owner, a source and a user, by key or by name, each looked up once', async () => {
    const simulator = await start()
    simulator.control.settings({ userSelectFails: true })
    const crm = connect(simulator)
    const plain = { LastName: 'Owned', Company: 'C' }
    const named = { ...plain, Owner: 'midwest', LeadSource: "Web site's form", AccountManager: 'Lee' }
    const first = await crm.createLead([...basics, company], named)
    const truth = simulator.control.person('lead', first.id)!
    expect(truth).toMatchObject({ OwnerId: 'F6UJ9A00TEAM', LeadSourceId: 'LF6UJ9A00004' })
    const manager = String(truth['AccountManagerId'])
    simulator.control.resetGauges()
    await crm.createLead([...basics, company], named)
    expect(simulator.control.gauges().requests).toBe(1)
    const keyed = { ...plain, Owner: 'F6UJ9A00TEAM', LeadSource: null, AccountManager: manager }
    const second = await crm.createLead([...basics, company], keyed)
    expect(simulator.control.person('lead', second.id)).toMatchObject({
      OwnerId: 'F6UJ9A00TEAM',
      LeadSourceId: null,
      AccountManagerId: manager,
    })
    simulator.control.addFault({
      kind: 'errorArray',
      status: 400,
      sdataCode: 'BadWhereSyntax',
      match: { contains: 'upper(' },
    })
    const third = await connect(simulator).createLead([...basics, company], { ...plain, Owner: 'Midwest' })
    expect(simulator.control.person('lead', third.id)).toMatchObject({ OwnerId: 'F6UJ9A00TEAM' })
  })
})

test('R8: any value that is sent reads back as the same value', () => {
  const day = fc.date({ min: new Date('1000-01-02'), max: new Date('9999-12-30'), noInvalidDate: true })
  const digits = fc.bigInt({ min: 10n ** 17n, max: 10n ** 19n })
  const cases = fc.oneof(
    fc.tuple(fc.constant('text' as const), fc.string({ unit: 'binary' })),
    fc.tuple(fc.constant('number' as const), fc.double({ noNaN: true, noDefaultInfinity: true })),
    fc.tuple(
      fc.constant('number' as const),
      digits.map((value) => ({ bigDecimal: `-${value}.25` })),
    ),
    fc.tuple(fc.constant('boolean' as const), fc.constantFrom(true, false, 'T', 'no', null)),
    fc.tuple(
      fc.constant('instant' as const),
      day.map((date) => date.toISOString()),
    ),
    fc.tuple(
      fc.constant('date' as const),
      day.map((date) => date.toISOString().slice(0, 10)),
    ),
  )
  fc.assert(
    fc.property(cases, ([type, value]) => {
      const one = field('X', type)
      if (type === 'boolean' && value === 'no') {
        expect(() => encode(one, value, undefined)).toThrow('does not fit')
        return
      }
      const { X } = parseJson(`{"X":${encode(one, value, undefined)}}`) as { X: unknown }
      const back = readerOf('X', type)(X)
      expect(sameValue(back, typed(one, value))).toBe(true)
      if (typeof value !== 'string' || type !== 'text') return
      expect(back).toBe(value.replaceAll('\0', '').replace(/\p{Surrogate}/gu, '\uFFFD') || null)
    }),
    { numRuns: 500 },
  )
})

describe('what cannot be created', () => {
  const plain = { LastName: 'L', Company: 'C' }
  const fields = [...basics, company, field('CScore', 'number'), field('WebPassword'), field('Owner/Description')]

  test.each<[string, CrmChanges, string, string | undefined]>([
    ['an owner who does not exist', { ...plain, Owner: 'Nobody at all' }, 'crmRefused', 'Owner'],
    ['a value that does not fit its field', { ...plain, CScore: 'many' }, 'crmRefused', 'CScore'],
    ['a secret', { ...plain, WebPassword: 'x' }, 'secretField', undefined],
    ['a field that nobody described', { ...plain, Unheard: 'x' }, 'unknownField', undefined],
    ['another record’s field', { ...plain, 'Owner/Description': 'x' }, 'crmRefused', 'Owner/Description'],
  ])('%s is refused before anything is sent', async (_title, changes, code, named) => {
    const simulator = await start()
    const described = code === 'secretField' ? fields : fields.filter(({ name }) => name !== 'WebPassword')
    const error = await failure(connect(simulator).createLead(described, changes))
    expect(error.code).toBe(code)
    expect(error.details.crm?.field).toBe(named)
    for (const value of ['Nobody at all', 'many']) expect(error.message).not.toContain(value)
    expect(bodies(simulator)).toEqual([])
  })

  test('the CRM’s own words stand beside ours', async () => {
    const simulator = await start()
    const error = await failure(connect(simulator).createLead(basics, { Email: 'no@company.example' }))
    expect(error.code).toBe('crmRefused')
    expect(error.details.crm?.message).toBe('LastName is required.')
    expect(error.message).not.toContain('LastName')
  })

  test.each<[string, Reaction, string]>([
    [
      'a refusal that names something else as missing is not the kind being switched off',
      {
        status: 400,
        json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'Owner does not exist' }],
      },
      'crmRefused',
    ],
    ['a right that is missing', { status: 403, json: [{ sdataCode: 'ApplicationDiagnosis' }] }, 'noRight'],
    ['a login that has ended', { status: 401, body: '' }, 'loginRefused'],
    [
      'a kind that is switched off',
      { status: 404, json: [{ severity: 'Error', sdataCode: 'ApplicationNotFound', message: 'no handler' }] },
      'entityDisabled',
    ],
    ['a reply that does not say which lead it was', { status: 201, body: '' }, 'crmAnswer'],
    ['a failure of the CRM', { status: 500, body: 'Broken' }, 'crmFailed'],
    ['a pause', { status: 503, body: '' }, 'crmBusy'],
  ])('%s', async (_title, reaction, code) => {
    const server = await tinyServer(({ method }) => (method === 'POST' ? reaction : { json: feed([]) }))
    const error = await failure(openCrm(server.root).createLead(basics, { LastName: 'Private' }))
    expect(error.code).toBe(code)
    const posts = server.requests.filter(({ method }) => method === 'POST')
    // a 401 or 403 may be a session that has ended: nothing was done
    expect(posts.length).toBeLessThanOrEqual(['noRight', 'loginRefused'].includes(code) ? 2 : 1)
    expect(error.message).not.toContain('Private')
  })

  test.each(['dropAfterWrite', 'hangAfterWrite', 'drop', 'htmlError'] as const)(
    'R7: the request is never repeated by itself: %s',
    async (kind) => {
      const simulator = await start()
      const crm = connect(simulator, 300)
      await crm.total('lead')
      simulator.control.addFault({ kind, match: { method: 'POST' } })
      const before = simulator.control.counts()['leads']!
      const error = await failure(crm.createLead([...basics, company], { LastName: 'Once', Company: 'C' }))
      expect(error.kind).toBe('transient')
      expect(simulator.control.journal().filter(({ method }) => method === 'POST')).toHaveLength(1)
      expect(simulator.control.counts()['leads']! - before).toBe(kind.endsWith('AfterWrite') ? 1 : 0)
    },
  )
})

test('what the reply lacks is read once, and what cannot be read then is left out: the lead exists', async () => {
  let fails = false
  const whole = { $key: 'Q1', $etag: 'e2', LastName: 'L', Address: { $key: 'A1', City: 'Rome' } }
  const server = await tinyServer(({ method, query }) => {
    if (method === 'POST')
      return { status: 201, json: { $key: 'Q1', $etag: 'e1', LastName: 'L', Address: { $key: 'A1' } } }
    if (query.has('include')) return { json: feed([]) }
    return fails ? { status: 500, body: '' } : { json: feed([whole]) }
  })
  const fields = [field('LastName'), field('Address/City')]
  const changes = { LastName: 'L', 'Address/City': 'Rome' }
  const crm = openCrm(server.root)
  expect(await crm.createLead(fields, changes)).toEqual({
    id: 'Q1',
    etag: 'e2',
    addressKey: 'A1',
    values: { LastName: 'L', 'Address/City': 'Rome' },
  })
  fails = true
  expect(await crm.createLead(fields, changes)).toEqual({
    id: 'Q1',
    etag: 'e1',
    addressKey: 'A1',
    values: { LastName: 'L' },
  })
})
