import { sql, type SQL } from 'drizzle-orm'
import { lock } from '../account.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { noteParked } from './alert.ts'

export type Chosen = { listId?: string; code?: string; detail?: string; recordIds?: string[] }

const those = (accountId: string, { listId, code, detail, recordIds }: Chosen): SQL => {
  const parts = [sql`account_id = ${accountId}::uuid`]
  if (listId !== undefined) parts.push(sql`list_id = ${listId}::uuid`)
  if (code !== undefined) parts.push(sql`code = ${code}`)
  if (detail !== undefined) parts.push(sql`detail = ${detail}`)
  if (recordIds !== undefined)
    parts.push(sql`record_id = any(string_to_array(${recordIds.join('\n')}::text, E'\n')::uuid[])`)
  return sql.join(parts, sql` and `)
}

/** By hand: parks them no more, and writes it down; the next run of their list tries them. Answers how many they were. */
export const releaseBy = (db: Database, accountId: string, chosen: Chosen, actor: audits.Actor): Promise<number> =>
  db.transaction(async (tx) => {
    // first of all, as everybody does who tells
    await lock(tx, accountId, 'key share')
    const gone = await tx.execute<{ list_id: string }>(
      sql`delete from parked_records where ${those(accountId, chosen)} returning list_id`,
    )
    for (const each of new Set([...gone].map((row) => row.list_id))) await noteParked(tx, accountId, each)
    const released = gone.length
    const { listId, code, recordIds } = chosen
    const details = { released, ...(code && { code }), ...(recordIds && { records: recordIds.length }) }
    const target = listId === undefined ? {} : { targetId: listId }
    if (released > 0) await audits.insert(tx, accountId, actor, { action: 'quarantine.release', ...target, details })
    return released
  })
