import { and, asc, desc, eq, gt, gte, lt, lte, sql, type SQL } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import { failureCode } from '../failure.ts'
import type { Transaction } from '../outbox.ts'
import { records } from '../schema.ts'
import type { RecordKey } from './sort.ts'

const queryCanceled = '57014'

/** Lets no statement of the work take longer. Errors: queryTimeout. */
export const within = async <T>(db: Database, timeoutMs: number, work: (tx: Transaction) => Promise<T>): Promise<T> => {
  try {
    return await db.transaction(async (tx) => {
      await tx.execute(sql.raw(`set local statement_timeout = ${Math.round(timeoutMs)}`))
      return work(tx)
    })
  } catch (error) {
    if (failureCode(error) === queryCanceled) throw new FairleadError('queryTimeout')
    throw error
  }
}

/** The record that ends a piece of `size` records of a list, removed ones too; undefined where fewer are left. */
export const endOfPiece = async (
  tx: Transaction,
  listId: string,
  { ahead, by, size }: { ahead: SQL | undefined; by: SQL; size: number },
): Promise<{ id: string } | undefined> => {
  const [end] = await tx
    .select({ id: records.id })
    .from(records)
    .where(and(eq(records.listId, listId), ahead))
    .orderBy(by)
    .offset(size - 1)
    .limit(1)
  return end
}

/** Records in a piece: the first is small, since the page may be full at once; then as many as take about `pieceMs`. */
const firstPiece = 2000
const largestPiece = 100_000
const pieceMs = 200

/** What can be read in the time that is left: the last piece is not to end late. */
const nextSize = (size: number, tookMs: number, leftMs: number): number => {
  const fitting = size * Math.min(8, Math.min(pieceMs, leftMs) / Math.max(1, tookMs))
  return Math.min(largestPiece, Math.max(firstPiece, Math.round(fitting)))
}

const directions = {
  asc: { by: asc(records.id), beyond: gt, upTo: lte },
  desc: { by: desc(records.id), beyond: lt, upTo: gte },
}

export type Walk = {
  listId: string
  order: 'asc' | 'desc'
  after: RecordKey | undefined
  limit: number
  budgetMs: number
  timeoutMs: number
}
/** Finds what matches within bounds, by id, or in an order that is the same and is not that of an index. */
export type ReadPart<Row> = (
  tx: Database | Transaction,
  bounds: SQL | undefined,
  most: number,
  orderBy?: SQL[],
) => Promise<Row[]>

/** Shares of the budget: for the first pieces, where most filters have found a page; then for all that is left at once. */
const shares = { begin: 0.1, whole: 0.8 }

const isLate = (error: unknown): boolean => error instanceof FairleadError && error.code === 'queryTimeout'

/**
 * Reads a list by id in pieces until `limit` rows are found, the list ends, or the time is up; then `ranOut` is the last record that was looked
 * at. Where the first pieces hold little, all the rest is tried in one statement, which several processes can share; when that takes too long,
 * pieces go on. Errors: queryTimeout where not even one piece could be read.
 */
export const walk = async <Row>(
  db: Database,
  { listId, order, after, limit, budgetMs, timeoutMs }: Walk,
  read: ReadPart<Row>,
): Promise<{ rows: Row[]; ranOut: RecordKey | null }> => {
  const { by, beyond, upTo } = directions[order]
  const began = performance.now()
  const isBefore = (share: number): boolean => performance.now() - began < budgetMs * share
  const rows: Row[] = []
  let reached = after?.id
  let size = firstPiece
  const ahead = () => (reached === undefined ? undefined : beyond(records.id, reached))

  /** Whether that was the last piece. */
  const readPiece = async (tx: Transaction, share: number): Promise<boolean> => {
    const start = performance.now()
    const end = await endOfPiece(tx, listId, { ahead: ahead(), by, size })
    rows.push(...(await read(tx, and(ahead(), end && upTo(records.id, end.id)), limit - rows.length)))
    reached = end?.id ?? reached
    const now = performance.now()
    size = nextSize(size, now - start, budgetMs * share - (now - began))
    return rows.length >= limit || end === undefined
  }
  /** By the index that ends the pieces: for more than a few thousand records the planner would rather look through the whole table. */
  const byIndex = (tx: Transaction) =>
    tx.execute(sql`select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)`)
  const readPieces = async (tx: Transaction, share: number): Promise<boolean> => {
    while (isBefore(share)) if (await readPiece(tx, share)) return true
    return false
  }
  /** An order that no index has: the planner would rather follow an index through the whole list than let several processes look. */
  const readWhole = async (tx: Transaction): Promise<boolean> => {
    const byBytes = order === 'asc' ? sql`uuid_send(records.id)` : sql`uuid_send(records.id) desc`
    rows.push(...(await read(tx, ahead(), limit - rows.length, [byBytes])))
    return true
  }
  const attempt = async (work: (tx: Transaction) => Promise<boolean>, mostMs: number): Promise<boolean> => {
    try {
      return await within(db, mostMs, work)
    } catch (error) {
      if (!isLate(error) || reached === undefined || reached === after?.id) throw error
      return false
    }
  }

  const wholeMs = Math.min(timeoutMs, budgetMs * shares.whole)
  const isDone =
    (await attempt(async (tx) => {
      await byIndex(tx)
      return (await readPiece(tx, shares.begin)) || readPieces(tx, shares.begin)
    }, timeoutMs)) ||
    (wholeMs >= 1 && (await attempt(readWhole, wholeMs))) ||
    (await attempt(async (tx) => {
      await byIndex(tx)
      size = firstPiece
      return readPieces(tx, 1)
    }, timeoutMs))
  return { rows, ranOut: isDone || reached === undefined ? null : { id: reached, value: null } }
}
