import * as columns from '../../db/column.ts'
import * as messages from '../../db/message.ts'
import type { Database } from '../../db/database.ts'
import { mergeText, placeholderKeys, type MessageAudience } from '../../domain/message.ts'

type Row = { listId: string | null; recordId: string | null }

/**
 * Reads what records say, by placeholder: every name that some list of the audience has, blank where the record’s own list has not. Lists are asked for their
 * columns once.
 */
export const createValues = (db: Database, accountId: string, audience: MessageAudience) => {
  const known = new Map<string, Map<string, string>>()
  const keysOf = async (listId: string): Promise<Map<string, string>> => {
    const found = known.get(listId) ?? placeholderKeys(await columns.all(db, accountId, listId))
    known.set(listId, found)
    return found
  }
  let blanks: Record<string, string> | undefined
  return async (rows: readonly Row[]): Promise<Map<string, Record<string, string>>> => {
    blanks ??= Object.fromEntries([...(await messages.placeholders(db, accountId, audience))].map((name) => [name, '']))
    const ids = rows.flatMap(({ recordId }) => recordId ?? []).join('\n')
    const fields = await db.$client<{ id: string; fields: Record<string, unknown> }[]>`
      select id::text, fields from records
      where account_id = ${accountId}::uuid and id = any(string_to_array(${ids}::text, E'\n')::uuid[])`
    const byId = new Map(fields.map(({ id, fields: of }) => [id, of]))
    const values = new Map<string, Record<string, string>>()
    for (const { listId, recordId } of rows) {
      const own = byId.get(recordId ?? '')
      if (own === undefined || listId === null || recordId === null) continue
      const named = [...(await keysOf(listId))].map(([name, key]) => [name, mergeText(own[key])] as const)
      values.set(recordId, { ...blanks, ...Object.fromEntries(named) })
    }
    return values
  }
}
