import { afterAll, beforeAll, expect, test } from 'vitest'
import { countAudience } from '../../src/db/delivery/audienceCount.ts'
import { openAudience } from '../../src/db/delivery/audience.ts'
import { compareSets } from '../../src/db/database.ts'
import { emailKeyOf, hashKeyOf } from '../../src/db/emailKey.ts'
import * as t from '../../src/db/schema.ts'
import type { MessageAudience } from '../../src/domain/message.ts'
import { openApi, type TestApi } from '../support/api.ts'
import { addList, addRecords } from '../api/rows.ts'

let api: TestApi
beforeAll(async () => {
  api = await openApi({ waitMs: 0 })
})
afterAll(() => api.close())

let lists = 0
const listOf = async (
  entity: 'lead' | 'contact' | 'plain',
  people: (Record<string, unknown> & { id?: string })[],
): Promise<string> => {
  const { db, secrets, account } = api
  const listId = await addList(db, account.id, {
    entity: entity === 'contact' ? 'contact' : 'lead',
    name: `L${(lists += 1)}`,
  })
  const rows = people.map(({ id, ...fields }) => ({
    fields,
    ...(id === undefined || entity === 'plain' ? {} : { crmEntity: entity, crmId: id }),
  }))
  await addRecords(db, secrets, account.id, listId, rows)
  return listId
}
const keyOf = async (email: string) => emailKeyOf(await hashKeyOf(api.db, api.secrets, api.account.id), email)!
const segmentOf = async (listId: string, first: string): Promise<string> => {
  const made = await api.call('POST', `/v1/lists/${listId}/segments`, {
    body: { name: `S${first}`, filter: { column: 'firstName', operator: 'is', value: first } },
  })
  expect(made.status).toBe(201)
  return made.body.id
}
const audience = (more: Partial<MessageAudience>): MessageAudience => ({
  lists: [],
  segments: [],
  withoutLists: [],
  withoutSegments: [],
  ...more,
})
/** Address, in small letters, and entity of who is mailed; others by reason. */
const judge = async (more: Partial<MessageAudience>) => {
  const open = await openAudience(api.db, api.secrets, api.account.id, audience(more))
  const rows = await compareSets(
    api.db,
    async (sql) => sql<{ email: string; skip: string | null; crm_entity: string | null }[]>`
      select email, skip, crm_entity from (${open(sql)}) a order by lower(email), skip nulls first`,
  )
  return rows.map(({ email, skip, crm_entity: entity }) => `${email} ${skip ?? entity ?? 'plain'}`)
}

test('R31: of the records with an address one is mailed: a contact before a lead before others', async () => {
  const leads = await listOf('lead', [
    { c1: 'x@a.example', id: 'L1' },
    { c1: 'y@a.example', id: 'L2' },
    { c1: 'y@a.example', id: 'L3' },
  ])
  const contacts = await listOf('contact', [{ c1: 'X@a.example', id: 'C1' }])
  const plain = await listOf('plain', [{ c1: 'x@a.example' }, { c1: 'z@a.example' }])
  expect(await judge({ lists: [plain, leads, contacts] })).toEqual([
    'X@a.example contact',
    'x@a.example duplicateAddress',
    'x@a.example duplicateAddress',
    'y@a.example lead',
    'y@a.example duplicateAddress',
    'z@a.example plain',
  ])
})

test('G1: lists and segments less lists and segments, by record and by address, each record once', async () => {
  const all = await listOf('lead', [
    { c1: 'a@b.example', c2: 'Ann' },
    { c1: 'b@b.example', c2: 'Bob' },
    { c1: 'c@b.example', c2: 'Cy' },
    { c1: null, c2: 'Cy' },
    { c1: 'd@b.example', c2: 'Dee' },
  ])
  const other = await listOf('plain', [{ c1: 'B@B.example' }])
  const [ann, cy] = [await segmentOf(all, 'Ann'), await segmentOf(all, 'Cy')]
  expect(await judge({ lists: [all], segments: [ann] })).toHaveLength(5)
  expect(await judge({ segments: [ann, cy] })).toEqual(['a@b.example plain', 'c@b.example plain', 'null noEmail'])
  expect(await judge({ lists: [all], withoutLists: [other], withoutSegments: [cy] })).toEqual([
    'a@b.example plain',
    'd@b.example plain',
  ])
})

test('R34, R40: suppressed, opted-out and erased addresses are not mailed, wherever they stand', async () => {
  const { db, account } = api
  const listId = await listOf(
    'plain',
    ['s', 'l', 'o', 'p', 'e', 'ok'].map((name) => ({ c1: `${name}@c.example` })),
  )
  await listOf('contact', [
    { c1: 'O@c.example', c6: true, id: 'C9' },
    { c1: 'p@c.example', c7: 'T', id: 'C8' },
  ])
  const suppress = async (name: string, liftedAt: Date | null) =>
    db.insert(t.suppressions).values({
      accountId: account.id,
      email: `${name}@c.example`,
      emailKey: await keyOf(`${name}@c.example`),
      reason: 'manual',
      source: 'api',
      liftedAt,
    })
  await suppress('s', null)
  await suppress('l', new Date())
  await db.$client`
    with made as (insert into erasures (account_id, proof) values (${account.id}, '{}') returning id)
    insert into erased_people (account_id, hash, kind, erasure_id) select ${account.id}, ${await keyOf('e@c.example')}, 'email', id from made`
  expect(await judge({ lists: [listId] })).toEqual([
    'e@c.example erased',
    'l@c.example plain',
    'o@c.example optedOut',
    'ok@c.example plain',
    'p@c.example optedOut',
    's@c.example suppressed',
  ])
  const counts = await countAudience(db, api.secrets, account.id, audience({ lists: [listId] }))
  expect(counts).toEqual({ records: 6, toSend: 2, skipped: { erased: 1, optedOut: 2, suppressed: 1 } })
})

test('what no mail server takes is an invalid address', async () => {
  const listId = await listOf(
    'plain',
    ['a b@d.example', '@d.example', 'x@', 'two@@d.example', '<ok@d.example>', 'ok@d.example'].map((c1) => ({ c1 })),
  )
  const counts = await countAudience(api.db, api.secrets, api.account.id, audience({ lists: [listId] }))
  expect(counts).toEqual({ records: 6, toSend: 1, skipped: { invalidEmail: 5 } })
})

test('removed records, other accounts’ lists and removed lists are no audience', async () => {
  const { db, account, stranger } = api
  const listId = await listOf('plain', [{ c1: 'a@e.example' }, { c1: 'b@e.example' }])
  await db.$client`update records set removed_at = now() where list_id = ${listId} and fields ->> 'c1' = 'b@e.example'`
  expect(await judge({ lists: [listId] })).toEqual(['a@e.example plain'])
  await expect(openAudience(db, api.secrets, stranger.id, audience({ lists: [listId] }))).rejects.toMatchObject({
    code: 'audienceGone',
  })
  await api.call('DELETE', `/v1/lists/${listId}`)
  await expect(openAudience(db, api.secrets, account.id, audience({ lists: [listId] }))).rejects.toMatchObject({
    code: 'audienceGone',
  })
})

test('a segment that is removed names the messages that were to use it', async () => {
  const listId = await listOf('plain', [{ c1: 'a@f.example', c2: 'Fay' }])
  const segmentId = await segmentOf(listId, 'Fay')
  const from = { email: 'news@example.com' }
  const body = { name: 'To Fay', subject: 'Hi', from, audience: { lists: [listId], withoutSegments: [segmentId] } }
  const made = await api.call('POST', '/v1/messages', { body })
  const removed = await api.call('DELETE', `/v1/segments/${segmentId}`)
  expect(removed.body.usedBy).toEqual([{ kind: 'message', id: made.body.id, name: 'To Fay' }])
})
