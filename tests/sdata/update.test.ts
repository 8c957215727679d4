import { describe, expect, onTestFinished, test } from 'vitest'
import type { CrmChanges, CrmEntity, CrmField, CrmFound } from '../../src/domain/crm.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, field, openCrm, tinyServer, type Reaction } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 60, contacts: 60, seed: 8, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator, timeoutMs = 5000) =>
  openCrm(`${simulator.url}/sdata`, { password: 'secret', timeoutMs })
const puts = (simulator: Simulator) => simulator.control.journal().filter(({ method }) => method === 'PUT')
const tier = field('CTier', 'picklist', { picklist: 'Tier', picklistStorage: 'id' })
const fields: CrmField[] = [
  ...basics,
  field('WorkPhone', 'phone'),
  field('CScore', 'number'),
  field('CBudget', 'number'),
  field('CBirthday', 'date'),
  field('CNewsletter', 'boolean'),
  tier,
  field('Address/City'),
  field('Address/PostalCode'),
  field('ModifyDate', 'instant'),
]

const scene = async (entity: CrmEntity = 'lead', options: SimulatorOptions = {}, timeoutMs = 5000) => {
  const simulator = await start(options)
  const crm = connect(simulator, timeoutMs)
  const ids = simulator.control.people({ entity, count: 100 }).items.map(({ Id }) => Id)
  const { rows } = await crm.peopleById(entity, fields, ids)
  const housed = rows.find(({ addressKey }) => addressKey !== null)!
  const homeless = rows.find(({ addressKey }) => addressKey === null)
  const update = (person: CrmFound, changes: CrmChanges) => crm.update(entity, fields, person, changes)
  return { simulator, crm, housed, homeless, update, truth: (id: string) => simulator.control.person(entity, id)! }
}

describe('a person is updated', () => {
  test.each(['lead', 'contact'] as const)(
    'by a partial change in one request, answered as stored: %s',
    async (entity) => {
      const { simulator, crm, housed, update, truth } = await scene(entity)
      const before = truth(housed.id)
      simulator.control.resetGauges()
      const changes = {
        FirstName: "Zoë O'Hara",
        CBudget: { bigDecimal: '98765432109876543.21' },
        CBirthday: '1990-02-28',
        CNewsletter: null,
        CTier: 'Silver',
        'Address/City': 'Zürich',
      }
      const found = await update(housed, changes)
      expect(simulator.control.gauges().requests - puts(simulator).length).toBeLessThanOrEqual(1)
      expect(found.values).toEqual({ ...housed.values, ...changes, ModifyDate: found.values['ModifyDate'] })
      expect(found.etag).not.toBe(housed.etag)
      expect(found.addressKey).toBe(housed.addressKey)
      const after = truth(housed.id)
      const { Address1, PostalCode, Country, IsPrimary, Id } = before['Address'] as Record<string, unknown>
      expect(after['Address']).toMatchObject({ Address1, PostalCode, Country, IsPrimary, Id, City: 'Zürich' })
      const untouched = ['LastName', 'Email', 'Title', 'OwnerId', 'AddressId', 'DoNotEmail']
      for (const name of untouched) expect(after[name]).toEqual(before[name])
      const [put] = puts(simulator)
      expect(JSON.parse(put!.body!.replace(/\d{17}\.\d\d/, '0'))).toEqual({
        $key: housed.id,
        FirstName: "Zoë O'Hara",
        CBudget: 0,
        CBirthday: `/Date(${Date.UTC(1990, 1, 28, 0, 0, 5)})/`,
        CNewsletter: null,
        CTier: expect.stringMatching(/ITEM0001$/),
        Address: { $key: housed.addressKey, City: 'Zürich' },
      })
      expect((await crm.peopleById(entity, fields, [housed.id])).rows[0]).toEqual(found)
      expect(simulator.control.gauges().secretReplies).toBe(0)
    },
  )

  test('who has no address gets a primary one, but not for blanks', async () => {
    const { simulator, homeless, update } = await scene('lead', { leads: 200 })
    const same = await update(homeless!, { 'Address/City': null, 'Address/PostalCode': '' })
    expect(same).toEqual(homeless)
    expect(puts(simulator)).toEqual([])
    const found = await update(homeless!, { 'Address/City': 'Rome', FirstName: 'Settled' })
    expect(found.addressKey).toMatch(/^\w{12}$/)
    expect(found.values).toMatchObject({ 'Address/City': 'Rome', 'Address/PostalCode': null, FirstName: 'Settled' })
    expect(JSON.parse(puts(simulator)[0]!.body!)).toMatchObject({ Address: { IsPrimary: true, City: 'Rome' } })
    await update(found, { 'Address/City': null })
    expect(simulator.control.person('lead', homeless!.id)?.['Address']).toMatchObject({ City: null })
  })

  test('and what the CRM makes of the values is what is answered (R11)', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.settings({
      overlongText: 'cut',
      rewrites: { Lead: { WorkPhone: 'digits', CScore: 'round2' }, LeadAddress: { City: 'upper' } },
    })
    const changes = { WorkPhone: '(020) 79-46', CScore: 1.23456, 'Address/City': 'paris', FirstName: 'x'.repeat(40) }
    const { values } = await update(housed, changes)
    expect(values).toMatchObject({
      WorkPhone: '0207946',
      CScore: 1.23,
      'Address/City': 'PARIS',
      FirstName: 'x'.repeat(32),
    })
  })

  test('with fields that were never read before: no reply is asked for that could fail', async () => {
    const simulator = await start()
    simulator.control.settings({ unknownPropertyStatus: 400 })
    const [{ Id: id }] = simulator.control.people({ entity: 'contact', count: 1 }).items as [{ Id: string }]
    const crm = connect(simulator)
    const more = [...fields, field('Nonsense')]
    const found = await crm.update('contact', more, { id, etag: null, addressKey: null }, { FirstName: 'New' })
    expect(found.values).toMatchObject({ FirstName: 'New' })
    expect(found.values).not.toHaveProperty('Nonsense')
    expect(puts(simulator)).toHaveLength(1)
    expect(simulator.control.gauges()).toMatchObject({ secretReads: 0, secretReplies: 0 })
  })

  test('although a property goes missing in between (R24)', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'WorkPhone' })
    const found = await update(housed, { FirstName: 'Still' })
    expect(found.values).toMatchObject({ FirstName: 'Still' })
    expect(found.values).not.toHaveProperty('WorkPhone')
  })

  test('R10, R8: values as they are kept here are put into the type of their field', async () => {
    const { housed, update } = await scene()
    const { values } = await update(housed, { CNewsletter: 'T', CScore: '7.50', CBirthday: '1990-02-28T23:00:00Z' })
    expect(values).toMatchObject({ CNewsletter: true, CScore: 7.5, CBirthday: '1990-02-28' })
  })
})

describe('a person whom somebody else changed meanwhile', () => {
  test('is left alone: crmChanged', async () => {
    const { simulator, housed, update, truth } = await scene()
    simulator.control.edit({ entity: 'lead', id: housed.id, values: { LastName: 'Theirs' } })
    const error = await failure(update(housed, { FirstName: 'Ours' }))
    expect(error.code).toBe('crmChanged')
    expect(error.message).not.toContain(housed.id)
    expect(truth(housed.id)).toMatchObject({ LastName: 'Theirs', FirstName: housed.values['FirstName'] })
  })

  test('is written to where the CRM gave no version', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.edit({ entity: 'lead', id: housed.id, values: { LastName: 'Theirs' } })
    expect((await update({ ...housed, etag: null }, { FirstName: 'Ours' })).values).toMatchObject({
      LastName: 'Theirs',
      FirstName: 'Ours',
    })
  })

  test('and who has the values already, is done: so are repetitions of our own change', async () => {
    const { simulator, crm, housed, update } = await scene('lead', {}, 400)
    const changes = { FirstName: 'Ours', CNewsletter: true, 'Address/City': 'Bonn' }
    simulator.control.addFault({ kind: 'hangAfterWrite', times: 1, match: { method: 'PUT' } })
    expect((await failure(update(housed, changes))).code).toBe('crmTimeout')
    const again = await update(housed, changes)
    expect(again.values).toMatchObject(changes)
    expect(again.etag).not.toBe(housed.etag)
    expect((await failure(update(housed, { ...changes, FirstName: 'Other' }))).code).toBe('crmChanged')
    expect(await crm.update('lead', fields, again, { FirstName: 'Other' })).toMatchObject({
      values: { FirstName: 'Other' },
    })
  })

  test.each(['dropAfterWrite', 'truncate', 'htmlError', 'drop'] as const)(
    'a change that fails for the moment is repeated quickly: %s',
    async (kind) => {
      const { simulator, housed, update, truth } = await scene()
      simulator.control.addFault({ kind, times: 1, match: { method: 'PUT' } })
      expect((await update(housed, { FirstName: 'Again' })).values['FirstName']).toBe('Again')
      expect(truth(housed.id)['FirstName']).toBe('Again')
    },
  )

  test('R7: a change that the CRM carries out late is recognised', async () => {
    const { simulator, housed, update } = await scene('lead', {}, 300)
    simulator.control.addFault({ kind: 'lateWrite', ms: 350, answer: 'hang', times: 1, match: { method: 'PUT' } })
    await failure(update(housed, { FirstName: 'Late' }))
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await update(housed, { FirstName: 'Late' })).values['FirstName']).toBe('Late')
  })
})

describe('what a server may want of If-Match', () => {
  test.each([
    [400, [{ severity: 'Error', sdataCode: 'BadQueryParameter', message: 'If-Match is not supported.' }]],
    [405, []],
    [501, []],
  ])('one that refuses it with %d is asked without from then on', async (status, json) => {
    const server = await tinyServer(({ method, headers, query }) => {
      if (query.has('include')) return { json: feed([]) }
      if (method !== 'PUT') return { json: feed([{ $key: 'Q1', $etag: 'e1', FirstName: 'New' }]) }
      return headers['if-match'] === undefined ? { json: { $key: 'Q1', FirstName: 'New' } } : { status, json }
    })
    const crm = openCrm(server.root)
    const person = { id: 'Q1', etag: 'abc=', addressKey: null }
    for (const name of ['New', 'New']) await crm.update('lead', [field('FirstName')], person, { FirstName: name })
    const sent = server.requests.filter(({ method }) => method === 'PUT').map(({ headers }) => headers['if-match'])
    // a failure may be passing, and a refusal the apostrophe's fault: both are tried again at first
    expect(sent.slice(0, sent.indexOf(undefined)).every((etag) => etag === 'abc=')).toBe(true)
    expect(sent.slice(sent.indexOf(undefined))).toEqual([undefined, undefined])
  })

  test('one that demands it gets it bare', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.settings({ ifMatch: 'required' })
    expect((await update(housed, { FirstName: 'New' })).values['FirstName']).toBe('New')
  })

  test('one that ignores it is written to', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.settings({ ifMatch: 'ignore' })
    simulator.control.edit({ entity: 'lead', id: housed.id, values: { LastName: 'Theirs' } })
    expect((await update(housed, { FirstName: 'New' })).values['LastName']).toBe('Theirs')
  })
})

describe('a change that fails', () => {
  test('of a person who is gone is crmNotFound', async () => {
    const { simulator, housed, update } = await scene()
    simulator.control.remove({ entity: 'lead', ids: [housed.id] })
    expect((await failure(update(housed, { FirstName: 'x' }))).code).toBe('crmNotFound')
  })

  test.each<[string, Reaction, boolean, string]>([
    ['410 is gone', { status: 410, body: '' }, true, 'crmNotFound'],
    [
      'a sentence that something does not exist, while the person does, is a refusal',
      {
        status: 400,
        json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'Account does not exist' }],
      },
      true,
      'crmRefused',
    ],
    [
      'the same sentence when the person does not exist',
      {
        status: 400,
        json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'Entity does not exist' }],
      },
      false,
      'crmNotFound',
    ],
    ['403', { status: 403, json: [{ sdataCode: 'ApplicationDiagnosis', message: 'No.' }] }, true, 'noRight'],
    [
      'validation',
      {
        status: 400,
        json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'No.', payloadPath: 'Email' }],
      },
      true,
      'crmRefused',
    ],
    ['a failure that stays', { status: 500, body: '' }, true, 'crmFailed'],
  ])('%s', async (_title, reaction, exists, code) => {
    const server = await tinyServer(({ method, query }) => {
      if (method === 'PUT') return reaction
      return { json: feed(exists && !query.has('include') ? [{ $key: 'Q1', FirstName: 'Old' }] : []) }
    })
    const person = { id: 'Q1', etag: 'e', addressKey: null }
    const update = openCrm(server.root).update('lead', [field('FirstName')], person, { FirstName: 'Private' })
    const error = await failure(update)
    expect(error.code).toBe(code)
    expect(`${error.message} ${error.remedy}`).not.toContain('Private')
    expect(`${error.message} ${error.remedy}`).not.toContain('Q1')
  })

  test('validation by the CRM names its own words', async () => {
    const { housed, update } = await scene()
    const error = await failure(update(housed, { LastName: null }))
    expect(error.code).toBe('crmRefused')
    expect(error.details.crm?.message).toBe('LastName is required.')
  })

  test('an answer without a body is a change that was made', async () => {
    const server = await tinyServer(({ method, query }) => {
      if (method === 'PUT') return { status: 204 }
      return { json: feed(query.has('include') ? [] : [{ $key: 'Q1', $etag: 'e2', FirstName: 'New' }]) }
    })
    const person = { id: 'Q1', etag: 'e1', addressKey: null }
    const found = await openCrm(server.root).update('lead', [field('FirstName')], person, { FirstName: 'New' })
    expect(found).toEqual({ id: 'Q1', etag: 'e2', addressKey: null, values: { FirstName: 'New' } })
    expect(server.requests.filter(({ method }) => method === 'PUT')).toHaveLength(1)
  })
})

test('the difference of the clocks is known after the first reply', async () => {
  const simulator = await start()
  simulator.control.settings({ clockOffsetMs: 3_600_000 })
  const crm = connect(simulator)
  expect(crm.skewMs()).toBeNull()
  await crm.total('lead')
  expect(Math.abs(crm.skewMs()! - 3_600_000)).toBeLessThan(2000)
})
