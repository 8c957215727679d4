import { and, asc, desc, eq, getTableColumns, gt, isNull, lt } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { namedColumns, showFilter, type Filter, type FilterProblem } from '../../domain/filter.ts'
import * as columns from '../column.ts'
import type { Database } from '../database.ts'
import * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import { lists as listRows, segments, segmentVersions } from '../schema.ts'

export type Segment = typeof segments.$inferSelect
export type Version = typeof segmentVersions.$inferSelect
/** How a definition reads now, and why it fits no more. */
export type Shown = { filter: Record<string, unknown>; problems: FilterProblem[] }

/** A segment that was not removed, of a list that was not removed. Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, segmentId: string): Promise<Segment> => {
  const [found] = await db
    .select(getTableColumns(segments))
    .from(segments)
    .innerJoin(listRows, eq(listRows.id, segments.listId))
    .where(
      and(
        eq(segments.accountId, accountId),
        eq(segments.id, segmentId),
        isNull(segments.removedAt),
        isNull(listRows.removedAt),
      ),
    )
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Also a removed one: its history stays. Errors: notFound. */
export const getEver = async (db: Database | Transaction, accountId: string, segmentId: string): Promise<Segment> => {
  const [found] = await db
    .select()
    .from(segments)
    .where(and(eq(segments.accountId, accountId), eq(segments.id, segmentId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Shows definitions of a list's segments by the names that its columns have now. */
export const createShower = async (
  db: Database | Transaction,
  accountId: string,
  listId: string,
): Promise<(definition: Filter) => Shown> => {
  const known = namedColumns(await columns.all(db, accountId, listId))
  const lost = await columns.lostNames(db, accountId, listId)
  return (definition) => showFilter(definition, known, lost)
}

/** A segment with its list and the list's columns, ready to find people. Errors: notFound, segmentBroken. */
export const open = async (db: Database | Transaction, accountId: string, segmentId: string) => {
  const segment = await get(db, accountId, segmentId)
  const list = await lists.get(db, accountId, segment.listId)
  const known = await columns.all(db, accountId, segment.listId)
  const { problems } = showFilter(
    segment.definition,
    namedColumns(known),
    await columns.lostNames(db, accountId, segment.listId),
  )
  const [first] = problems
  if (first === undefined) return { segment, list, known }
  throw new FairleadError('segmentBroken', {
    detail: `${first.path}: ${first.message}`,
    errors: problems.map(({ path, message }) => ({ path, message })),
    extra: { segment: { id: segment.id, name: segment.name } },
  })
}

/** The segments of a list in the order in which they were made. */
export const page = (
  db: Database,
  accountId: string,
  listId: string,
  { limit, after }: { limit: number; after?: string },
): Promise<Segment[]> =>
  db
    .select()
    .from(segments)
    .where(
      and(
        eq(segments.accountId, accountId),
        eq(segments.listId, listId),
        isNull(segments.removedAt),
        after === undefined ? undefined : gt(segments.id, after),
      ),
    )
    .orderBy(asc(segments.id))
    .limit(limit)

/** Every state that a segment was saved in, newest first; `before` is the last version seen. */
export const pageVersions = (
  db: Database,
  accountId: string,
  segmentId: string,
  { limit, before }: { limit: number; before?: number },
): Promise<Version[]> =>
  db
    .select()
    .from(segmentVersions)
    .where(
      and(
        eq(segmentVersions.accountId, accountId),
        eq(segmentVersions.segmentId, segmentId),
        before === undefined ? undefined : lt(segmentVersions.version, before),
      ),
    )
    .orderBy(desc(segmentVersions.version))
    .limit(limit)
