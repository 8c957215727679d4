import { and, eq } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { getEver } from '../form/read.ts'
import type { Transaction } from '../outbox.ts'
import { submissions } from '../schema.ts'
import { reopen } from './wake.ts'

type Again = { formId: string; ids?: string[]; code?: string }

const tryAgain = async (
  tx: Transaction,
  accountId: string,
  { formId, ids, code }: Again,
  actor: audits.Actor,
): Promise<number> => {
  const count = await reopen(
    tx,
    accountId,
    ids === undefined ? { formId, ...(code !== undefined && { code }) } : { ids },
  )
  if (count === 0) throw new FairleadError('notRetryable')
  const details = { count, ...(code !== undefined && { code }) }
  await audits.insert(tx, accountId, actor, { action: 'form.retry', targetId: formId, details })
  return count
}

/** A rejected submission is tried again. Errors: notFound, notRetryable. */
export const retry = (db: Database, accountId: string, submissionId: string, actor: audits.Actor): Promise<number> =>
  db.transaction(async (tx) => {
    const [found] = await tx
      .select({ formId: submissions.formId })
      .from(submissions)
      .where(and(eq(submissions.accountId, accountId), eq(submissions.id, submissionId)))
    if (found === undefined) throw new FairleadError('notFound')
    return tryAgain(tx, accountId, { formId: found.formId, ids: [submissionId] }, actor)
  })

/** All of a form that were rejected for one cause; answers how many. Errors: notFound, notRetryable. */
export const retryAll = (
  db: Database,
  accountId: string,
  { formId, code }: { formId: string; code: string },
  actor: audits.Actor,
): Promise<number> =>
  db.transaction(async (tx) => {
    await getEver(tx, accountId, formId)
    return tryAgain(tx, accountId, { formId, code }, actor)
  })
