import { afterAll, beforeAll, expect, test } from 'vitest'
import * as accounts from '../../src/db/account.ts'
import { finish } from '../../src/db/note/finish.ts'
import { lockOpen } from '../../src/db/note/run.ts'
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
    await until('it waits', async () => {
      const [row] = await db.$client<[{ n: number }]>`
        select count(*)::int as n from pg_locks l join pg_database d on d.oid = l.database
        where not l.granted and d.datname = current_database()`
      const [waits] = await db.$client<[{ n: number }]>`
        select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
      return row.n + waits.n > 0
    })
    await tx.execute('set local lock_timeout = 300')
    await lockOpen(tx, message.messageId)
  })
  expect(await ending).toBe('cancelled')
})
