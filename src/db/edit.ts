import type { EditChanges, EditKind } from '../domain/edit.ts'
import type { Sql } from './database.ts'

export type NewEdit = {
  recordId: string
  kind: EditKind
  changes?: EditChanges
  otherId?: string
  submissionId?: string
}

/** Whose records, and who changes them: a key, a run, or an operator, who is neither. */
type By = { accountId: string; listId: string; apiKeyId?: string | null; runId?: string }

/**
 * Writes down what happens to records, in one statement, however many, and in the transaction that does it: after the records are locked, so that ids
 * are in the order of what happened to each.
 */
export const insert = async (
  sql: Sql,
  { accountId, listId, apiKeyId, runId }: By,
  edits: readonly NewEdit[],
): Promise<void> => {
  if (edits.length === 0) return
  const rows = edits.map(({ recordId, kind, changes = {}, otherId, submissionId }, n) => ({
    n,
    record_id: recordId,
    kind,
    changes,
    other_id: otherId,
    submission_id: submissionId,
  }))
  await sql`
    insert into edits (account_id, list_id, record_id, kind, changes, other_id, api_key_id, run_id, submission_id)
    select ${accountId}::uuid, ${listId}::uuid, e.record_id, e.kind, e.changes, e.other_id, ${apiKeyId ?? null}::uuid, ${runId ?? null}::uuid,
      e.submission_id
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as e (n int, record_id uuid, kind text, changes jsonb, other_id uuid, submission_id uuid)
    order by e.n`
}
