import { and, asc, count, desc, eq, getTableColumns, gt, lt, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { SubmissionState } from '../../domain/form.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { apiKeys, submissions } from '../schema.ts'

/** With the name of the key that sent it. */
export type Submission = typeof submissions.$inferSelect & { apiKeyName: string | null }

const select = (db: Database | Transaction) =>
  db
    .select({ ...getTableColumns(submissions), apiKeyName: apiKeys.name })
    .from(submissions)
    .leftJoin(apiKeys, eq(apiKeys.id, submissions.apiKeyId))
    .$dynamic()

/** Errors: notFound. */
export const get = async (db: Database | Transaction, accountId: string, submissionId: string): Promise<Submission> => {
  const [found] = await select(db).where(and(eq(submissions.accountId, accountId), eq(submissions.id, submissionId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

type Wanted = { limit: number; state?: SubmissionState | undefined; code?: string | undefined }

/** Newest first. */
export const page = (
  db: Database,
  formId: string,
  { limit, state, code, before }: Wanted & { before?: string | undefined },
): Promise<Submission[]> =>
  select(db)
    .where(
      and(
        eq(submissions.formId, formId),
        state === undefined ? undefined : eq(submissions.state, state),
        code === undefined ? undefined : eq(submissions.code, code),
        before === undefined ? undefined : lt(submissions.id, before),
      ),
    )
    .orderBy(desc(submissions.id))
    .limit(limit)

/** In the order of arrival. */
export const pageForward = (
  db: Database,
  formId: string,
  { limit, state, after }: Wanted & { after?: string | undefined },
): Promise<Submission[]> =>
  select(db)
    .where(
      and(
        eq(submissions.formId, formId),
        state === undefined ? undefined : eq(submissions.state, state),
        after === undefined ? undefined : gt(submissions.id, after),
      ),
    )
    .orderBy(asc(submissions.id))
    .limit(limit)

/** How many submissions of a form are in each state; states of none are missing. */
export const countStates = async (db: Database, formId: string): Promise<Partial<Record<SubmissionState, number>>> => {
  const rows = await db
    .select({ state: submissions.state, count: count() })
    .from(submissions)
    .where(eq(submissions.formId, formId))
    .groupBy(submissions.state)
  return Object.fromEntries(rows.map(({ state, count: found }) => [state, found]))
}

/** Names of all fields that the form ever had: those of the newest version in their order, then those of older ones. */
export const answerNames = async (db: Database, formId: string): Promise<string[]> => {
  const rows = await db.execute<{ name: string }>(sql`
    select name from (
      select distinct on (f.field ->> 'name') f.field ->> 'name' as name, v.version, f.place
      from form_versions v, jsonb_array_elements(v.definition -> 'fields') with ordinality f (field, place)
      where v.form_id = ${formId}
      order by f.field ->> 'name', v.version desc
    ) latest order by version desc, place`)
  return rows.map(({ name }) => name)
}
