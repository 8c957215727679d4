import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient, type Client } from '../../src/sdata/http/client.ts'
import { keyOf, readFeed } from '../../src/sdata/paging/feed.ts'
import { createHostGuard } from '../../src/http/host.ts'
import { unlimitedBudget } from '../../src/sdata/pace.ts'
import { buildUrl, encodeValue, inRange, instantLiteral, isOneOf, literal } from '../../src/sdata/http/query.ts'
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { feed, openCrm, tinyServer } from './support.ts'

describe('what goes over the wire', () => {
  test('apostrophes in literals are doubled, and encoded as %27 unless the server wants them raw', () => {
    expect(literal("o'neil@x.example")).toBe("'o''neil@x.example'")
    expect(encodeValue(literal("o'n"))).toBe('%27o%27%27n%27')
    expect(encodeValue(literal("o'n"), true)).toBe("'o''n'")
  })

  test('space, plus, percent, ampersand, hash and other scripts are percent-encoded', () => {
    expect(encodeValue('a b+c%d&e#f/gü€🚀')).toBe('a%20b%2Bc%25d%26e%23f/g%C3%BC%E2%82%AC%F0%9F%9A%80')
    expect(encodeValue('half \ud83d')).toBe('half%20%EF%BF%BD')
  })

  test('dates are written in UTC with their Z', () => {
    expect(instantLiteral(Date.UTC(2026, 10, 23, 10, 0, 0, 999))).toBe('@2026-11-23T10:00:00Z@')
  })

  test('a range excludes its start and includes its end', () => {
    expect(inRange({ after: 'A', upTo: 'B' })).toBe("Id gt 'A' and Id le 'B'")
    expect(inRange({ after: null, upTo: null })).toBeUndefined()
  })

  test('format=json is always asked for', () => {
    expect(
      buildUrl('https://crm.example.com/sdata', 'slx/dynamic/-/leads', { select: ['Id', 'Address/City'], count: 10 }),
    ).toBe('https://crm.example.com/sdata/slx/dynamic/-/leads?select=Id,Address/City&count=10&format=json')
  })
})

describe('any e-mail text is found', () => {
  let simulator: Simulator
  let client: Client
  beforeAll(async () => {
    simulator = await startSimulator({ leads: 50, contacts: 5 })
    simulator.control.settings({ collation: 'sensitive' })
    client = createClient({
      username: 'admin',
      password: 'secret',
      timeoutMs: 5000,
      checkHost: createHostGuard('*'),
      budget: unlimitedBudget(),
      quickRetryMs: [],
    })
    client.habits.root = `${simulator.url}/sdata`
  })
  afterAll(async () => {
    await client.close()
    await simulator.close()
  })

  const find = async (where: string): Promise<string[]> => {
    const query = { select: ['Id', 'Email'], where, orderBy: 'Id', count: 10 }
    return readFeed((await client.ask({ path: 'slx/dynamic/-/leads', query }, {})).json).rows.map(keyOf)
  }

  test('by eq and by in, whatever quotes, signs and scripts it holds', async () => {
    const text = fc
      .string({
        unit: fc.oneof(
          fc.constantFrom(...`'"%+&#@,()=\\ _;?/:`.split('')),
          fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
        ),
        minLength: 1,
        maxLength: 40,
      })
      .filter((email) => email.trim() === email && email.length <= 100)
    await fc.assert(
      fc.asyncProperty(text, async (email) => {
        const { ids } = simulator.control.add({
          entity: 'lead',
          values: { LastName: 'Found', Company: 'Any', Email: email },
        })
        expect(await find(`Email eq ${literal(email)}`)).toEqual(ids)
        expect(await find(isOneOf('Email', ['nobody@x.example', email, "o'x"]))).toEqual(ids)
        simulator.control.remove({ entity: 'lead', ids })
      }),
      { numRuns: 60 },
    )
  })
})

test('a server that understands only raw apostrophes is asked so from then on', async () => {
  const server = await tinyServer(({ url }) => {
    if (url.includes('%27'))
      return {
        status: 400,
        json: [{ severity: 'Error', sdataCode: 'BadWhereSyntax', message: 'Unexpected character' }],
      }
    const where = new URLSearchParams(url.split('?')[1]).get('where')
    return { json: feed(where?.includes("'Q1'") ? [] : [{ $key: 'Q1' }]) }
  })
  const crm = openCrm(server.root)
  expect((await crm.keys('lead', { after: 'Q0', upTo: null })).rows).toEqual(['Q1'])
  const before = server.requests.length
  expect((await crm.keys('lead', { after: 'Q1', upTo: null })).rows).toEqual([])
  expect(server.requests).toHaveLength(before + 1)
  expect(server.requests.at(-1)?.url).toContain("'Q1'")
})

test('a GET of more than 2,000 characters goes as POST with the whole URL as its body', async () => {
  const server = await tinyServer(({ method, body }) =>
    method === 'POST' && body ? { json: feed([{ $key: 'Q000', Email: 'a@b.example' }]) } : { json: feed([]) },
  )
  const crm = openCrm(server.root)
  const ids = Array.from({ length: 150 }, (_, at) => `QLEAD0000${String(at).padStart(3, '0')}`)
  await crm.peopleById('lead', [], ids)
  const post = server.requests.find(({ method }) => method === 'POST')
  expect(post?.url).toBe('/sdata/slx/dynamic/-/leads')
  expect(post?.headers['x-http-method-override']).toBe('GET')
  expect(
    post?.body.startsWith(`${server.root}/slx/dynamic/-/leads?select=Id&where=Id%20in%20(%27QLEAD0000000%27,`),
  ).toBe(true)
  expect(post?.body.endsWith('&format=json')).toBe(true)
})
