import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as accounts from '../../src/db/account.ts'
import { createBudget } from '../../src/db/budget/budget.ts'
import { ensureSlots } from '../../src/db/connection/propose.ts'
import { openDatabase, type Database } from '../../src/db/database.ts'
import { connections } from '../../src/db/schema.ts'
import { createSecretBox } from '../../src/db/secret.ts'
import { until } from './fairlead.ts'
import { createDatabase } from './servers.ts'

/** The shortest lease that there is: 2 s of requests, the time-out of one, and 1 s. */
const timeoutMs = 1
export const leaseMs = 3000 + timeoutMs

export type Workers = Awaited<ReturnType<typeof openWorkers>>
export type Shared = Awaited<ReturnType<Workers['connect']>>

/** A database as three workers see it, each over connections of its own. */
export const openWorkers = async () => {
  const database = await createDatabase()
  const secrets = createSecretBox(`test:${randomBytes(32).toString('base64')}`)
  const workers = [1, 2, 3].map((number) => openDatabase(database.url, { max: 4, name: `worker ${number}` }))
  const db = workers[0]!
  const sql = db.$client

  /** A CRM connection of its own with `limit` slots, and its budget in the hands of each worker. */
  const connect = async (limit: number) => {
    const { id: accountId } = await accounts.insert(db, secrets, { name: randomBytes(6).toString('hex') })
    const [connection] = await db.insert(connections).values({ accountId, concurrency: limit }).returning()
    await db.transaction((tx) => ensureSlots(tx, connection!))
    const connectionId = connection!.id
    const budgetOf = (worker: Database) => createBudget(worker, { accountId, connectionId, timeoutMs })
    return {
      db,
      sql,
      of: { accountId, connectionId },
      budgetOf,
      budgets: workers.map(budgetOf),
      waiting: (count: number) =>
        until(`${count} wait in line`, async () => {
          const rows = await sql`select from waiters where connection_id = ${connectionId}`
          return rows.length === count
        }),
      /** when the first slot was granted last, in milliseconds by the database's clock */
      async grantedAt(): Promise<number> {
        const [slot] = await sql<[{ leaseEndsAt: number }]>`
          select (extract(epoch from lease_until) * 1000)::float as "leaseEndsAt" from slots
          where connection_id = ${connectionId} and slot = 1`
        return slot.leaseEndsAt - leaseMs
      },
    }
  }

  return {
    connect,
    /** one more worker, which a test may let die */
    spare: () => openDatabase(database.url, { max: 2, name: 'spare worker' }),
    async close() {
      await Promise.all(workers.map((worker) => worker.$client.end()))
      await database.drop()
    },
  }
}

/**
 * Takes and gives back at random, in many loops of every worker, after `expected` slots were held at once for the first time. Answers the most
 * that were ever held at once.
 */
export const jostle = async ({ budgets }: Shared, expected: number, loops = 12, turns = 8): Promise<number> => {
  let held = 0
  let most = 0
  let go: () => void = () => undefined
  const full = new Promise<void>((resolve) => (go = resolve))
  const loop = async (index: number): Promise<void> => {
    for (let turn = 0; turn < turns; turn += 1) {
      const slot = await budgets[index % budgets.length]!.take(Math.random() < 0.2 ? 'interactive' : 'bulk')
      held += 1
      most = Math.max(most, held)
      if (held === expected) go()
      await full
      await sleep(Math.random() * 8)
      held -= 1
      await slot.release()
    }
  }
  await Promise.all(Array.from({ length: loops }, (_, index) => loop(index)))
  return most
}
