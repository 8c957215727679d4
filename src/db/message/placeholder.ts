import { and, asc, eq, inArray } from 'drizzle-orm'
import { groupBy } from '../../domain/groupBy.ts'
import { placeholderKeys, type MessageAudience } from '../../domain/message.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { columns, segments } from '../schema.ts'

/** Lists that the people of an audience are on. */
const listsOf = async (db: Database | Transaction, accountId: string, audience: MessageAudience): Promise<string[]> => {
  if (audience.segments.length === 0) return audience.lists
  const rows = await db
    .selectDistinct({ listId: segments.listId })
    .from(segments)
    .where(and(eq(segments.accountId, accountId), inArray(segments.id, audience.segments)))
  return [...new Set([...audience.lists, ...rows.map(({ listId }) => listId)])]
}

/** What a template of a message may ask for: the names of all columns that some list of the audience has. */
export const placeholders = async (
  db: Database | Transaction,
  accountId: string,
  audience: MessageAudience,
): Promise<ReadonlySet<string>> => {
  const listIds = await listsOf(db, accountId, audience)
  if (listIds.length === 0) return new Set()
  const rows = await db
    .select({ listId: columns.listId, key: columns.key, name: columns.name, crmField: columns.crmField })
    .from(columns)
    .where(and(eq(columns.accountId, accountId), inArray(columns.listId, listIds)))
    .orderBy(asc(columns.position), asc(columns.id))
  const byList = groupBy(rows, ({ listId }) => listId)
  return new Set([...byList.values()].flatMap((known) => [...placeholderKeys(known).keys()]))
}
