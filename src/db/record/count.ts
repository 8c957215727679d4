import { and, eq, sql, type SQL } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { lists, records } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import { matching, type Query } from './read.ts'
import type { ListOf } from './row.ts'
import { within } from './walk.ts'

/** `low` and `high` hold the true number in 99 of 100 cases. */
export type Count = { count: number; exact: true } | { count: number; exact: false; low: number; high: number }

/** How long an exact count may take, and the sample after it. */
export type CountPatience = { exactMs?: number; sampleMs?: number }

/** Of 1,024 parts. Records are chosen by a hash of their ids, so each has the same chance. */
const parts = 1024
const sampleSize = 20_000
const z99 = 2.576

/** Wilson's interval: nothing found in the sample does not mean that there is nothing. */
const estimate = (hits: number, seen: number, of: number): Count => {
  const [share, weight] = [hits / Math.max(1, seen), z99 ** 2 / Math.max(1, seen)]
  const centre = (share + weight / 2) / (1 + weight)
  const half = Math.sqrt(share * (1 - share) * weight + weight ** 2 / 4) / (1 + weight)
  const low = Math.max(hits, Math.floor((centre - half) * of))
  return { count: Math.round(share * of), exact: false, low, high: Math.min(of, Math.ceil((centre + half) * of)) }
}

const countAll = async (tx: Transaction, matches: SQL | undefined): Promise<number> => {
  const [found] = await tx
    .select({ count: sql<number>`count(*)::int` })
    .from(records)
    .where(matches)
  return found!.count
}

const countSome = async (
  tx: Transaction,
  list: { id: string; everybody: SQL | undefined },
  matches: SQL | undefined,
) => {
  const [kept] = await tx.select({ size: lists.recordCount }).from(lists).where(eq(lists.id, list.id))
  const size = kept?.size ?? 0
  const taken = Math.max(1, Math.min(parts / 2, Math.round((parts * sampleSize) / Math.max(1, size))))
  // The ids come from the index alone, and each chosen record is then read by its id.
  await tx.execute(sql`set local enable_seqscan = off`)
  const chosen = sql`records.id = any(array(select r.id from records r
    where r.list_id = ${list.id}::uuid and uuid_hash(r.id) & ${parts - 1}::int < ${taken}::int))`
  const [found] = await tx
    .select({ seen: sql<number>`count(*)::int`, hits: sql<number>`(count(*) filter (where ${matches}))::int` })
    .from(records)
    .where(and(chosen, list.everybody))
  const { seen, hits } = found!
  // While a run fills the list, its kept size lags behind.
  const expected = Math.round((seen * parts) / taken)
  return estimate(hits, seen, Math.abs(expected - size) > size / 20 ? expected : size)
}

/**
 * How many records of a list match: exactly, if that can be found out in time, else estimated from a sample. Errors: queryTimeout where not
 * even a sample can be read.
 */
export const count = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  list: ListOf,
  query: Pick<Query, 'filter' | 'clock'>,
  { exactMs = 650, sampleMs = 5000 }: CountPatience = {},
): Promise<Count> => {
  const matches = await matching(db, secrets, accountId, list, query)
  const everybody = await matching(db, secrets, accountId, list, { clock: query.clock })
  try {
    return { count: await within(db, exactMs, (tx) => countAll(tx, matches)), exact: true }
  } catch (error) {
    if (!(error instanceof FairleadError) || error.code !== 'queryTimeout') throw error
  }
  return within(db, sampleMs, (tx) => countSome(tx, { id: list.id, everybody }, matches))
}
