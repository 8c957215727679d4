import * as fc from 'fast-check'
import { onTestFinished, describe, expect, test } from 'vitest'
import type { Crm, CrmWarning, KeyRange } from '../../src/domain/crm.ts'
import type { Fault } from '../../src/simulator/faults.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { basics, failure, feed, open, openCrm, readAll, tinyServer, type Seen } from './support.ts'

const start = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const simulator = await startSimulator({ leads: 1234, contacts: 5, ...options })
  onTestFinished(() => simulator.close())
  return simulator
}
const connect = (simulator: Simulator): Crm => openCrm(`${simulator.url}/sdata`, { password: 'secret' })

const truth = (simulator: Simulator): string[] => {
  const { items } = simulator.control.people({ entity: 'lead', count: 5000, select: ['Id'] })
  return items.map(({ Id }) => Id)
}

const readKeys = async (crm: Crm, range: KeyRange = open) => {
  const keys: string[] = []
  const warnings: CrmWarning[] = []
  let pages = 0
  for (let after = range.after; ;) {
    const page = await crm.keys('lead', { after, upTo: range.upTo })
    pages += 1
    keys.push(...page.rows)
    warnings.push(...page.warnings)
    if (page.next === null) return { keys, warnings, pages }
    after = page.next
  }
}

describe('every key is read exactly once', () => {
  test.each<[string, SimulatorOptions, Fault[]]>([
    ['by default', {}, []],
    ['from a server that gives 200 rows at most', { maxPage: 200 }, []],
    ['with pages shorter than asked for', {}, [{ kind: 'shortPages', rows: 37 }]],
    ['with totals that are too low', {}, [{ kind: 'totals', factor: 0.1 }]],
    ['with totals that are too high', {}, [{ kind: 'totals', value: 1_000_000 }]],
    ['without totals', {}, [{ kind: 'totals', missing: true }]],
    ['with links to a host of the server’s own', {}, [{ kind: 'foreignHost', host: 'http://10.40.201.25' }]],
    ['without $next', {}, [{ kind: 'noNext' }]],
    ['with rows lost from offset pages', {}, [{ kind: 'lostRows', every: 7 }]],
    ['with pages in the wrong order', { maxPage: 100 }, [{ kind: 'wrongOrder' }]],
    [
      'with faults on the way',
      {},
      [
        { kind: 'htmlError', after: 1, times: 2 },
        { kind: 'truncate', after: 5, times: 1 },
        { kind: 'drop', after: 8, times: 2 },
      ],
    ],
  ])('%s', async (_title, options, faults) => {
    const simulator = await start(options)
    for (const fault of faults) simulator.control.addFault({ match: { kind: 'leads' }, ...fault })
    const crm = connect(simulator)
    const all = truth(simulator)
    expect((await readKeys(crm)).keys.sort()).toEqual(all.sort())
    expect((await readAll(crm, 'lead', basics)).people.map(({ id }) => id).sort()).toEqual(all)
  })

  test('in parallel ranges that meet at keys found by offset, even when a boundary is deleted meanwhile', async () => {
    const simulator = await start({ maxPage: 90 })
    const crm = connect(simulator)
    const all = truth(simulator)
    const bounds = await Promise.all(
      [0.25, 0.5, 0.75].map((share) => crm.keyAt('lead', Math.floor(all.length * share))),
    )
    expect(bounds.every((key) => key !== null && all.includes(key))).toBe(true)
    const gone = bounds[1]!
    simulator.control.remove({ entity: 'lead', ids: [gone] })
    const ranges = [null, ...bounds].map((after, at) => ({ after, upTo: bounds[at] ?? null }))
    const lanes = await Promise.all(ranges.map((range) => readKeys(crm, range)))
    expect(lanes.flatMap(({ keys }) => keys)).toEqual(all.filter((key) => key !== gone))
  })

  test('any range holds exactly its keys', async () => {
    const simulator = await start({ leads: 60, maxPage: 7 })
    const crm = connect(simulator)
    const all = truth(simulator)
    const bound = fc.option(fc.integer({ min: 0, max: all.length - 1 }), { nil: null })
    await fc.assert(
      fc.asyncProperty(bound, bound, async (from, to) => {
        const range = { after: from === null ? null : all[from]!, upTo: to === null ? null : all[to]! }
        const { keys } = await readKeys(crm, range)
        expect(keys).toEqual(all.slice(from === null ? 0 : from + 1, to === null ? undefined : to + 1))
      }),
      { numRuns: 40 },
    )
  })
})

describe('what a page says about the server', () => {
  test('pages shorter than usual are counted, a constant limit of the server is not', async () => {
    const limited = connect(await start({ maxPage: 200 }))
    expect((await readKeys(limited)).warnings).toEqual([])
    let turn = 0
    const rows = Array.from({ length: 90 }, (_, at) => ({ $key: `Q${100 + at}` }))
    const server = await tinyServer(({ query }) => {
      const after = /'(\w+)'/.exec(query.get('where') ?? '')?.[1] ?? ''
      turn += 1
      return { json: feed(rows.filter(({ $key }) => $key > after).slice(0, turn === 2 ? 11 : 30)) }
    })
    const { keys, warnings } = await readKeys(openCrm(server.root))
    expect(keys).toHaveLength(90)
    expect(warnings).toContainEqual({ code: 'shortPages', count: 1 })
  })

  test('a total below the number of rows is counted as wrong and otherwise ignored', async () => {
    const simulator = await start({ leads: 30 })
    simulator.control.addFault({ kind: 'totals', value: 3 })
    const page = await connect(simulator).keys('lead', open)
    expect(page.rows).toHaveLength(30)
    expect(page.warnings).toEqual([{ code: 'wrongTotal', count: 1 }])
  })

  test('an empty page where the total promises rows is asked for again before it is believed', async () => {
    let turn = 0
    const server = await tinyServer(() => {
      turn += 1
      return {
        json: turn === 1 ? feed([], { $totalResults: 2 }) : feed(turn === 2 ? [{ $key: 'Q1' }, { $key: 'Q2' }] : []),
      }
    })
    expect((await readKeys(openCrm(server.root))).keys).toEqual(['Q1', 'Q2'])
  })
})

describe('a server that does not page as asked', () => {
  const rows = Array.from({ length: 50 }, (_, at) => ({
    $key: `Q${String(at).padStart(3, '0')}`,
    Email: `p${at}@x.example`,
  }))
  const afterOf = ({ query }: Seen): string => /Id gt '(\w+)'/.exec(query.get('where') ?? '')?.[1] ?? ''
  const upToOf = ({ query }: Seen): string => /Id le '(\w+)'/.exec(query.get('where') ?? '')?.[1] ?? '~'

  test('and repeats its first page ends with crmPaging instead of reading for ever', async () => {
    const server = await tinyServer(() => ({ json: feed(rows.slice(0, 20)) }))
    const crm = openCrm(server.root)
    const first = await crm.people('lead', basics, open)
    expect(first.rows).toHaveLength(20)
    expect((await failure(crm.people('lead', basics, { after: first.next, upTo: null }))).code).toBe('crmPaging')
  })

  test('and begins its pages before the place asked for is used from that place on', async () => {
    const server = await tinyServer((seen) => {
      const rest = rows.filter(({ $key }) => $key > afterOf(seen)).slice(0, 20)
      const before = rows.filter(({ $key }) => $key <= afterOf(seen)).slice(-5)
      return { json: feed(rest.length > 0 ? [...before, ...rest] : []) }
    })
    expect((await readKeys(openCrm(server.root))).keys).toEqual(rows.map(({ $key }) => $key))
  })

  test('and goes on behind the end of the range is cut there', async () => {
    const server = await tinyServer((seen) => ({
      json: feed(rows.filter(({ $key }) => $key > afterOf(seen)).slice(0, 20)),
    }))
    expect((await readKeys(openCrm(server.root), { after: 'Q004', upTo: 'Q030' })).keys).toEqual(
      rows.slice(5, 31).map(({ $key }) => $key),
    )
  })

  test('and gives rows twice gives them once to us', async () => {
    const server = await tinyServer((seen) => {
      const page = rows.filter(({ $key }) => $key > afterOf(seen)).slice(0, 20)
      return { json: feed([...page, ...page.slice(3, 6)].toSorted((a, b) => (a.$key < b.$key ? -1 : 1))) }
    })
    expect((await readKeys(openCrm(server.root))).keys).toEqual(rows.map(({ $key }) => $key))
  })

  test('and sorts by something else is refused with crmPaging: rows are never skipped', async () => {
    const shuffled = rows
      .map((row, at) => ({ row, at: (at * 37) % 50 }))
      .sort((a, b) => a.at - b.at)
      .map(({ row }) => row)
    const server = await tinyServer((seen) => ({
      json: feed(shuffled.filter(({ $key }) => $key > afterOf(seen) && $key <= upToOf(seen)).slice(0, 20)),
    }))
    expect((await failure(readKeys(openCrm(server.root)))).code).toBe('crmPaging')
  })

  test('and calls a count too large is asked for less', async () => {
    const server = await tinyServer((seen) =>
      Number(seen.query.get('count')) > 250
        ? { status: 400, json: [{ severity: 'Error', sdataCode: 'BadQueryParameter', message: 'count is too large' }] }
        : { json: feed(rows.filter(({ $key }) => $key > afterOf(seen)).slice(0, Number(seen.query.get('count')))) },
    )
    expect((await readKeys(openCrm(server.root))).keys).toHaveLength(50)
  })
})

describe('hints', () => {
  test('the total is what the CRM says, by count=0 or else by one row, and null when it does not say', async () => {
    const simulator = await start()
    expect(await connect(simulator).total('lead')).toBe(1234)
    simulator.control.addFault({ kind: 'errorArray', status: 400, match: { contains: 'count=0' } })
    expect(await connect(simulator).total('lead')).toBe(1234)
    simulator.control.addFault({ kind: 'totals', missing: true })
    expect(await connect(simulator).total('lead')).toBeNull()
    expect(await connect(await start({ leads: 0 })).total('lead')).toBe(0)
  })

  test('a key beyond the end is null', async () => {
    const simulator = await start({ leads: 10 })
    const all = truth(simulator)
    expect(await connect(simulator).keyAt('lead', 0)).toBe(all[0])
    expect(await connect(simulator).keyAt('lead', 9)).toBe(all[9])
    expect(await connect(simulator).keyAt('lead', 10)).toBeNull()
  })

  test('a server that fails on far offsets has no key there, and keeps being read in one lane', async () => {
    const simulator = await start()
    simulator.control.addFault({ kind: 'htmlError', match: { contains: 'startIndex=' } })
    expect(await connect(simulator).keyAt('lead', 600)).toBeNull()
  })

  test('R14: the latest change is the largest ModifyDate, but never one more than a day ahead of the CRM’s clock', async () => {
    const simulator = await start({ leads: 20 })
    const crm = connect(simulator)
    const set = (at: number, ms: number) =>
      simulator.control.edit({
        entity: 'lead',
        id: truth(simulator)[at]!,
        values: { ModifyDate: new Date(ms).toISOString() },
      })
    simulator.control.settings({ clockOffsetMs: -3_600_000_000 })
    const crmNow = Date.now() - 3_600_000_000
    for (let at = 0; at < 20; at += 1) set(at, crmNow - 86_400_000 * (30 + at))
    const latest = Math.floor((crmNow - 1000) / 1000) * 1000
    set(3, latest)
    expect(await crm.latestChange('lead')).toBe(new Date(latest).toISOString())
    set(7, crmNow + 3_600_000_000)
    expect(await crm.latestChange('lead')).toBe(new Date(latest).toISOString())
  })

  test('R14, R22: whoever cannot be delivered does not hide the latest change of the others', async () => {
    const simulator = await start({ leads: 20 })
    const all = truth(simulator)
    const at = (day: number): string => new Date(Date.UTC(2024, 0, day)).toISOString()
    for (const [nth, id] of all.entries())
      simulator.control.edit({ entity: 'lead', id, values: { ModifyDate: at(1 + nth) } })
    simulator.control.addFault({ kind: 'poison', ids: all.slice(-2) })
    expect(await connect(simulator).latestChange('lead')).toBe(at(18))
  })

  test('R14, R22: nor do many, even beside dates of the far future: that of an older one is taken, and none where nobody comes', async () => {
    const simulator = await start({ leads: 120 })
    const crm = connect(simulator)
    const all = truth(simulator)
    const at = (nth: number): string => new Date(Date.UTC(2024, 0, 1, 0, nth)).toISOString()
    for (const [nth, id] of all.entries())
      simulator.control.setModifyDate({ entity: 'lead', ids: [id], at: nth < 60 ? '2090-01-01T00:00:00Z' : at(nth) })
    const latestWithout = async (count: number): Promise<string | null> => {
      simulator.control.clearFaults()
      simulator.control.addFault({ kind: 'poison', ids: all.slice(-count) })
      simulator.control.resetGauges()
      const latest = await crm.latestChange('lead')
      expect(simulator.control.gauges().requests).toBeLessThan(50)
      return latest
    }
    expect(await latestWithout(1)).toBe(at(118))
    expect(await latestWithout(9)).toBe(at(110))
    // the twentieth is the next that is looked at, then the fortieth
    expect(await latestWithout(11)).toBe(at(100))
    expect(await latestWithout(35)).toBe(at(80))
    expect(await latestWithout(60)).toBeNull()
  })

  test('R14: it is found even where the server refuses to filter by dates, and null where there is nobody', async () => {
    const simulator = await start({ leads: 20 })
    const all = truth(simulator)
    for (const [at, id] of all.entries())
      simulator.control.edit({
        entity: 'lead',
        id,
        values: { ModifyDate: new Date(Date.UTC(2024, 0, 1 + at)).toISOString() },
      })
    simulator.control.edit({
      entity: 'lead',
      id: all[0]!,
      values: { ModifyDate: new Date(Date.UTC(2150, 0, 1)).toISOString() },
    })
    simulator.control.addFault({
      kind: 'errorArray',
      status: 400,
      sdataCode: 'BadWhereSyntax',
      match: { contains: 'ModifyDate le' },
    })
    expect(await connect(simulator).latestChange('lead')).toBe('2024-01-20T00:00:00.000Z')
    expect(await connect(await start({ leads: 0 })).latestChange('lead')).toBeNull()
  })
})
