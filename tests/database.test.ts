import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { compareSets, migrate, openDatabase, type Database } from '../src/db/database.ts'
import { createDatabase, type TestDatabase } from './support/servers.ts'

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await createDatabase()
  db = openDatabase(database.url, { max: 6, name: 'lost' })
})
afterAll(async () => {
  await db.$client.end({ timeout: 5 })
  await database.drop()
})

test('connections that the server ends fail the work on them and nothing else; the pool heals', async () => {
  const other = openDatabase(database.url, { max: 1, name: 'operator' })
  const outcome = { done: 0, failed: 0 }
  const stop = new AbortController()
  const work = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const big = 'x'.repeat(Math.random() < 0.5 ? 10 : 5000)
      const run =
        Math.random() < 0.5
          ? db.$client`select ${big} as a`
          : db.$client.begin(async (sql) => {
              await sql`select ${big} as a, pg_sleep(0.002)`
              await sql`select ${big} as b`
            })
      await run.then(
        () => (outcome.done += 1),
        () => (outcome.failed += 1),
      )
    }
  }
  const workers = Array.from({ length: 12 }, work)
  for (let n = 0; n < 25; n += 1) {
    await other.$client`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'`
    await sleep(40)
  }
  stop.abort()
  await Promise.all(workers)
  expect(outcome.failed).toBeGreaterThan(0)
  expect(outcome.done).toBeGreaterThan(0)

  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => db.$client`select ${n}::int as n`))
  expect(answers.map(([row]) => row!['n'] as number)).toEqual(Array.from({ length: 60 }, (_, n) => n))
  await other.$client.end()
})

test('a statement that fails between its rows, or whose connection is lost, does not shift the rows of the next', async () => {
  const one = openDatabase(database.url, { max: 1, name: 'single' })
  await expect(one.$client`select 1 / (5 - x) from generate_series(1, 10) x`).rejects.toThrow('division by zero')
  expect([...(await one.$client`select 7 as n`)]).toEqual([{ n: 7 }])
  const long = one.$client`select x, pg_sleep(case when x = 500 then 30 else 0 end), repeat('y', 5000) from generate_series(1, 500) x`
  const failed = expect(long).rejects.toThrow()
  await new Promise((resolve) => setTimeout(resolve, 300))
  await db.$client`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'single'`
  await failed
  expect([...(await one.$client`select 8 as n`)]).toEqual([{ n: 8 }])
  await one.$client.end()
})

test('several processes that migrate at once take turns', async () => {
  await Promise.all([1, 2, 3, 4].map(() => migrate(database.url)))
  const [applied] = await db.$client<[{ n: number }]>`select count(*)::int as n from drizzle.__drizzle_migrations`
  expect(applied.n).toBeGreaterThan(0)
})

test('sets are compared without nested loops, and the setting ends with the transaction', async () => {
  const settings = await compareSets(
    db,
    (sql) => sql<{ name: string; setting: string }[]>`
    select name, setting from pg_settings where name in ('enable_nestloop', 'work_mem') order by name`,
  )
  expect(settings.map(({ setting }) => setting)).toEqual(['off', '65536'])
  const after = await Promise.all(
    Array.from(
      { length: 12 },
      () => db.$client<[{ setting: string }]>`
      select setting from pg_settings where name = 'enable_nestloop'`,
    ),
  )
  expect(new Set(after.map(([row]) => row.setting))).toEqual(new Set(['on']))
})
