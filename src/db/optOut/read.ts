import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { optOuts } from '../schema.ts'
import { wakePusher } from './wake.ts'

export type OptOut = Pick<
  typeof optOuts.$inferSelect,
  'id' | 'accountId' | 'connectionId' | 'doNotEmail' | 'state' | 'code' | 'crm' | 'results' | 'createdAt' | 'settledAt'
>

/**
 * What the CRM was told last because of each of these suppressions, by the id of the suppression: of a lifted one, what was said because of it; of one that
 * holds, also what another one of its address has said.
 */
export const ofSuppressions = async (
  db: Database | Transaction,
  accountId: string,
  ids: readonly string[],
): Promise<Map<string, OptOut>> => {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectDistinctOn([sql`s.id`], {
      of: sql<string>`s.id::text`,
      id: optOuts.id,
      accountId: optOuts.accountId,
      connectionId: optOuts.connectionId,
      doNotEmail: optOuts.doNotEmail,
      state: optOuts.state,
      code: optOuts.code,
      crm: optOuts.crm,
      results: optOuts.results,
      createdAt: optOuts.createdAt,
      settledAt: optOuts.settledAt,
    })
    .from(optOuts)
    .innerJoin(
      sql`suppressions s`,
      sql`s.account_id = ${optOuts.accountId} and s.email_key = ${optOuts.emailKey} and (${optOuts.suppressionId} = s.id
        or (s.lifted_at is null and s.source <> 'crm' and s.reason in ('unsubscribed', 'complained', 'optedOut') and ${optOuts.doNotEmail}))`,
    )
    .where(
      and(eq(optOuts.accountId, accountId), sql`s.id = any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`),
    )
    .orderBy(sql`s.id, (${optOuts.state} = 'superseded'), ${optOuts.id} desc`)
  return new Map(rows.map(({ of, ...row }) => [of, row]))
}

/** What the CRM has refused is tried again. Errors: notRetryable. */
export const retry = (db: Database, accountId: string, suppressionId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    const found = (await ofSuppressions(tx, accountId, [suppressionId])).get(suppressionId)
    if (found === undefined) throw new FairleadError('notRetryable')
    const again = await tx
      .update(optOuts)
      .set({ state: 'waiting', code: null, crm: null, tries: 0, dueAt: sql`now()`, settledAt: null })
      .where(and(eq(optOuts.id, found.id), eq(optOuts.state, 'rejected')))
      .returning({ connectionId: optOuts.connectionId })
    if (again.length === 0) throw new FairleadError('notRetryable')
    await audits.insert(tx, accountId, actor, { action: 'suppression.retry', targetId: suppressionId })
    await wakePusher(tx, { accountId, connectionId: again[0]!.connectionId })
  })
