import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { isFixed } from '../../domain/counterpart.ts'
import { entityOf } from '../../domain/list.ts'
import { isMapped, leftOut } from '../../domain/standardField.ts'
import { all, liveFields, type Column } from '../column/read.ts'
import type { Database } from '../database.ts'
import { columns, lists } from '../schema.ts'

/** What a column of a list is in the CRM: `byName` has a standard field that is nothing there. */
export type MappedColumn = {
  list: { id: string; name: string }
  column: Column
  state: 'mapped' | 'byName' | 'unmapped' | 'addressNotMapped' | 'fieldTaken'
}

export type ColumnKey = { listId: string; position: number; id: string }

/** Columns of all lists but those that every list has, in the order of lists; each with the key to go on after it. */
export const pageColumns = async (
  db: Database,
  accountId: string,
  { limit, after }: { limit: number; after?: ColumnKey },
): Promise<{ row: MappedColumn; key: ColumnKey }[]> => {
  const rows = await db
    .select({ id: columns.id, position: columns.position, list: lists })
    .from(columns)
    .innerJoin(lists, eq(lists.id, columns.listId))
    .where(
      and(
        eq(columns.accountId, accountId),
        isNull(lists.removedAt),
        eq(columns.locked, false),
        eq(columns.system, false),
        after &&
          sql`(${columns.listId}, ${columns.position}, ${columns.id}) > (${after.listId}, ${after.position}, ${after.id})`,
      ),
    )
    .orderBy(asc(columns.listId), asc(columns.position), asc(columns.id))
    .limit(limit)
  const described = new Map<string, Map<string, Omit<MappedColumn, 'list'>>>()
  // those of the CRM are the same for all lists that belong to it
  const lives = new Map<string | null, Awaited<ReturnType<typeof liveFields>>>()
  for (const { list } of rows) {
    if (described.has(list.id)) continue
    const known = await all(db, accountId, list.id)
    const { connectionId } = list
    if (!lives.has(connectionId)) lives.set(connectionId, await liveFields(db, accountId, list))
    const live = lives.get(connectionId) ?? {}
    const left = new Map(leftOut(known, live, entityOf(list.kind)).map(({ key, code }) => [key, code]))
    const stateOf = (column: Column): MappedColumn['state'] =>
      left.get(column.key) ??
      (isMapped(column) || isFixed(column) ? 'mapped' : column.standard === null ? 'unmapped' : 'byName')
    described.set(list.id, new Map(known.map((column) => [column.id, { column, state: stateOf(column) }])))
  }
  return rows.flatMap(({ id, position, list }) => {
    const found = described.get(list.id)!.get(id)
    if (found === undefined) return []
    return [{ row: { list: { id: list.id, name: list.name }, ...found }, key: { listId: list.id, position, id } }]
  })
}
