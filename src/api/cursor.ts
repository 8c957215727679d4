import type { z } from 'zod'
import { FairleadError } from '../domain/errors.ts'
import type { SecretBox } from '../db/secret.ts'

/**
 * A cursor is sealed: keys of a sort can be names of people, and cursors travel in URLs (R37). The scope, which names the account,
 * the collection, its filter and its sort, is bound in, so a cursor fits nothing else.
 */
export const writeCursor = (secrets: SecretBox, scope: readonly unknown[], key: unknown): string =>
  secrets.seal(JSON.stringify(key), contextOf(scope))

/** Errors: invalidCursor for one that was made up, altered, or given for something else. */
export const readCursor = <Key>(
  secrets: SecretBox,
  scope: readonly unknown[],
  cursor: string | undefined,
  key: z.ZodType<Key>,
): Key | undefined => {
  if (cursor === undefined) return undefined
  try {
    return key.parse(JSON.parse(secrets.open(cursor, contextOf(scope))))
  } catch {
    throw new FairleadError('invalidCursor')
  }
}

const contextOf = (scope: readonly unknown[]): string => `cursor:${JSON.stringify(scope)}`

/** Makes a page of `limit` items out of up to `limit + 1` rows. */
export const cutPage = <Row, Item>(
  rows: Row[],
  limit: number,
  toItem: (row: Row) => Item,
  toCursor: (last: Row) => string,
): { items: Item[]; nextCursor: string | null } => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { items: shown.map(toItem), nextCursor: rows.length > limit && last !== undefined ? toCursor(last) : null }
}
