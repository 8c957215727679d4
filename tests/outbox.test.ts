import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import * as accounts from '../src/db/account.ts'
import { openDatabase, type Database } from '../src/db/database.ts'
import * as outbox from '../src/db/outbox.ts'
import { createSecretBox } from '../src/db/secret.ts'
import { createDatabase, type TestDatabase } from './support/servers.ts'

let database: TestDatabase
let db: Database
let accountId: string
beforeAll(async () => {
  database = await createDatabase()
  db = openDatabase(database.url, { max: 8 })
  accountId = (await accounts.insert(db, createSecretBox(`k:${Buffer.alloc(32).toString('base64')}`), { name: 'A' })).id
})
beforeEach(() => db.$client`truncate outbox`)
afterAll(async () => {
  await db.$client.end()
  await database.drop()
})

const write = (workflowId: string, name = 'importList') =>
  db.transaction((tx) => outbox.insert(tx, { accountId, kind: 'start', name, workflowId }))
const deliverAll = async (send: (message: outbox.Message) => Promise<void>): Promise<void> => {
  while ((await outbox.deliver(db, send)).sent > 0);
}
/** A second ago: columns hold milliseconds, and `now()` is rounded to one that may still be to come. */
const makeDue = () => db.$client`update outbox set retry_at = now() - interval '1 second'`

test('messages of one workflow are handed over in their order, each once', async () => {
  for (const name of ['first', 'second', 'third']) await write('import:1', name)
  const taken: string[] = []
  await deliverAll(async ({ name }) => void taken.push(name))
  expect(taken).toEqual(['first', 'second', 'third'])
  await deliverAll(async ({ name }) => void taken.push(name))
  expect(taken).toHaveLength(3)
})

test('a message that the engine refuses holds up its own workflow only, and is tried again later', async () => {
  await write('import:bad', 'start')
  await write('import:bad', 'cancel')
  for (let n = 0; n < 120; n += 1) await write(`import:${n}`)
  const taken: string[] = []
  let refuse = true
  const send = async ({ workflowId, name }: outbox.Message): Promise<void> => {
    if (workflowId === 'import:bad' && refuse) throw new Error('refused')
    taken.push(workflowId === 'import:bad' ? name : workflowId)
  }
  await deliverAll(send)
  expect(new Set(taken).size).toBe(120)
  expect((await outbox.open(db, 'import:bad')).map(({ tries }) => tries)).toEqual([1, 0])
  refuse = false
  await deliverAll(send)
  expect(taken).toHaveLength(120)
  await makeDue()
  await deliverAll(send)
  expect(taken.slice(120)).toEqual(['start', 'cancel'])
})

test('an engine that is away is not asked for each message, and everything is handed over when it is back', async () => {
  for (let n = 0; n < 40; n += 1) await write(`import:${n}`)
  let asked = 0
  const { sent, failures } = await outbox.deliver(db, async () => {
    asked += 1
    throw new Error('away')
  })
  expect({ sent, failed: failures.length, asked }).toEqual({ sent: 0, failed: 3, asked: 3 })
  await makeDue()
  const taken: string[] = []
  await deliverAll(async ({ workflowId }) => void taken.push(workflowId))
  expect(new Set(taken).size).toBe(40)
})

test('several processes at once hand each message over once', async () => {
  for (let n = 0; n < 200; n += 1) await write(`import:${n}`)
  const taken: string[] = []
  const send = async ({ workflowId }: outbox.Message): Promise<void> => void taken.push(workflowId)
  await Promise.all([1, 2, 3].map(() => deliverAll(send)))
  await deliverAll(send)
  expect(taken).toHaveLength(200)
  expect(new Set(taken).size).toBe(200)
})

test('a message whose transaction was rolled back is never seen', async () => {
  await expect(
    db.transaction(async (tx) => {
      await outbox.insert(tx, { accountId, kind: 'start', name: 'importList', workflowId: 'import:lost' })
      throw new Error('rolled back')
    }),
  ).rejects.toThrow('rolled back')
  const { sent } = await outbox.deliver(db, async () => undefined)
  expect(sent).toBe(0)
})
