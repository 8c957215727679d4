import { sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { deliveries } from '../schema.ts'
import { count, list } from './count.ts'
import type { Job } from './job.ts'

/** Mails whose worker is gone, since its lease is over, so that nobody knows whether they were handed over. */
const lost = ({ messageId, runId }: Job) =>
  sql`message_id = ${messageId}::uuid and run_id = ${runId}::uuid and state = 'sending' and claim_until <= now()`

/** Decides about them by the policy of the message: `repeat`, the same mail again, or `leave`. */
export const settleLost = (db: Database, job: Job, policy = job.definition.unknownFate): Promise<number> =>
  db.transaction(async (tx) => {
    if (policy === 'repeat') {
      const again = await tx.execute(sql`
        update ${deliveries} set state = 'waiting', is_unsure = true, claim_id = null, claim_until = null, due_at = now(), tries = tries + 1
        where ${lost(job)}`)
      return again.count
    }
    const left = await tx.execute<{ id: string }>(sql`
      update ${deliveries} set state = 'unknown', code = 'fateUnknown', is_unsure = true, claim_until = null, tries = tries + 1
      where ${lost(job)} returning id::text`)
    const ids = left.map(({ id }) => id)
    if (ids.length === 0) return 0
    await list(tx, job.runId, ids)
    await count(tx, job.runId, { accepted: 0, rejected: ids.length, skipped: 0 })
    return ids.length
  })
