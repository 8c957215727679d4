import { onTestFinished, describe, expect, test } from 'vitest'
import type { Budget } from '../../src/domain/crm.ts'
import { fromSocket } from '../../src/sdata/http/failure.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, field, open, openCrm, readAll, tinyServer, type Reaction } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 300, contacts: 5, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator, timeoutMs = 5000) =>
  openCrm(`${simulator.url}/sdata`, { password: 'secret', timeoutMs })
const diagnosis = (more: object = {}) => ({
  severity: 'Error',
  sdataCode: 'ApplicationDiagnosis',
  applicationCode: '',
  message: 'It broke.',
  stackTrace: 'at Secret.Place',
  payloadPath: 'Email',
  ...more,
})
const html = '<!DOCTYPE html><html><head><title>Runtime Error</title></head><body>person@private.example</body></html>'

describe('section 12: every shape of error is understood', () => {
  test.each<[string, Reaction, string, object]>([
    [
      'an array',
      { status: 400, json: [diagnosis()] },
      'crmRefused',
      { status: 400, code: 'ApplicationDiagnosis', message: 'It broke.', field: 'Email' },
    ],
    ['$diagnoses', { status: 400, json: { $diagnoses: [diagnosis()] } }, 'crmRefused', { message: 'It broke.' }],
    ['diagnoses', { status: 400, json: { diagnoses: [diagnosis()] } }, 'crmRefused', { message: 'It broke.' }],
    ['a single object', { status: 400, json: diagnosis() }, 'crmRefused', { message: 'It broke.' }],
    [
      'text',
      { status: 400, body: 'It broke.', headers: { 'content-type': 'text/plain' } },
      'crmRefused',
      { status: 400, message: 'It broke.' },
    ],
    ['an HTML page', { status: 500, body: html }, 'crmFailed', { status: 500, message: 'Runtime Error' }],
    [
      'XML',
      {
        status: 400,
        body: '\uFEFF<?xml version="1.0"?><sdata:diagnoses xmlns:sdata="http://schemas.sage.com/sdata/2008/1"><sdata:diagnosis><sdata:severity>error</sdata:severity><sdata:sdataCode>BadWhereSyntax</sdata:sdataCode><sdata:message>It broke &amp; how.</sdata:message></sdata:diagnosis></sdata:diagnoses>',
      },
      'crmRefused',
      { code: 'BadWhereSyntax', message: 'It broke & how.' },
    ],
    ['nothing', { status: 500, body: '' }, 'crmFailed', { status: 500 }],
    [
      'an error list under 200',
      { json: [diagnosis({ sdataCode: 'BadWhereSyntax' })] },
      'crmRefused',
      { status: 200, message: 'It broke.' },
    ],
    ['a failure under 200', { json: [diagnosis()] }, 'crmFailed', { status: 200 }],
    [
      'an error list with a byte-order mark',
      { status: 500, body: `\uFEFF${JSON.stringify([diagnosis()])}` },
      'crmFailed',
      { message: 'It broke.' },
    ],
    ['cut JSON', { body: '{"$resources":[{"$key":"Q1","Email":"person@priv' }, 'crmAnswer', {}],
    ['an HTML page under 200', { body: html }, 'crmAnswer', { status: 200, message: 'Runtime Error' }],
    ['nothing under 200', { body: '' }, 'crmAnswer', { status: 200 }],
    ['JSON that is no feed', { json: { hello: 'person@private.example' } }, 'crmAnswer', {}],
    ['rows without key', { json: feed([{ Email: 'person@private.example' }]) }, 'crmAnswer', {}],
    ['severity Transient', { status: 400, json: [diagnosis({ severity: 'Transient' })] }, 'crmFailed', {}],
    [
      'a dataset that is away',
      { status: 400, json: [diagnosis({ sdataCode: 'DatasetUnavailable' })] },
      'crmFailed',
      {},
    ],
    [
      'a kind that is switched off',
      {
        status: 404,
        json: [
          diagnosis({
            sdataCode: 'ApplicationNotFound',
            message: "Unable to locate a handler to process the request 'slx/dynamic/-/leads'",
          }),
        ],
      },
      'entityDisabled',
      {},
    ],
    ['a 404 page', { status: 404, body: html }, 'crmAnswer', { status: 404 }],
    ['408', { status: 408, body: '' }, 'crmTimeout', {}],
    ['429', { status: 429, body: '' }, 'crmBusy', {}],
    ['503', { status: 503, body: html }, 'crmBusy', {}],
  ])('%s', async (_title, reaction, code, crm) => {
    const server = await tinyServer(() => reaction)
    const error = await failure(openCrm(server.root).keys('lead', open))
    expect(error.code).toBe(code)
    expect(error.details.crm ?? {}).toMatchObject(crm)
    const shown = `${error.message} ${error.remedy} ${JSON.stringify(error.details.errors ?? '')}`
    for (const secret of ['It broke', 'person@', 'Secret.Place', 'http://', 'Runtime', 'where='])
      expect(shown).not.toContain(secret)
    expect(JSON.stringify(error.details)).not.toContain('Secret.Place')
  })

  test('dropped and cut connections are the CRM being out of reach', async () => {
    const dropping = await tinyServer(() => ({ drop: true }))
    expect((await failure(openCrm(dropping.root).keys('lead', open))).code).toBe('crmUnreachable')
  })

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'crmCertificate'],
    ['CERT_HAS_EXPIRED', 'crmCertificate'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'crmCertificate'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'crmCertificate'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'crmCertificate'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'crmUnreachable'],
    ['ENOTFOUND', 'crmUnreachable'],
    ['EAI_AGAIN', 'crmUnreachable'],
    ['ECONNREFUSED', 'crmUnreachable'],
    ['ECONNRESET', 'crmUnreachable'],
    ['UND_ERR_CONNECT_TIMEOUT', 'crmUnreachable'],
    ['UND_ERR_HEADERS_TIMEOUT', 'crmTimeout'],
    ['HPE_INVALID_CONSTANT', 'crmAnswer'],
  ])('%s of a socket is %s', (code, expected) => {
    const own = Object.assign(new Error('connect to https://crm.example.com failed'), { code })
    for (const error of [own, new Error('fetch failed', { cause: own }), new AggregateError([own])]) {
      const told = fromSocket(error)
      expect(told.code).toBe(expected)
      expect(told.details.crm).toEqual({ code })
      expect(told.message).not.toContain('crm.example.com')
    }
  })

  test('a compressed answer is read', async () => {
    const { gzipSync } = await import('node:zlib')
    const server = await tinyServer(() => ({
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(JSON.stringify(feed([{ $key: 'Q1' }]))),
    }))
    expect((await openCrm(server.root).keys('lead', { after: null, upTo: 'Q1' })).rows).toEqual(['Q1'])
  })
})

describe('R21: transient failures', () => {
  test('are tried twice more before they are thrown', async () => {
    const simulator = await start()
    for (const kind of ['htmlError', 'drop', 'emptyError', 'textError', 'xmlError', 'truncate'] as const) {
      simulator.control.addFault({ kind, times: 2 })
      expect((await connect(simulator).keys('lead', open)).rows).toHaveLength(300)
    }
  })

  test('end with the CRM’s wish for a pause, in seconds or as a date', async () => {
    for (const value of ['120', new Date(Date.now() + 120_000).toUTCString()]) {
      const server = await tinyServer(() => ({ status: 503, headers: { 'retry-after': value }, body: '' }))
      const error = await failure(openCrm(server.root).keys('lead', open))
      expect(error.code).toBe('crmBusy')
      expect(error.details.retryAfterMs).toBeGreaterThan(110_000)
      expect(error.details.retryAfterMs).toBeLessThanOrEqual(120_000)
      expect(server.requests).toHaveLength(1)
    }
  })

  test('a refused query is not repeated', async () => {
    const server = await tinyServer(() => ({ status: 409, json: [diagnosis()] }))
    await failure(openCrm(server.root).total('lead'))
    expect(server.requests.length).toBeLessThanOrEqual(2)
  })
})

describe('R24: a property that the CRM no longer knows', () => {
  test.each([400, 500] as const)('is left out with a warning, under status %d', async (status) => {
    const simulator = await start()
    simulator.control.settings({ unknownPropertyStatus: status })
    simulator.control.addFault({ kind: 'missingProperty', entity: 'Lead', property: 'Industry' })
    const crm = connect(simulator)
    const fields = [...basics, field('Industry'), field('Nonsense'), field('Address/City'), field('Address/Street')]
    const { people, warnings } = await readAll(crm, 'lead', fields)
    expect(people).toHaveLength(300)
    expect(Object.keys(people[0]!.values).sort()).toEqual(['Address/City', 'Email', 'FirstName', 'LastName'])
    expect(warnings.map(({ code, field, count }) => `${code} ${field} ${count}`).sort()).toEqual([
      'fieldMissing Address/Street 300',
      'fieldMissing Industry 300',
      'fieldMissing Nonsense 300',
    ])
  })

  test('is asked for once and remembered', async () => {
    const simulator = await start()
    const crm = connect(simulator)
    await crm.people('lead', [...basics, field('Nonsense')], open)
    simulator.control.resetGauges()
    const page = await crm.people('lead', [...basics, field('Nonsense')], open)
    expect(page.warnings).toEqual([{ code: 'fieldMissing', field: 'Nonsense', count: 300 }])
    expect(simulator.control.gauges().requests).toBe(1)
  })

  test('is found even where the server only says that something broke', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'htmlError', match: { kind: 'leads', contains: 'CBroken' } })
    const crm = connect(simulator)
    const { people, warnings, unreadable } = await readAll(crm, 'lead', [
      ...basics,
      field('Title'),
      field('CBroken'),
      field('Mobile'),
    ])
    expect(people).toHaveLength(300)
    expect(unreadable).toEqual([])
    expect(warnings.map(({ code, field }) => `${code} ${field}`)).toEqual(['fieldMissing CBroken'])
  })

  test('a secret is never asked for, even when a caller does', async () => {
    const simulator = await start()
    for (const name of ['WebPassword', 'WebPasswordHint', 'WebUserName', 'CApiToken', 'Address/Pwd']) {
      expect((await failure(connect(simulator).people('contact', [field(name)], open))).code).toBe('secretField')
      expect((await failure(connect(simulator).peopleById('contact', [field(name)], ['C1']))).code).toBe('secretField')
    }
    await connect(simulator).fields('contact')
    expect(simulator.control.gauges()).toMatchObject({ secretReads: 0, secretReplies: 0 })
  })
})

describe('R22: one bad record never harms its neighbours', () => {
  test('people whom the CRM cannot deliver are found and named, all others arrive', async () => {
    const simulator = await start({ leads: 1200 })
    const ids = simulator.control.people({ entity: 'lead', count: 2000 }).items.map(({ Id }) => Id)
    const bad = [ids[0]!, ids[400]!, ids[401]!, ids[1199]!]
    simulator.control.addFault({ kind: 'poison', ids: bad })
    const { people, unreadable } = await readAll(connect(simulator), 'lead', basics)
    expect(unreadable.sort()).toEqual([...bad].sort())
    expect(people.map(({ id }) => id).sort()).toEqual(ids.filter((id) => !bad.includes(id)).sort())
    expect(simulator.control.gauges().requests).toBeLessThan(250)
  })

  test('by id too, with what the CRM said about each', async () => {
    const simulator = await start()
    const ids = simulator.control.people({ entity: 'lead', count: 50 }).items.map(({ Id }) => Id)
    simulator.control.addFault({ kind: 'poison', ids: [ids[7]!] })
    const { rows, unreadable } = await connect(simulator).peopleById('lead', basics, ids)
    expect(rows).toHaveLength(49)
    expect(unreadable).toEqual([{ id: ids[7], crm: expect.objectContaining({ status: 500 }) }])
  })

  test('people whom the CRM user may not see one by one are told apart from the others', async () => {
    const simulator = await start()
    const ids = simulator.control.people({ entity: 'lead', count: 400 }).items.map(({ Id }) => Id)
    simulator.control.addFault({ kind: 'forbidden', ids: [ids[9]!, ids[200]!], match: { kind: 'leads' } })
    const { people, unreadable } = await readAll(connect(simulator), 'lead', basics)
    expect(unreadable.sort()).toEqual([ids[9], ids[200]])
    expect(people).toHaveLength(298)
  })

  test('keys are read past people whom nothing can read, wherever they stand', async () => {
    const simulator = await start()
    const ids = simulator.control.people({ entity: 'lead', count: 400 }).items.map(({ Id }) => Id)
    const bad = [0, 1, 2, 150, 299].map((at) => ids[at]!)
    simulator.control.addFault({ kind: 'poison', ids: bad })
    const crm = connect(simulator)
    const keys: string[] = []
    const unreadable: string[] = []
    for (let after: string | null = null; ;) {
      const page = await crm.keys('lead', { after, upTo: ids[299]! })
      keys.push(...page.rows)
      unreadable.push(...page.unreadable.map(({ id }) => id))
      if (page.next === null) break
      after = page.next
    }
    expect(unreadable).toEqual(bad)
    expect(keys).toEqual(ids.filter((id) => !bad.includes(id)))
  })

  test('more bad people than good ones are all named', async () => {
    const simulator = await start({ leads: 60 })
    const ids = simulator.control.people({ entity: 'lead', count: 400 }).items.map(({ Id }) => Id)
    simulator.control.addFault({ kind: 'poison', ids: ids.slice(0, 45) })
    const { rows, unreadable } = await connect(simulator).peopleById('lead', basics, ids)
    expect(rows).toHaveLength(15)
    expect(unreadable.map(({ id }) => id).sort()).toEqual(ids.slice(0, 45))
  })

  test('a server that fails in general is not blamed on people', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'htmlError', match: { kind: 'leads' } })
    expect((await failure(connect(simulator).people('lead', basics, open))).code).toBe('crmFailed')
    expect((await failure(connect(simulator).peopleById('lead', basics, ['Q1', 'Q2']))).code).toBe('crmFailed')
    expect(simulator.control.gauges().requests).toBeLessThan(60)
  })

  test('a page that takes too long is asked for in smaller ones', async () => {
    const simulator = await start()
    const crm = connect(simulator, 200)
    simulator.control.addFault({ kind: 'hang', match: { kind: 'leads', contains: 'count=1000' } })
    const { people } = await readAll(crm, 'lead', basics)
    expect(people).toHaveLength(300)
  })
})

describe('time-outs, cancelling, leases', () => {
  test('an answer that trickles is ended by the time-out', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'hang' })
    expect((await failure(connect(simulator, 150).total('lead'))).code).toBe('crmTimeout')
  })

  test('the caller’s signal ends a request with the caller’s own reason', async () => {
    const controller = new AbortController()
    const reason = new Error('cancelled by the caller')
    const silent = await tinyServer(() => {
      controller.abort(reason)
      return new Promise(() => undefined)
    })
    const reading = openCrm(silent.root).people('lead', basics, open, { signal: controller.signal })
    await expect(reading).rejects.toBe(reason)
    await expect(openCrm(silent.root).keys('lead', open, { signal: controller.signal })).rejects.toBe(reason)
  })

  test('R26: every request takes a slot, reports what it saw, and gives it back; a lost lease ends it', async () => {
    const reports: { ok: boolean; pause?: number | null }[] = []
    const taken: string[] = []
    let held = 0
    let most = 0
    const lease = new AbortController()
    const budget: Budget = {
      async take(priority) {
        taken.push(priority)
        held += 1
        most = Math.max(most, held)
        return {
          signal: lease.signal,
          report: (outcome) => void reports.push(outcome),
          release: async () => {
            held -= 1
          },
        }
      },
    }
    let turn = 0
    const server = await tinyServer(() => {
      turn += 1
      if (turn === 1) return { status: 503, headers: { 'retry-after': '0' }, body: '' }
      if (turn < 4) return { json: feed([{ $key: 'Q1' }]) }
      lease.abort()
      return new Promise<undefined>(() => undefined)
    })
    const crm = openCrm(server.root, { budget })
    await crm.keys('lead', { after: null, upTo: 'Q1' }, { priority: 'interactive' })
    await crm.keys('lead', { after: null, upTo: 'Q1' })
    expect(taken).toEqual(['interactive', 'interactive', 'bulk'])
    expect(reports.map(({ ok, pause }) => [ok, pause])).toEqual([
      [false, 0],
      [true, null],
      [true, null],
    ])
    expect({ held, most }).toEqual({ held: 0, most: 1 })
    expect((await failure(crm.keys('lead', open))).code).toBe('leaseLost')
    expect(held).toBe(0)
  })
})
