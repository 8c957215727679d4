import { sql } from 'drizzle-orm'
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { reset } from '../../src/db/connection.ts'
import { openDatabase } from '../../src/db/database.ts'
import { finish } from '../../src/db/note/finish.ts'
import { lockOpen } from '../../src/db/note/run.ts'
import { settle } from '../../src/db/note/settle.ts'
import { holdOpen } from '../../src/db/note/wake.ts'
import * as runs from '../../src/db/run/state.ts'
import { openFairlead, until, type Fairlead } from '../support/fairlead.ts'
import { openNotes } from '../support/note.ts'

let fairlead: Fairlead
let listId: string
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 5, contacts: 1 })
  await fairlead.connect()
  listId = (await fairlead.finished(await fairlead.startImport('lead'))).listId!
}, 60_000)
afterAll(() => fairlead.close())

test('R31: a run that ends before it has begun lists its notes and balances', async () => {
  // nobody has said where this installation is reached
  const message = await openNotes(fairlead, listId)
  await message.accept(await message.recipients(2))
  const run = await fairlead.finished((await message.runs())[0]!)
  expect(run).toMatchObject({
    state: 'incomplete',
    error: { code: 'publicUrlMissing' },
    counts: { notes: { read: 2, rejected: 2 } },
    balance: { balanced: true },
  })
  expect((await message.all()).map(({ code }) => code)).toEqual(['publicUrlMissing', 'publicUrlMissing'])
})

/** Whether somebody waits for a lock. */
const blocked = async (): Promise<boolean> => {
  const [found] = await fairlead.db.$client<[{ waits: boolean }]>`
    select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits`
  return found.waits
}

/** A note that an attempt is about to settle, with its run over. */
const claimedNote = async () => {
  const { db, accountId } = fairlead
  const message = await openNotes(fairlead, listId)
  await message.accept(await message.recipients(1))
  const [runId] = await message.runs()
  await fairlead.finished(runId!)
  const claimId = randomUUID()
  await db.$client`
    update notes set state = 'creating', claim_id = ${claimId}, claim_until = now() + interval '1 hour' where message_id = ${message.messageId}`
  const [note] = await message.all()
  const [connection] = await db.query.connections.findMany()
  return { message, note: note!, connectionId: connection!.id, of: { accountId, runId: runId!, claimId } }
}

test('a run that ends and somebody who has the account and wakes its notes do not wait for each other', async () => {
  const { db, accountId } = fairlead
  const message = await openNotes(fairlead, listId)
  await message.accept(await message.recipients(1))
  const [runId] = await message.runs()
  await fairlead.finished(runId!)
  await db.$client`update runs set state = 'running' where id = ${runId!}`
  await db.$client`update notes set state = 'waiting' where message_id = ${message.messageId}`
  const run = await runs.get(db, accountId, runId!)
  let ending: Promise<unknown> | undefined
  await db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'update')
    ending = finish(db, run, { cancelled: true })
    await until('it waits', blocked)
    await tx.execute('set local lock_timeout = 300')
    await lockOpen(tx, message.messageId)
  })
  expect(await ending).toBe('cancelled')
})

test('C3: who settles notes and who has the account and holds them back do not wait for each other', async () => {
  const { db, accountId } = fairlead
  const { of, note, message, connectionId } = await claimedNote()
  let settling: Promise<unknown> | undefined
  await db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'update')
    settling = settle(db, of, [{ id: note.id, state: 'rejected', code: 'crmFailed', tries: 1 }])
    await until('it waits', blocked)
    await tx.execute('set local lock_timeout = 300')
    await holdOpen(tx, connectionId)
  })
  await settling
  expect(await message.all()).toMatchObject([{ state: 'rejected', code: 'crmFailed' }])
})

test('C3: a reset that loses against whoever locks notes in another order is done all the same', async () => {
  const { db, accountId, environment } = fairlead
  const { message } = await claimedNote()
  const own = openDatabase(environment['DATABASE_URL']!, { max: 1 })
  // whoever notices a deadlock first loses
  await own.$client`set deadlock_timeout = '3s'`
  let resetting: Promise<unknown> | undefined
  await db.transaction(async (tx) => {
    await tx.execute(`set local deadlock_timeout = '1min'`)
    await tx.execute(sql`update notes set tries = tries where message_id = ${message.messageId}::uuid`)
    resetting = reset(own, accountId)
    await until('it waits', blocked)
    await accounts.lock(tx, accountId, 'key share')
  })
  await resetting
  await own.$client.end()
  expect(await message.all()).toMatchObject([{ state: 'held', code: 'notConnected' }])
  expect(await db.query.connections.findMany()).toMatchObject([{ state: 'reset', secret: null }])
})
