import { and, asc, gt, lte, type SQL } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { records } from '../schema.ts'
import { crmState, live, selection, toRow, type ListOf, type RecordRow } from './row.ts'
import { endOfPiece, within } from './walk.ts'

type Options = {
  where?: SQL
  /** records that are looked at in one statement */
  size?: number
  /** lets a piece of work in when there is room */
  gate?: <T>(work: () => Promise<T>) => Promise<T>
}

const timeoutMs = 10_000

/** A download has no use for suppressions, and each would be looked up. */
const { suppressed: _suppressed, ...read } = selection

/**
 * All records of a list by id, a piece at a time: each piece is a short statement of its own, so a reader may take his time, and a filter that finds few
 * holds no connection for long. What changes meanwhile is seen as it is then; nobody comes twice. `where` narrows them.
 * Errors: queryTimeout.
 */
export async function* eachPiece(
  db: Database,
  accountId: string,
  list: ListOf,
  { where, size = 1000, gate = (work) => work() }: Options = {},
): AsyncGenerator<Omit<RecordRow, 'suppressed'>[]> {
  for (let after: string | undefined; ;) {
    const ahead = after === undefined ? undefined : gt(records.id, after)
    const piece = () =>
      within(db, timeoutMs, async (tx) => {
        const end = await endOfPiece(tx, list.id, { ahead, by: asc(records.id), size })
        const upTo = end && lte(records.id, end.id)
        const found = await tx
          .select({ ...read, crmState: crmState(list) })
          .from(records)
          .where(and(live(accountId, list.id), where, ahead, upTo))
          .orderBy(asc(records.id))
        return { end, found }
      })
    const { end, found } = await gate(piece)
    if (found.length > 0) yield found.map(toRow)
    if (end === undefined) return
    after = end.id
  }
}
