import { and, count, eq, isNull, sql } from 'drizzle-orm'
import { isDeepStrictEqual } from 'node:util'
import { FairleadError } from '../../domain/errors.ts'
import { readFilter } from '../../domain/filter.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import * as columns from '../column.ts'
import type { Database } from '../database.ts'
import { refuseTwins } from '../failure.ts'
import type { Transaction } from '../outbox.ts'
import { endOf } from '../schedule/end.ts'
import { segments, segmentVersions } from '../schema.ts'
import { get, type Segment } from './read.ts'
import { usesOf, type Use } from './uses.ts'

export const mostSegments = 1000

const keepVersion = async (tx: Transaction, segment: Segment, { apiKeyId }: audits.Actor): Promise<void> => {
  const { id: segmentId, accountId, version, name, definition } = segment
  await tx.insert(segmentVersions).values({ segmentId, accountId, version, name, definition, apiKeyId })
}

const refuseMore = async (tx: Transaction, listId: string): Promise<void> => {
  const [{ found } = { found: 0 }] = await tx
    .select({ found: count() })
    .from(segments)
    .where(and(eq(segments.listId, listId), isNull(segments.removedAt)))
  if (found < mostSegments) return
  const detail = `A list has at most ${mostSegments.toLocaleString('en')} segments.`
  throw new FairleadError('invalidInput', { detail, remedy: 'Remove segments that nobody needs.' })
}

/** A new segment; its filter is read against the columns that the list has at this moment. Errors: notFound, nameTaken, invalidInput. */
export const insert = (
  db: Database,
  accountId: string,
  listId: string,
  { name, filter }: { name: string; filter: unknown },
  actor: audits.Actor,
): Promise<Segment> =>
  refuseTwins(
    db.transaction(async (tx) => {
      await columns.lockList(tx, accountId, listId)
      const definition = readFilter(filter, await columns.all(tx, accountId, listId))
      await refuseMore(tx, listId)
      const [made] = await tx.insert(segments).values({ accountId, listId, name, definition }).returning()
      await keepVersion(tx, made!, actor)
      await audits.insert(tx, accountId, actor, { action: 'segment.create', targetId: made!.id, details: { listId } })
      return made!
    }),
  )

/** A segment whose list, columns and segments nobody else changes until the transaction ends. Errors: notFound. */
const lock = async (tx: Transaction, accountId: string, segmentId: string): Promise<Segment> => {
  const { listId } = await get(tx, accountId, segmentId)
  await columns.lockList(tx, accountId, listId)
  return get(tx, accountId, segmentId)
}

export type Changes = { version: number; name?: string; filter?: unknown }

/**
 * Renames a segment or gives it another filter, for the version that was read; what changes nothing makes no version.
 * Errors: notFound, conflict with the present version, nameTaken, invalidInput.
 */
export const update = (
  db: Database,
  accountId: string,
  segmentId: string,
  { version, name, filter }: Changes,
  actor: audits.Actor,
): Promise<Segment> =>
  refuseTwins(
    db.transaction(async (tx) => {
      const before = await lock(tx, accountId, segmentId)
      if (version !== before.version) {
        const detail = `The segment is at version ${before.version}; this was made from version ${version}.`
        throw new FairleadError('conflict', { detail, extra: { version: before.version } })
      }
      const known = await columns.all(tx, accountId, before.listId)
      const after = { name: name ?? before.name, definition: before.definition }
      if (filter !== undefined) after.definition = readFilter(filter, known)
      const changed = [
        ...(after.name === before.name ? [] : ['name']),
        ...(isDeepStrictEqual(after.definition, before.definition) ? [] : ['filter']),
      ]
      if (changed.length === 0) return before
      const [made] = await tx
        .update(segments)
        .set({ ...after, version: version + 1, updatedAt: sql`now()` })
        .where(eq(segments.id, segmentId))
        .returning()
      await keepVersion(tx, made!, actor)
      const details = { version: made!.version, changed }
      await audits.insert(tx, accountId, actor, { action: 'segment.update', targetId: segmentId, details })
      return made!
    }),
  )

/** The segment is seen no more, its schedule ends (R18); its versions stay. Answers what used it. Errors: notFound. */
export const remove = (db: Database, accountId: string, segmentId: string, actor: audits.Actor): Promise<Use[]> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    const segment = await lock(tx, accountId, segmentId)
    const uses = await usesOf(tx, segment)
    await tx
      .update(segments)
      .set({ removedAt: sql`now()` })
      .where(eq(segments.id, segmentId))
    await audits.insert(tx, accountId, actor, { action: 'segment.remove', targetId: segmentId })
    await endOf(tx, accountId, { segmentId }, actor)
    return uses
  })
