import { afterAll, beforeAll, expect, test } from 'vitest'
import { suppressing, type Told } from '../src/db/optOut/fromCrm.ts'
import { openFairlead, type Fairlead } from './support/fairlead.ts'

let fairlead: Fairlead
beforeAll(async () => {
  fairlead = await openFairlead({ leads: 10_000, contacts: 0, maxPage: 1000 })
  await fairlead.connect()
}, 60_000)
afterAll(() => fairlead.close())

test('the planner knows a list as soon as its import has succeeded', async () => {
  const { db } = fairlead
  const known = async (): Promise<string[]> => {
    const [found] = await db.$client<[{ ids: string[] }?]>`
      select most_common_vals::text::text[] as ids from pg_stats where tablename = 'records' and attname = 'list_id'`
    return found?.ids ?? []
  }
  // which would learn of it by itself, or be in the way
  await db.$client`alter table records set (autovacuum_enabled = off)`
  expect(await known()).toEqual([])
  const run = await fairlead.finished(await fairlead.startImport('lead', ['Title']))
  expect(run).toMatchObject({ state: 'succeeded', counts: { pull: { created: 10_000 } } })
  expect(String(await known())).toContain(run.listId!)
})

test('R34: who wants no mail is looked up by address, also where the account is new to the planner', async () => {
  const { db, accountId } = fairlead
  const sql = db.$client
  const [other] = await sql<
    [{ id: string }]
  >`insert into accounts (name, hash_key) select 'Other', hash_key from accounts returning id`
  const add = (account: string, count: number, from: number) => sql`
    insert into suppressions (account_id, email_key, email, reason, source)
    select ${account}::uuid, sha256(n::text::bytea), n::text, 'optedOut', 'crm' from generate_series(${from}::int, ${from + count - 1}::int) n`
  await add(accountId, 20_000, 0)
  await sql`analyze suppressions`
  await add(other.id, 10_000, 20_000)
  const [key] = await sql<[{ key: string }]>`select encode(sha256('29000'::bytea), 'hex') as key`
  const told: Told[] = [{ key: key.key, email: '29000', id: 'Q1', field: 'DoNotSolicit' }]
  const query = suppressing(sql, { accountId: other.id, entity: 'lead' }, 'r', told)
  expect((await query).count, 'it is known already').toBe(0)
  const [found] =
    await sql`explain (analyze, buffers, format json) ${suppressing(sql, { accountId: other.id, entity: 'lead' }, 'r', told)}`
  const { Plan: plan } = found!['QUERY PLAN'][0]
  expect(plan['Shared Hit Blocks'] + plan['Shared Read Blocks']).toBeLessThan(20)
  expect(JSON.stringify(plan)).not.toContain('suppressions_account')
})
