import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { normaliseEmail } from '../../src/domain/email.ts'
import { upperVariants } from '../../src/sdata/values/variant.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, field, openCrm, standBefore, tinyServer } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 600, contacts: 200, seed: 21, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator) => openCrm(`${simulator.url}/sdata`, { password: 'secret' })

/** address by R2 → ids of those who have it, from the simulator's own truth */
const truth = (simulator: Simulator, entity = 'lead'): Map<string, string[]> => {
  const byEmail = new Map<string, string[]>()
  for (const { Id, Email } of simulator.control.people({ entity, count: 5000 }).items) {
    const email = normaliseEmail(Email)
    if (email !== null) byEmail.set(email, [...(byEmail.get(email) ?? []), Id])
  }
  return byEmail
}
const idsFor = (known: Map<string, string[]>, emails: string[]): string[] =>
  [...new Set(emails.flatMap((email) => known.get(normaliseEmail(email) ?? '') ?? []))].sort()

const fields = [...basics, field('Address/City')]

describe('R2: everybody who has one of the addresses is found', () => {
  test.each(['insensitive', 'sensitive'] as const)(
    'whatever case, blanks and signs it is stored with, where the database compares %sly',
    async (collation) => {
      const simulator = await start()
      simulator.control.settings({ collation })
      const odd = [
        'MiXeD@Case.Example',
        '  blanks@around.example ',
        "O'Neil+x%y&z#1@Odd.example",
        'JÜRGEN@müller.example',
      ]
      for (const Email of odd) simulator.control.add({ entity: 'lead', values: { Email }, count: 2 })
      const known = truth(simulator)
      const crm = connect(simulator)
      const emails = [
        ...known.keys(),
        'nobody@nowhere.example',
        ...odd.map((email) => ` ${email.toUpperCase()}`),
        '',
        '  ',
      ]
      const found = await crm.peopleByEmail('lead', fields, emails)
      // where a person waits, the second question is asked beside the first
      expect(await crm.peopleByEmail('lead', fields, emails, { priority: 'interactive' })).toEqual(found)
      const { rows, unreadable, warnings } = found
      expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
      expect({ unreadable, warnings }).toEqual({ unreadable: [], warnings: [] })
      const one = await crm.peopleByEmail('lead', fields, ['mixed@case.example'])
      expect(one.rows).toHaveLength(2)
      expect(one.rows[0]?.values['Email']).toBe('MiXeD@Case.Example')
    },
  )

  test('and nobody whom only the database takes for the same', async () => {
    const server = await tinyServer(({ query }) => {
      if (query.has('include') || query.get('where')?.includes("Id gt 'Q2'")) return { json: feed([]) }
      return {
        json: feed([
          { $key: 'Q1', Email: 'Renée@x.example' },
          { $key: 'Q2', Email: 'renee@x.example' },
        ]),
      }
    })
    const { rows } = await openCrm(server.root).peopleByEmail('lead', [field('FirstName')], ['renee@x.example'])
    expect(rows.map(({ id, values }) => ({ id, values }))).toEqual([{ id: 'Q2', values: {} }])
  })

  test('in few requests, each with many addresses', async () => {
    const simulator = await start()
    const crm = connect(simulator)
    const emails = [...truth(simulator).keys()]
    await crm.peopleByEmail('lead', fields, emails.slice(0, 2))
    simulator.control.resetGauges()
    await crm.peopleByEmail('lead', fields, emails)
    expect(simulator.control.gauges().requests).toBeLessThanOrEqual(Math.ceil(emails.length / 200) * 2)
  })

  test('in short pages with wrong totals, many people sharing an address', async () => {
    const simulator = await start({ maxPage: 40 })
    const shared = simulator.control.add({ entity: 'lead', values: { Email: 'Info@shared.example' }, count: 130 }).ids
    simulator.control.addFault({ kind: 'shortPages', rows: 17 })
    simulator.control.addFault({ kind: 'totals', value: 17 })
    simulator.control.addFault({ kind: 'noNext' })
    const known = truth(simulator)
    const emails = ['info@shared.example', ...[...known.keys()].slice(0, 150)]
    const { rows } = await connect(simulator).peopleByEmail('lead', fields, emails)
    expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
    expect(rows.map(({ id }) => id)).toEqual(expect.arrayContaining(shared))
  })

  test('where a server takes no POST for a GET: in URLs of at most 2,000 characters', async () => {
    const simulator = await start()
    const server = await standBefore(simulator.url, ({ method, path }) =>
      method === 'POST' && path.endsWith('/leads') ? { status: 405 } : undefined,
    )
    const crm = openCrm(server.root, { password: 'secret' })
    const known = truth(simulator)
    const emails = [...known.keys()]
    const many = await crm.fields('lead')
    const { rows, warnings } = await crm.peopleByEmail('lead', many, emails)
    expect(warnings).toEqual([])
    expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
    expect(Object.keys(rows[0]!.values)).toHaveLength(many.length)
    expect(Math.max(...server.requests.map(({ url }) => `${server.url}${url}`.length))).toBeLessThanOrEqual(2000)
    expect(server.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/leads'))).toHaveLength(1)
  })

  test('people whom the CRM cannot deliver are named, everybody else comes', async () => {
    const simulator = await start()
    const known = truth(simulator)
    const emails = [...known.keys()].slice(0, 300)
    const ids = idsFor(known, emails)
    const bad = [ids[0]!, ids[100]!, ids.at(-1)!]
    simulator.control.addFault({ kind: 'poison', ids: bad })
    const found = await connect(simulator).peopleByEmail('lead', fields, emails)
    expect(await connect(simulator).peopleByEmail('lead', fields, emails, { priority: 'interactive' })).toEqual(found)
    const { rows, unreadable } = found
    expect(unreadable.map(({ id }) => id).sort()).toEqual(bad)
    expect(rows.map(({ id }) => id)).toEqual(ids.filter((id) => !bad.includes(id)))
  })

  test('an address of somebody who comes and of somebody who does not is said to hide one, and no other address is', async () => {
    const simulator = await start()
    const known = truth(simulator)
    const emails = [...known.keys()].slice(0, 300)
    const two = emails.find((email) => known.get(email)!.length === 2)!
    const [good, bad] = known.get(two)! as [string, string]
    simulator.control.addFault({ kind: 'poison', ids: [bad] })
    for (const priority of ['bulk', 'interactive'] as const) {
      const { rows, hidden, unreadable } = await connect(simulator).peopleByEmail('lead', fields, emails, { priority })
      expect({ hidden, unreadable: unreadable.map(({ id }) => id) }).toEqual({ hidden: [two], unreadable: [bad] })
      expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails).filter((id) => id !== bad))
      expect(rows.map(({ id }) => id)).toContain(good)
    }
  })

  test.each(['bulk', 'interactive'] as const)(
    'so is one of somebody whom the CRM leaves out, wherever they stand, whoever else has it, in few requests: %s',
    async (priority) => {
      const simulator = await start()
      const add = (Email: string): string => simulator.control.add({ entity: 'lead', values: { Email } }).ids[0]!
      const [shared, other, alone] = ['shared@x.example', 'other@x.example', 'alone@x.example']
      const good = [add(shared), add(other)]
      const bad = [add(shared), add(alone)]
      const emails = [shared, other, alone, ...[...truth(simulator).keys()].slice(0, 190)]
      const crm = connect(simulator)
      await crm.peopleByEmail('lead', fields, emails, { priority })
      const lookUp = async (left: string[]) => {
        simulator.control.clearFaults()
        simulator.control.addFault({ kind: 'hiddenRows', ids: left, property: 'Address/City' })
        simulator.control.resetGauges()
        const found = await crm.peopleByEmail('lead', fields, emails, { priority })
        expect(simulator.control.gauges().requests).toBeLessThan(25)
        expect(found.rows.map(({ id }) => id)).toEqual(
          idsFor(truth(simulator), emails).filter((id) => !left.includes(id)),
        )
        expect(found.unreadable.map(({ id }) => id)).toEqual(left)
        return found.hidden
      }
      // at the end, where an empty page shows it; with others behind them, where only the total does
      expect((await lookUp(bad)).sort()).toEqual([alone, shared])
      expect(await lookUp(good)).toEqual([shared, other])
      expect(await lookUp([good[0]!])).toEqual([shared])
      simulator.control.addFault({ kind: 'totals', missing: true })
      expect((await crm.peopleByEmail('lead', fields, emails, { priority })).hidden).toEqual([shared])
    },
  )

  test.each([
    ['last', 0],
    ['with others behind', 3],
  ])('and of somebody who is left out as soon as the address is asked for, %s', async (_, behind) => {
    const simulator = await start()
    const add = (Email: string) => simulator.control.add({ entity: 'lead', values: { Email } }).ids
    const ids = add('left.out@x.example')
    for (let n = 0; n < behind; n += 1) add(`behind${n}@x.example`)
    const others = [...truth(simulator).keys()].filter((email) => email !== 'left.out@x.example')
    const emails = [
      'left.out@x.example',
      ...others.slice(0, 20),
      ...others.slice(-behind, behind === 0 ? 0 : undefined),
    ]
    simulator.control.addFault({ kind: 'hiddenRows', ids, property: 'Email' })
    for (const priority of ['bulk', 'interactive'] as const) {
      const { rows, hidden } = await connect(simulator).peopleByEmail('lead', fields, emails, { priority })
      expect(hidden).toEqual([emails[0]])
      expect(rows.map(({ id }) => id)).toEqual(idsFor(truth(simulator), emails.slice(1)))
    }
  })

  test('no address is asked for without need, and none that is blank', async () => {
    const server = await tinyServer(() => undefined)
    const crm = openCrm(server.root)
    expect(await crm.peopleByEmail('lead', basics, ['', ' \t '])).toEqual({
      rows: [],
      unreadable: [],
      warnings: [],
      hidden: [],
    })
    expect(server.requests).toEqual([])
  })

  test('a user who may not see addresses finds nobody: that is said, since nobody must not mean none', async () => {
    const simulator = await start()
    const restrictions = [{ entity: 'Lead', property: 'Email', access: 'NoAccess' as const, shows: 'null' as const }]
    simulator.control.setUser({ username: 'admin', password: 'secret', role: 'admin', restrictions })
    const error = await failure(connect(simulator).peopleByEmail('lead', basics, ['a@b.example']))
    expect(error.code).toBe('crmRefused')
  })
})

describe('what a server does not understand is asked otherwise', () => {
  const refusal = (text: string) =>
    ({ kind: 'errorArray', status: 400, sdataCode: 'BadWhereSyntax', match: { contains: text } }) as const
  const withoutBlanks = (known: Map<string, string[]>, simulator: Simulator): Map<string, string[]> => {
    const stored = new Map(
      simulator.control.people({ entity: 'lead', count: 5000 }).items.map((item) => [item.Id, item]),
    )
    const plain = (id: string) => !String(stored.get(id)?.['Email']).startsWith(' ')
    return new Map([...known].map(([email, ids]) => [email, ids.filter(plain)]))
  }

  test.each([
    ['trim', ['trim('], 'upper(Email) in'],
    ['functions inside in', ['trim(', 'upper(Email) in'], 'upper(Email) eq'],
    ['any function', ['upper('], 'Email in'],
    ['functions and in', ['upper(', ' in ('], 'Email eq'],
  ])('%s', async (_title, refused, used) => {
    const simulator = await start()
    for (const text of refused) simulator.control.addFault(refusal(text))
    const asked: string[] = []
    const server = await standBefore(simulator.url, ({ url, body }) => {
      const where = /[?&]where=([^&]*)/.exec(`${url}&${body}`)?.[1]
      if (where !== undefined) asked.push(decodeURIComponent(where))
      return undefined
    })
    const crm = openCrm(server.root, { password: 'secret' })
    const known = withoutBlanks(truth(simulator), simulator)
    const emails = [...known.keys()].slice(0, 60)
    expect((await crm.peopleByEmail('lead', [], emails)).rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
    asked.length = 0
    await crm.peopleByEmail('lead', [], emails)
    expect(asked.length).toBeGreaterThan(0)
    expect(asked.filter((where) => !where.includes(used))).toEqual([])
  })

  test('a server that only breaks, too', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'htmlError', match: { contains: 'trim(' } })
    const known = withoutBlanks(truth(simulator), simulator)
    const emails = [...known.keys()].slice(0, 60)
    const { rows } = await connect(simulator).peopleByEmail('lead', basics, emails)
    expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
  })

  test('and what it understands wrongly: each form is tried with people who are there', async () => {
    const simulator = await start()
    // a database whose upper case of i is not I, as Turkish collations have it
    const server = await standBefore(simulator.url, ({ url, body }) =>
      decodeURIComponent(`${url}${body}`).includes('upper(') ? { json: feed([]) } : undefined,
    )
    const known = withoutBlanks(truth(simulator), simulator)
    const emails = [...known.keys()].slice(0, 60)
    const { rows } = await openCrm(server.root, { password: 'secret' }).peopleByEmail('lead', basics, emails)
    expect(rows.map(({ id }) => id)).toEqual(idsFor(known, emails))
  })

  test('a refusal of every form is thrown, not taken for nobody', async () => {
    const simulator = await start()
    simulator.control.addFault(refusal('Email'))
    const error = await failure(connect(simulator).peopleByEmail('lead', [], ['a@b.example']))
    expect(error.code).toBe('crmRefused')
    expect(`${error.message} ${error.remedy}`).not.toContain('b.example')
  })
})

test('upper case is asked for as databases may make it', () => {
  expect(upperVariants('a@b.example')).toEqual(['A@B.EXAMPLE'])
  expect(upperVariants('straße@x')).toEqual(expect.arrayContaining(['STRASSE@X', 'STRAßE@X']))
  expect(upperVariants('jürgen@x')).toEqual(
    expect.arrayContaining(['JÜRGEN@X', 'JüRGEN@X', 'JÜRGEN@X'.normalize('NFD')]),
  )
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const email = normaliseEmail(text)
      if (email !== null) expect(upperVariants(email)).toContain(email.toUpperCase())
    }),
  )
})

test('R3: what is found tells version and address, so that it can be written to', async () => {
  const simulator = await start()
  simulator.control.settings({ padIds: true, nullRelation: 'object' })
  const crm = connect(simulator)
  const all = simulator.control.people({ entity: 'lead', count: 600 }).items
  const homeless = all.find((item) => item['Address'] === null)!
  const housed = all.find((item) => item['Address'] !== null)!
  const { rows } = await crm.peopleById('lead', fields, [homeless.Id, housed.Id])
  const byId = new Map(rows.map((row) => [row.id, row]))
  expect(byId.get(homeless.Id)).toMatchObject({ addressKey: null, etag: expect.stringMatching(/^[\w+/]+=*$/) })
  expect(byId.get(housed.Id)?.addressKey).toMatch(/^\w{12}$/)
  const bare = await crm.peopleById('lead', basics, [housed.Id])
  expect(bare.rows[0]?.addressKey).toBeNull()
  expect(bare.rows[0]?.etag).toBe(byId.get(housed.Id)?.etag)
})

test('a person who changes while its properties come in parts keeps the version that was read first', async () => {
  let turn = 0
  const server = await tinyServer(({ query }) => {
    if (query.has('include')) return { json: feed([]) }
    turn += 1
    const names = query.get('select')!.split(',')
    return { json: feed([{ $key: 'Q1', $etag: `v${turn}`, ...Object.fromEntries(names.map((name) => [name, 'x'])) }]) }
  })
  const many = Array.from({ length: 150 }, (_, at) => field(`CustomProperty${at}`))
  const crm = openCrm(server.root)
  const refusing = await standBefore(server.url, ({ method }) => (method === 'POST' ? { status: 405 } : undefined))
  const { rows } = await openCrm(refusing.root).peopleById('lead', many, ['Q1'])
  expect(Object.keys(rows[0]!.values)).toHaveLength(150)
  expect(rows[0]?.etag).toBe('v1')
  expect((await crm.peopleById('lead', [], ['Q1'])).rows[0]?.etag).not.toBe('v1')
})
