import { and, eq, sql, type SQL } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import { getEver } from '../form/read.ts'
import * as outbox from '../outbox.ts'
import { submissions } from '../schema.ts'

/** As one that has just arrived; what was found out about the rejection goes. */
const received = {
  state: 'received' as const,
  code: null,
  detail: null,
  crm: null,
  warnings: [],
  tries: 0,
  dueAt: sql`now()`,
  settledAt: null,
}

const wake = async (tx: outbox.Transaction, accountId: string, push: boolean): Promise<void> => {
  const connectionId = push ? (await connections.findActive(tx, accountId))?.id : undefined
  const workflowId = `forms:${connectionId ?? accountId}`
  const input = { accountId, ...(connectionId === undefined ? {} : { connectionId }) }
  await outbox.insert(tx, { accountId, kind: 'wake', name: 'drainForms', workflowId, input })
}

type Again = {
  accountId: string
  formId: string
  where: SQL | undefined
  actor: audits.Actor
  details: { code: string | null }
}

const tryAgain = async (
  tx: outbox.Transaction,
  { accountId, formId, where, actor, details }: Again,
): Promise<number> => {
  const form = await getEver(tx, accountId, formId)
  const again = await tx
    .update(submissions)
    .set(received)
    .where(and(eq(submissions.formId, formId), eq(submissions.state, 'rejected'), where))
    .returning({ id: submissions.id })
  if (again.length === 0) throw new FairleadError('notRetryable')
  await wake(tx, accountId, form.definition.push)
  const action = { action: 'form.retry' as const, targetId: formId, details: { ...details, count: again.length } }
  await audits.insert(tx, accountId, actor, action)
  return again.length
}

/** A rejected submission is tried again, by the version that it was made with. Errors: notFound, notRetryable. */
export const retry = (db: Database, accountId: string, submissionId: string, actor: audits.Actor): Promise<void> =>
  db.transaction(async (tx) => {
    const [found] = await tx
      .select({ formId: submissions.formId })
      .from(submissions)
      .where(and(eq(submissions.accountId, accountId), eq(submissions.id, submissionId)))
    if (found === undefined) throw new FairleadError('notFound')
    const where = eq(submissions.id, submissionId)
    await tryAgain(tx, { accountId, formId: found.formId, where, actor, details: { code: null } })
  })

/** All of a form that were rejected for one cause; answers how many. Errors: notFound, notRetryable. */
export const retryAll = (
  db: Database,
  accountId: string,
  { formId, code }: { formId: string; code: string },
  actor: audits.Actor,
): Promise<number> =>
  db.transaction((tx) =>
    tryAgain(tx, { accountId, formId, where: eq(submissions.code, code), actor, details: { code } }),
  )
