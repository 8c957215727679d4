import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { randomUUID } from 'node:crypto'
import { lookAround, untilAlone } from '../src/db/budget/lease.ts'
import { slowToOne } from '../src/db/budget/pace.ts'
import { claimCheck, releaseCheck } from '../src/db/connection.ts'
import * as runs from '../src/db/run/state.ts'
import type { Slot } from '../src/domain/crm.ts'
import { jostle, leaseMs, openWorkers, type Workers } from './support/budget.ts'
import { openFairlead, until } from './support/fairlead.ts'
import { startWorker } from './support/worker.ts'

let workers: Workers
beforeAll(async () => {
  workers = await openWorkers()
})
afterAll(() => workers.close())

test('R26: three workers together never hold more slots than the limit, and no fewer', async () => {
  expect(await jostle(await workers.connect(3), 3)).toBe(3)
})

test('R26: where slots are short, interactive work goes first, then bulk work in the order of its asking', async () => {
  const shared = await workers.connect(1)
  const [first, second, third] = shared.budgets
  const holder = await first!.take('bulk')
  const order: string[] = []
  const ask = async (name: string, worker: typeof first, priority: 'bulk' | 'interactive'): Promise<void> => {
    const slot = await worker!.take(priority)
    order.push(name)
    await slot.release()
  }
  const asked = [ask('an import', second, 'bulk')]
  await shared.waiting(1)
  asked.push(ask('another import', third, 'bulk'))
  await shared.waiting(2)
  asked.push(ask('a form', first, 'interactive'))
  await shared.waiting(3)
  await holder.release()
  await Promise.all(asked)
  expect(order).toEqual(['a form', 'an import', 'another import'])
  await shared.waiting(0)
})

test('R26: a process that goes on with its slots gives one away as soon as another asks, long before their time is over', async () => {
  const shared = await workers.connect(2)
  const [busy, other] = shared.budgets
  let turns = 0
  const over = new AbortController()
  const work = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const slot = await busy!.take('bulk')
      await sleep(5)
      await slot.release()
      turns += 1
    }
  }
  const working = [work(), work()]
  await until('both are well under way', async () => turns > 40)
  const before = turns
  const slot = await other!.take('bulk')
  // two seconds of requests, after which a slot is asked for again in any case, are some 400 turns of each
  expect(turns - before).toBeLessThan(200)
  await slot.release()
  over.abort()
  await Promise.all(working)
})

test('R26: interactive work goes on with the slots of bulk work beside it, and the bulk work has its turn afterwards', async () => {
  const shared = await workers.connect(2)
  const [one] = shared.budgets
  const bulk = [await one!.take('bulk'), await one!.take('bulk')]
  const order: string[] = []
  const later = one!.take('bulk').then(async (slot) => {
    order.push('bulk')
    await slot.release()
  })
  await shared.waiting(1)
  let atOnce = 0
  let most = 0
  const forms = Array.from({ length: 20 }, async (_, n) => {
    const slot = await one!.take('interactive')
    most = Math.max(most, (atOnce += 1))
    order.push(`form ${n}`)
    await sleep(10)
    atOnce -= 1
    await slot.release()
  })
  await shared.waiting(21)
  await Promise.all(bulk.map((slot) => slot.release()))
  await Promise.all([...forms, later])
  expect(order).toHaveLength(21)
  // the last two forms leave a slot for it
  expect(order.indexOf('bulk')).toBeGreaterThanOrEqual(18)
  expect(most).toBe(2)
  await shared.waiting(0)
})

test('R26: one that gave up while it stood in line takes no slot with it', async () => {
  const shared = await workers.connect(1)
  const [one] = shared.budgets
  const holder = await one!.take('bulk')
  const over = new AbortController()
  const gone = expect(one!.take('interactive', over.signal)).rejects.toThrow()
  await shared.waiting(1)
  over.abort()
  await holder.release()
  await gone
  const next = await one!.take('interactive')
  await next.release()
  await shared.waiting(0)
})

test('R26: where the limit becomes one, nobody goes on with a slot that is above it', async () => {
  const { sql, of, budgets } = await workers.connect(4)
  const held = await Promise.all(budgets.flatMap((budget) => [budget.take('bulk')]))
  await sql`insert into paces (account_id, connection_id, allowed, refusals) values (${of.accountId}, ${of.connectionId}, 4, 2)`
  expect(await slowToOne(sql, of, 0)).toBe('limited')
  expect(await lookAround(sql, of.connectionId)).toMatchObject({ calm: false, quiet: false })
  await Promise.all(held.map((slot) => slot.release()))
  const again = await budgets[0]!.take('bulk')
  expect(await lookAround(sql, of.connectionId)).toMatchObject({ calm: true, quiet: true })
  await again.release()
})

test('R27: ten lists that are due at once take turns, and none starves', async () => {
  const shared = await workers.connect(1)
  const holder = await shared.budgets[0]!.take('bulk')
  const turns = Array.from({ length: 10 }, () => 0)
  let widest = 0
  const list = async (index: number): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) {
      const slot = await shared.budgets[index % 3]!.take('bulk')
      turns[index]! += 1
      widest = Math.max(widest, Math.max(...turns) - Math.min(...turns))
      await slot.release()
    }
  }
  const lists = turns.map((_, index) => list(index))
  await shared.waiting(10)
  await holder.release()
  await Promise.all(lists)
  expect(widest).toBeLessThanOrEqual(2)
})

describe('R26: a worker that dies', () => {
  test('while it holds a slot has its requests aborted first, and the slot is granted again only after the lease', async () => {
    const shared = await workers.connect(1)
    const dying = workers.spare()
    const lost = await shared.budgetOf(dying).take('bulk')
    await dying.$client.end()
    const leaseEndsAt = (await shared.grantedAt()) + leaseMs
    let next: Slot | undefined
    const granted = shared.budgets[1]!.take('interactive').then((slot) => (next = slot))
    await once(lost.signal, 'abort')
    expect(lost.signal.reason).toMatchObject({ code: 'leaseLost' })
    expect(next, 'nobody has the slot yet').toBeUndefined()
    await granted
    expect(await shared.grantedAt()).toBeGreaterThanOrEqual(leaseEndsAt)
    await lost.release()
    expect(await shared.grantedAt(), 'a late release takes nothing away').toBeGreaterThanOrEqual(leaseEndsAt)
    await next!.release()
  })

  test('while it waits loses its place, so that those behind it go on', async () => {
    const shared = await workers.connect(1)
    const dying = workers.spare()
    const holder = await shared.budgets[0]!.take('bulk')
    const dead = expect(shared.budgetOf(dying).take('interactive')).rejects.toThrow()
    await shared.waiting(1)
    const behind = shared.budgets[1]!.take('bulk')
    await shared.waiting(2)
    await dying.$client.end()
    await dead
    await holder.release()
    await (await behind).release()
    await shared.waiting(1)
  })
})

test('R21: while a login is checked all workers have one slot between them, however busy they are, and afterwards every slot again', async () => {
  const shared = await workers.connect(4)
  const { sql, of, budgets } = shared
  const busy = new AbortController()
  const loops = Array.from({ length: 4 }, async (_, n) => {
    while (!busy.signal.aborted) {
      const slot = await budgets[n % budgets.length]!.take('bulk')
      await new Promise((resolve) => setTimeout(resolve, 20))
      await slot.release()
    }
  })
  const holder = randomUUID()
  expect(await claimCheck(sql, of.connectionId, holder, null)).toMatchObject({ mine: true, accepted: false })
  expect(await claimCheck(sql, of.connectionId, randomUUID(), null)).toMatchObject({ mine: false })
  await untilAlone(sql, of.connectionId, new AbortController().signal)
  for (let n = 0; n < 20; n += 1) {
    const rows = await sql`select from slots where connection_id = ${of.connectionId} and lease_until > now()`
    expect(rows.length).toBeLessThanOrEqual(1)
    const mine = await budgets[0]!.take('interactive')
    await mine.release()
  }
  busy.abort()
  await Promise.all(loops)
  await releaseCheck(shared.db, of.connectionId, holder, null)
  expect(await jostle(shared, 4)).toBe(4)
})

test('a waiter that gives up leaves the line', async () => {
  const shared = await workers.connect(1)
  const holder = await shared.budgets[0]!.take('bulk')
  const giveUp = new AbortController()
  const waiting = shared.budgets[1]!.take('bulk', giveUp.signal)
  await shared.waiting(1)
  giveUp.abort()
  await expect(waiting).rejects.toThrow()
  await shared.waiting(0)
  await holder.release()
})

test('R26, R27: three worker processes with three imports at once never have more requests under way than the limit', async () => {
  const fairlead = await openFairlead({ worker: false, leads: 2400, contacts: 600, maxPage: 100, latencyMs: 40 })
  onTestFinished(() => fairlead.close())
  await Promise.all([1, 2, 3].map(() => startWorker(fairlead)))
  await fairlead.connect()
  const { db, accountId, simulator, wiring } = fairlead
  await db.$client.begin(async (sql) => {
    await sql`update connections set concurrency = 3`
    await sql`delete from slots where slot > 3`
  })
  simulator.control.resetGauges()
  const ids = await Promise.all([
    fairlead.startImport('lead'),
    fairlead.startImport('contact'),
    fairlead.startImport('lead', ['Company'], true),
  ])
  for (const run of await Promise.all(ids.map((id) => fairlead.finished(id))))
    expect(run).toMatchObject({ state: 'succeeded', balance: { balanced: true } })
  expect(simulator.control.gauges().maxInFlight).toBe(3)
  const histories = await Promise.all(
    ids.map(async (id) => {
      const { workflowId } = await runs.get(db, accountId, id)
      return wiring.flows.client.workflow.getHandle(workflowId).fetchHistory()
    }),
  )
  const identities = histories.flatMap(({ events }) =>
    (events ?? []).map((event) => event.activityTaskStartedEventAttributes?.identity).filter(Boolean),
  )
  expect(new Set(identities).size, 'workers that took part').toBe(3)
}, 60_000)
