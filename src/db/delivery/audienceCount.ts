import type { SkipReason } from '../../domain/delivery.ts'
import type { MessageAudience, MessageCounts } from '../../domain/message.ts'
import { compareSets, type Database } from '../database.ts'
import type { SecretBox } from '../secret.ts'
import { openAudience } from './audience.ts'

/** How long the audience may be counted, in milliseconds. */
const patienceMs = 30_000

/** Who would get a message now, and who not, and why (R34). Errors: audienceGone, segmentBroken, queryTimeout. */
export const countAudience = async (
  db: Database,
  secrets: SecretBox,
  accountId: string,
  audience: MessageAudience,
): Promise<MessageCounts> => {
  const audienceOf = await openAudience(db, secrets, accountId, audience)
  const rows = await compareSets(db, async (sql) => {
    await sql`select set_config('statement_timeout', ${String(patienceMs)}, true)`
    return sql<{ skip: SkipReason | null; count: number }[]>`
      select skip, count(*)::int as count from (${audienceOf(sql)}) a group by skip order by skip`
  })
  const skipped: MessageCounts['skipped'] = {}
  let toSend = 0
  for (const { skip, count } of rows) {
    if (skip === null) toSend = count
    else skipped[skip] = count
  }
  return { records: rows.reduce((sum, { count }) => sum + count, 0), toSend, skipped }
}
