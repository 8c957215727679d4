import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { adapt, slowToOne } from '../src/db/budget/pace.ts'
import { jostle, openWorkers, type Shared, type Workers } from './support/budget.ts'
import { until } from './support/fairlead.ts'

let workers: Workers
beforeAll(async () => {
  workers = await openWorkers()
})
afterAll(() => workers.close())

const allowed = async ({ sql, of }: Shared): Promise<number | undefined> => {
  const [pace] = await sql<{ allowed: number }[]>`select allowed from paces where connection_id = ${of.connectionId}`
  return pace?.allowed
}
const aSecondLater = ({ sql, of }: Shared) =>
  sql`update paces set changed_at = changed_at - interval '1.1 seconds' where connection_id = ${of.connectionId}`
const see = ({ sql, of }: Shared, ok: boolean, ms = 100) => adapt(sql, of, [{ ms, ok }])

describe('R26: trouble (429, 503, time-outs)', () => {
  test('halves the pace, even right after a good answer, at most once a second and never below one', async () => {
    const shared = await workers.connect(8)
    await see(shared, true)
    expect(await allowed(shared)).toBe(8)
    await see(shared, false)
    await see(shared, false)
    expect(await allowed(shared)).toBe(4)
    for (const expected of [2, 1, 1]) {
      await aSecondLater(shared)
      await see(shared, false)
      expect(await allowed(shared)).toBe(expected)
    }
  })

  test('goes on halving while it goes on', async () => {
    const shared = await workers.connect(8)
    await see(shared, false)
    await until('the pace is down to one', async () => {
      await see(shared, false)
      return (await allowed(shared)) === 1
    })
  })

  test('as the holder of a slot reports it slows down all workers; good answers raise the pace up to the limit again', async () => {
    const shared = await workers.connect(4)
    const slot = await shared.budgets[0]!.take('bulk')
    slot.report({ ms: 20, ok: false })
    await until('the pace is halved', async () => (await allowed(shared)) === 2)
    await slot.release()
    expect(await jostle(shared, 2)).toBe(2)
    for (const expected of [3, 4, 4]) {
      await see(shared, true)
      expect(await allowed(shared)).toBe(expected)
    }
    expect(await jostle(shared, 4)).toBe(4)
  })
})

test('R26: answers that are much slower than usual take one request away', async () => {
  const shared = await workers.connect(4)
  await see(shared, true, 100)
  await see(shared, true, 3000)
  expect(await allowed(shared)).toBe(3)
})

test('R26: Retry-After is a pause for everybody, interactive work too', async () => {
  const shared = await workers.connect(1)
  await adapt(shared.sql, shared.of, [{ ms: 20, ok: false, pause: 1200 }])
  await adapt(shared.sql, shared.of, [{ ms: 20, ok: false, pause: 300 }])
  const [pause] = await shared.sql<[{ endsAt: number }]>`
    select (extract(epoch from pause_until) * 1000)::float as "endsAt" from paces where connection_id = ${shared.of.connectionId}`
  const slot = await shared.budgets[1]!.take('interactive')
  expect(await shared.grantedAt()).toBeGreaterThanOrEqual(pause.endsAt)
  await slot.release()
})

describe('R21: refusals of an accepted login', () => {
  const limitOf = async ({ sql, of }: Shared) => {
    const [found] = await sql<[{ concurrency: number; slots: number }]>`
      select concurrency, (select count(*)::int from slots where connection_id = id) as slots
      from connections where id = ${of.connectionId}`
    return found
  }
  const passSeconds = ({ sql, of }: Shared) =>
    sql`update paces set changed_at = changed_at - interval '6 seconds' where connection_id = ${of.connectionId}`
  /** of work that began so long ago */
  const refused = async ({ sql, of }: Shared, elapsedMs = 0) => {
    // stored instants are rounded to the millisecond, and may lie in the future for as long
    await until('the last change of the pace has passed', async () => {
      const rows =
        await sql`select from paces where connection_id = ${of.connectionId} and changed_at >= clock_timestamp()`
      return rows.length === 0
    })
    return slowToOne(sql, of, elapsedMs)
  }

  test('that stop with one request at a time, and come back with more, make the limit one', async () => {
    const shared = await workers.connect(4)
    for (const expected of ['slowed', 'slowed', 'limited']) {
      expect(await refused(shared)).toBe(expected)
      expect(await jostle(shared, 1, 6, 2)).toBe(1)
      await see(shared, true)
      if (expected !== 'limited') expect(await allowed(shared), 'one at a time for some seconds').toBe(1)
      await passSeconds(shared)
      await see(shared, true)
    }
    expect(await limitOf(shared)).toEqual({ concurrency: 1, slots: 1 })
    expect(await allowed(shared)).toBe(1)
  })

  test('that go on with one request at a time are a missing right, and leave the limit as it is', async () => {
    const shared = await workers.connect(4)
    for (let time = 0; time < 4; time += 1) {
      expect(await refused(shared)).toBe('slowed')
      expect(await refused(shared)).toBe(false)
      await see(shared, true)
    }
    expect(await limitOf(shared)).toEqual({ concurrency: 4, slots: 4 })
  })

  test('of several requests that were under way together count once', async () => {
    const shared = await workers.connect(4)
    for (let request = 0; request < 4; request += 1) expect(await refused(shared, 10_000)).toBe('slowed')
    expect(await limitOf(shared)).toEqual({ concurrency: 4, slots: 4 })
    expect(await refused(shared)).toBe(false)
  })
})
