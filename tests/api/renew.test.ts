import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Sql } from '../../src/db/database.ts'
import { renewEntries } from '../../src/db/run/record.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addConnection, addList, addRun } from './rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi()
})
afterAll(() => api.close())

test('two lanes of a run that skip one person at the same moment count as many as they list', async () => {
  const { db, account } = api
  const connectionId = await addConnection(db, account.id)
  const listId = await addList(db, account.id, { connectionId })
  const target = { accountId: account.id, listId, entity: 'lead' as const }
  const skip = [{ kind: 'skipped' as const, code: 'notAdded', crmId: 'Q1' }]
  const renew = (sql: Sql, runId: string) => renewEntries(sql, target, runId, 'pull', skip)
  const before = await addRun(db, account.id, { listId, kind: 'sync' })
  expect(await renew(db.$client, before)).toBe(1)
  const runId = await addRun(db, account.id, { listId, kind: 'sync' })
  const counted = await db.$client.begin(async (tx) => {
    const first = await renew(tx as unknown as Sql, runId)
    const second = renew(db.$client, runId)
    for (let waiting = 0; waiting === 0; await sleep(5)) {
      const [row] = await tx<[{ count: number }]>`select count(*)::int as count from pg_locks where not granted`
      waiting = row.count
    }
    return { first, second: [second] as const }
  })
  const second = await counted.second[0]
  const [{ listed }] = await db.$client<[{ listed: number }]>`
    select count(*)::int as listed from entries where last_run_id = ${runId}`
  expect(counted.first + second).toBe(listed)
})
