import { setTimeout as sleep } from 'node:timers/promises'
import type { ErasureProof, ErasureSubject } from '../../domain/erasure.ts'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database, Sql } from '../database.ts'
import { hashKeyOf } from '../emailKey.ts'
import { failureCode } from '../failure.ts'
import type { SecretBox } from '../secret.ts'
import { fenceReaders, forgetRanges, markSwept } from './fence.ts'
import { lockErasures, personHexOf } from './known.ts'
import { cleanseDecisions, cleanseEntries, forgetPeople } from './ledger.ts'
import { emptySubmissions, eraseDeliveries, forgetTests, keepHashes } from './mail.ts'
import { eraseRecords } from './records.ts'
import { markOf } from './skip.ts'
import { findWhole, idOf, type Whole } from './subject.ts'
import { get, type Erasure } from './read.ts'
import type { KeyObject } from 'node:crypto'

const busy = new Set(['55P03', '40P01'])
const patienceMs = 30_000

/** Others lock in orders of their own: this gives way before Postgres calls it a deadlock, and begins anew. Errors: overloaded after half a minute. */
const givingWay = async <T>(db: Database, accountId: string, work: (sql: Sql) => Promise<T>): Promise<T> => {
  for (const end = Date.now() + patienceMs; ;) {
    try {
      return (await db.$client.begin(async (tx) => {
        const sql = tx as unknown as Sql
        await sql`set local lock_timeout = '15s'`
        await lockErasures(sql, accountId)
        await sql`set local lock_timeout = '700ms'`
        return work(sql)
      })) as T
    } catch (error) {
      if (!busy.has(failureCode(error) ?? '')) throw error
      if (Date.now() > end) throw new FairleadError('overloaded', { retryAfterMs: 10_000 })
      await sleep(20 + Math.random() * 200)
    }
  }
}

const storeHashes = async (sql: Sql, erasureId: string, whole: Whole, hashKey: KeyObject): Promise<number> => {
  const people = whole.people.map((each) => personHexOf(hashKey, entityOf(each), idOf(each)))
  const rows = [
    ...whole.emails.map((hash) => ({ hash, kind: 'email' })),
    ...people.map((hash) => ({ hash, kind: 'crm' })),
  ]
  await sql`
    insert into erased_people (account_id, hash, kind, erasure_id)
    select ${whole.accountId}::uuid, decode(h.hash, 'hex'), h.kind, ${erasureId}::uuid
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as h (hash text, kind text)
    on conflict (account_id, hash) do update set erasure_id = excluded.erasure_id`
  return rows.length
}

const entityOf = (person: string): CrmEntity => person.slice(0, person.indexOf(':')) as CrmEntity

/** Records first: whoever has one of them under way is waited for, and what it stored is seen by the rest. */
const eraseAll = async (sql: Sql, whole: Whole, hashKey: KeyObject): Promise<Omit<ErasureProof, 'hashes'>> => {
  const erased = await eraseRecords(sql, whole)
  const marks = whole.people.map((each) => markOf({ hashKey, entity: entityOf(each) }, idOf(each)))
  await markSwept(sql, whole.accountId, whole.people, hashKey)
  const submissions = await emptySubmissions(sql, whole)
  const sent = await eraseDeliveries(sql, whole)
  const kept = await keepHashes(sql, whole)
  await forgetTests(sql, whole, hashKey)
  const decisions = await cleanseDecisions(sql, whole)
  await forgetPeople(sql, whole)
  await forgetRanges(sql, whole)
  const entries = await cleanseEntries(sql, whole, marks)
  return { ...erased, ...sent, ...kept, submissions, decisions, entries, crmUntouched: true }
}

/**
 * R40: erases a person from everything of the account, in one transaction: it is done, or nothing is. Nobody who makes records is under way meanwhile,
 * and whoever reads the CRM looks anew afterwards. Errors: notFound for a record that is none, invalidInput for what is no address, overloaded.
 */
export const erase = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  { subject, reason }: { subject: ErasureSubject; reason: string | null },
  actor: audits.Actor,
): Promise<Erasure> => {
  const hashKey = await hashKeyOf(db, secrets, accountId)
  const erasureId = await givingWay(db, accountId, async (sql) => {
    await fenceReaders(sql, accountId)
    const whole = await findWhole(sql, accountId, subject, hashKey)
    const [made] = await sql<[{ id: string }]>`
      insert into erasures (account_id, api_key_id, reason, proof) values (${accountId}::uuid, ${actor.apiKeyId}, ${reason}, '{}') returning id::text`
    const proof = await eraseAll(sql, whole, hashKey)
    const hashes = await storeHashes(sql, made.id, whole, hashKey)
    await sql`update erasures set proof = ${JSON.stringify({ ...proof, hashes })}::text::jsonb where id = ${made.id}::uuid`
    await audits.insertIn(sql, accountId, actor, { action: 'erasure.create', targetId: made.id })
    return made.id
  })
  return get(db, accountId, erasureId)
}
