import { onTestFinished, describe, expect, test } from 'vitest'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, open, openCrm, tinyServer, type Reaction, type Seen } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 20, contacts: 5, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}

const probe = ({ headers }: Seen): Reaction | undefined =>
  headers.authorization
    ? undefined
    : { status: 401, headers: { 'www-authenticate': 'Basic realm="SalesLogix"' }, body: '' }

const user = (more: object = {}) => ({
  json: { response: { userId: 'ADMIN       ', userName: 'admin', roles: [], ...more } },
})

/** A CRM whose login answers as told; everything else is an empty feed. */
const loginServer = (answer: Reaction) =>
  tinyServer((seen) => probe(seen) ?? (seen.path.endsWith('getCurrentUser') ? answer : { json: feed([]) }))

describe('C1: a connection is checked', () => {
  test('from the bare product address, against version 8', async () => {
    const simulator = await start()
    const identity = await openCrm(simulator.url, { password: 'secret' }).check()
    expect(identity).toMatchObject({
      url: `${simulator.url}/sdata`,
      family: '8',
      userId: 'ADMIN',
      userName: 'admin',
      administrator: true,
    })
    expect(identity.version).toMatch(/^8\.\d/)
    expect(identity.rights).toContain('Entities/Lead/Add')
  })

  test('against 7.5.4, which names no rights', async () => {
    const simulator = await start({ mode: '7.5.4' })
    const identity = await openCrm(`${simulator.url}/`, { password: 'secret' }).check()
    expect(identity).toMatchObject({ family: '7.5.4', rights: null, administrator: true })
    expect(identity.version).toMatch(/^7\.5/)
  })

  test('under another virtual directory', async () => {
    const simulator = await start({ basePath: '/SlxClient/sdata' })
    for (const typed of [
      simulator.url,
      `${simulator.url}/SlxClient`,
      `${simulator.url}/SlxClient/Login.aspx`,
      `${simulator.url}/SlxClient/sdata`,
    ])
      expect((await openCrm(typed, { password: 'secret' }).check()).url).toBe(`${simulator.url}/SlxClient/sdata`)
  })

  test('with a user name and password beyond ASCII, and with an empty password', async () => {
    const simulator = await start()
    simulator.control.setUser({ username: 'jürgen', password: 'pä:ß€', role: 'admin' })
    simulator.control.setUser({ username: 'empty', password: '', role: 'admin' })
    expect((await openCrm(simulator.url, { username: 'jürgen', password: 'pä:ß€' }).check()).administrator).toBe(true)
    expect((await openCrm(simulator.url, { username: 'empty', password: '' }).check()).administrator).toBe(true)
  })

  test('users(…) that fails with select is read without it', async () => {
    const simulator = await start()
    simulator.control.settings({ userSelectFails: true })
    simulator.control.setUser({ username: 'boss', password: 'secret', userId: 'ADMIN', role: 'plain' })
    expect((await openCrm(simulator.url, { username: 'boss', password: 'secret' }).check()).administrator).toBe(true)
  })

  test('by the type of the user, as number or as name', async () => {
    for (const Type of [8, '8', 'Admin', 'Administrator']) {
      const server = await tinyServer((seen) => {
        if (seen.path.endsWith('getCurrentUser')) return probe(seen) ?? user({ userId: 'U1', securedActions: [] })
        return probe(seen) ?? (seen.path.endsWith("users('U1')") ? { json: { $key: 'U1', Type } } : { json: feed([]) })
      })
      expect((await openCrm(server.url).check()).administrator).toBe(true)
    }
  })
})

describe('C1: each way to fail has its own code', () => {
  test.each<[string, Reaction, string]>([
    ['401', { status: 401, body: '' }, 'loginRefused'],
    ['403', { status: 403, body: 'Forbidden', headers: { 'content-type': 'text/plain' } }, 'loginRefused'],
    [
      'an error array',
      { status: 401, json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'Wrong' }] },
      'loginRefused',
    ],
    [
      'an expired password',
      {
        status: 403,
        json: [{ severity: 'Error', message: 'x', stackTrace: 'at Sage.SalesLogix.User.Rules.IsValidPassword(x)' }],
      },
      'passwordExpired',
    ],
    [
      'an expired password under 200',
      { json: [{ severity: 'Error', message: 'x', stackTrace: 'at Sage.SalesLogix.User.Rules.IsValidPassword(x)' }] },
      'passwordExpired',
    ],
    [
      'a second factor',
      {
        status: 401,
        json: { mfaRequired: true, hasDevices: true, message: 'Multi-factor authentication verification is required.' },
      },
      'mfaRequired',
    ],
    [
      'a second factor inside $diagnoses',
      { status: 401, json: { mfaRequired: true, $diagnoses: [{ sdataCode: 'ApplicationDiagnosis', message: 'x' }] } },
      'mfaRequired',
    ],
    [
      'no administrator',
      user({ userId: 'U1', securedActions: ['Entities/Lead/View', 'Entities/Lead/Add', 'Entities/Lead/Edit'] }),
      'notAdministrator',
    ],
    ['a failing server', { status: 500, body: '<html><title>Runtime Error</title></html>' }, 'crmFailed'],
    ['a busy server', { status: 503, body: '', headers: { 'retry-after': '7' } }, 'crmBusy'],
    [
      'nonsense',
      { body: '<html><title>Welcome</title></html>', headers: { 'content-type': 'text/html' } },
      'crmAnswer',
    ],
    ['JSON of another kind', { json: { hello: 1 } }, 'crmAnswer'],
  ])('%s is told', async (_title, answer, code) => {
    const server = await loginServer(answer)
    expect((await failure(openCrm(server.url).check())).code).toBe(code)
    expect(server.requests.filter(({ path }) => path.endsWith('getCurrentUser'))).toHaveLength(1)
  })

  test('the simulator’s users agree', async () => {
    const simulator = await start()
    simulator.control.setUser({ username: 'old', password: 'secret', role: 'admin', expired: true })
    simulator.control.setUser({ username: 'careful', password: 'secret', role: 'admin', mfa: true })
    const codeOf = async (username: string, password = 'secret') =>
      (await failure(openCrm(simulator.url, { username, password }).check())).code
    expect(await codeOf('admin', 'wrong')).toBe('loginRefused')
    expect(await codeOf('nobody')).toBe('loginRefused')
    expect(await codeOf('old')).toBe('passwordExpired')
    expect(await codeOf('careful')).toBe('mfaRequired')
    expect(await codeOf('lee')).toBe('notAdministrator')
  })

  test('another web site, a captive portal and 401 without challenge are not an Infor CRM', async () => {
    for (const answer of [
      undefined,
      { body: '<html><title>Sign in to Wi-Fi</title></html>' },
      { json: { hello: 1 } },
      { status: 401, body: 'no' },
      { status: 404, json: { message: 'no such route' } },
    ]) {
      const server = await tinyServer(() => answer)
      const error = await failure(openCrm(server.url).check())
      expect(error.code).toBe('notInforCrm')
      expect(server.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
    }
  })

  test('a server that is failing is not called “not an Infor CRM”', async () => {
    const server = await tinyServer(() => ({ status: 503, body: '<html><title>Service Unavailable</title></html>' }))
    expect((await failure(openCrm(server.url).check())).code).toBe('crmBusy')
  })

  test('nobody listening, an unknown host and silence are told apart', async () => {
    const closed = await tinyServer(() => ({ drop: true }))
    expect((await failure(openCrm(closed.url).check())).code).toBe('crmUnreachable')
    expect((await failure(openCrm('http://127.0.0.1:1').check())).code).toBe('crmUnreachable')
    expect((await failure(openCrm('https://no-such-host.invalid').check())).code).toBe('crmUnreachable')
    const silent = await tinyServer(() => new Promise(() => undefined))
    expect((await failure(openCrm(silent.url, { timeoutMs: 150 }).check())).code).toBe('crmTimeout')
  })

  test('a server that asks for another kind of login is told so', async () => {
    const server = await loginServer({
      status: 401,
      headers: { 'www-authenticate': 'Digest realm="SalesLogix"' },
      body: '',
    })
    const error = await failure(openCrm(server.url).check())
    expect(error.code).toBe('loginRefused')
    expect(error.message).toContain('basic authentication')
  })
})

describe('R21: a refused password is never tried again by work', () => {
  test('after a refused check, work fails at once without a request', async () => {
    const server = await loginServer({ status: 401, body: '' })
    const crm = openCrm(server.root)
    await failure(crm.check())
    const before = server.requests.length
    expect((await failure(crm.people('lead', basics, open))).code).toBe('loginRefused')
    expect((await failure(crm.keys('lead', open))).code).toBe('loginRefused')
    expect(server.requests).toHaveLength(before)
  })

  test('401 during work fails what is under way, and nothing more is sent until a check', async () => {
    const server = await tinyServer(() => ({ status: 401, body: '' }))
    const crm = openCrm(server.root)
    const codes = await Promise.all(Array.from({ length: 4 }, async () => (await failure(crm.keys('lead', open))).code))
    expect(new Set(codes)).toEqual(new Set(['loginRefused']))
    expect(server.requests).toHaveLength(4)
    await failure(crm.total('lead'))
    expect(server.requests).toHaveLength(4)
  })

  test('a session that has ended is begun anew, without a word', async () => {
    const ended = new Set<string>()
    let made = 0
    const server = await tinyServer(({ headers }) => {
      if (headers.cookie && ended.has(headers.cookie)) return { status: 401, body: '' }
      made += headers.cookie ? 0 : 1
      return { json: feed([{ $key: 'Q1' }]), headers: { 'set-cookie': `s=${made}` } }
    })
    const crm = openCrm(server.root)
    const range = { after: null, upTo: 'Q1' }
    await crm.keys('lead', range)
    for (let round = 1; round < 4; round += 1) {
      ended.add(`s=${made}`)
      const pages = await Promise.all([1, 2, 3].map(() => crm.people('lead', basics, range)))
      expect(pages.flatMap(({ warnings }) => warnings).some(({ code }) => code === 'oneSession')).toBe(false)
    }
  })

  test('403 during work is a missing right of that request; other requests go on', async () => {
    const server = await tinyServer(({ path }) =>
      path.endsWith('leads')
        ? { status: 403, json: [{ severity: 'Error', sdataCode: 'ApplicationDiagnosis', message: 'You may not.' }] }
        : { json: feed([{ $key: 'C1' }]) },
    )
    const crm = openCrm(server.root)
    const error = await failure(crm.keys('lead', open))
    expect(error.code).toBe('noRight')
    expect(error.details.crm).toMatchObject({ status: 403, message: 'You may not.' })
    expect((await crm.keys('contact', { after: null, upTo: 'C1' })).rows).toEqual(['C1'])
  })

  test('a password that expires during work is told as such', async () => {
    const simulator = await start()
    const crm = openCrm(`${simulator.url}/sdata`, { password: 'secret' })
    await crm.keys('lead', open)
    simulator.control.setUser({ username: 'admin', password: 'secret', expired: true })
    expect((await failure(crm.keys('lead', open))).code).toBe('passwordExpired')
  })

  test('a new check after the password is right again lets work go on', async () => {
    const simulator = await start()
    simulator.control.setUser({ username: 'admin', password: 'other', role: 'admin' })
    const crm = openCrm(`${simulator.url}/sdata`, { password: 'secret' })
    await failure(crm.check())
    simulator.control.setUser({ username: 'admin', password: 'secret', role: 'admin', userId: 'ADMIN' })
    await crm.check()
    expect((await crm.keys('lead', open)).rows).toHaveLength(20)
  })
})

describe('sessions', () => {
  test('cookies are kept, so that many requests are one session (3.11)', async () => {
    const simulator = await start()
    const crm = openCrm(simulator.url, { password: 'secret' })
    await crm.check()
    simulator.control.resetGauges()
    for (let at = 0; at < 5; at += 1) await crm.keys('lead', open)
    expect(simulator.control.gauges().sessions).toBe(0)
  })

  test('a server that serves one session at a time is found out and told (R21)', async () => {
    const simulator = await start({ latencyMs: 20 })
    simulator.control.settings({ oneSession: 403 })
    const crm = openCrm(`${simulator.url}/sdata`, { password: 'secret' })
    const pages = await Promise.all(Array.from({ length: 6 }, () => crm.people('lead', basics, open)))
    expect(pages.every(({ rows }) => rows.length === 20)).toBe(true)
  })
})

test('R21: a server that turns away parallel requests although the session is the same is found out, told, and asked one by one', async () => {
  let running = 0
  let most = 0
  const server = await tinyServer(async (seen) => {
    running += 1
    const crowded = running > 1
    await new Promise((resolve) => setTimeout(resolve, 5))
    running -= 1
    if (seen.path.endsWith('getCurrentUser')) return crowded ? { status: 401, body: '' } : user()
    if (!crowded) most = Math.max(most, running)
    return crowded
      ? { status: 401, body: '' }
      : { json: feed([{ $key: 'Q1', Email: null, FirstName: null, LastName: null }]) }
  })
  const crm = openCrm(server.root)
  const range = { after: null, upTo: 'Q1' }
  for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 4 }, () => crm.keys('lead', range)))
  expect((await crm.people('lead', basics, range)).warnings).toEqual([{ code: 'oneSession', count: 1 }])
  const before = server.requests.length
  await Promise.all(Array.from({ length: 4 }, () => crm.keys('lead', range)))
  expect(server.requests).toHaveLength(before + 4)
})

describe('R38: credentials', () => {
  test('are not sent by the probe, and never to another host', async () => {
    const elsewhere = await tinyServer(() => ({ json: feed([]) }))
    const target = `http://localhost:${elsewhere.port}/sdata`
    const server = await tinyServer(() => ({ status: 302, headers: { location: target }, body: '' }))
    const checked = await failure(openCrm(server.url).check())
    expect(checked.code).toBe('redirectRefused')
    expect(checked.details.crm?.message).toBe(`Location: http://localhost:${elsewhere.port}`)
    expect((await failure(openCrm(server.root).keys('lead', open))).code).toBe('redirectRefused')
    expect(elsewhere.requests).toHaveLength(0)
  })

  test('follow a redirect on the same host, also of a POST', async () => {
    const server = await tinyServer((seen) => {
      if (!seen.path.startsWith('/new')) return { status: 307, headers: { location: `/new${seen.url}` }, body: '' }
      return (
        probe(seen) ??
        (seen.path.endsWith('getCurrentUser') && seen.method === 'POST'
          ? user({ securedActions: [] })
          : { json: feed([]) })
      )
    })
    expect((await openCrm(server.root).check()).userId).toBe('ADMIN')
  })

  test('a circle of redirects ends', async () => {
    const server = await tinyServer(({ url }) => ({ status: 302, headers: { location: url }, body: '' }))
    expect((await failure(openCrm(server.root).keys('lead', open))).code).toBe('crmAnswer')
  })

  test('cookies of the server go back to it, deleted ones do not', async () => {
    let turn = 0
    const server = await tinyServer(() => {
      turn += 1
      const cookies = [
        'a=1; path=/; HttpOnly',
        'b=2; Secure',
        turn === 2 ? 'a=; expires=Thu, 01 Jan 1970 00:00:00 GMT' : 'c=3; Max-Age=60',
      ]
      return { json: feed([]), headers: { 'set-cookie': cookies } }
    })
    const crm = openCrm(server.root)
    for (let at = 0; at < 3; at += 1) await crm.total('lead')
    const sent = server.requests.map(({ headers }) => headers.cookie)
    expect(sent[0]).toBeUndefined()
    expect(sent[1]).toBe('a=1; c=3')
    expect(sent[2]).toBe('c=3')
  })
})
