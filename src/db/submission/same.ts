import { sql } from 'drizzle-orm'
import type { Answers } from '../../domain/form.ts'
import type { Database } from '../database.ts'

/** Whether a submission has just these answers: a page that was sent twice by one click. */
export const hasAnswers = async (
  db: Database,
  accountId: string,
  submissionId: string,
  answers: Answers,
): Promise<boolean> => {
  const [found] = await db.execute<{ same: boolean }>(sql`
    select answers = ${JSON.stringify(answers)}::text::jsonb as same
    from submissions where account_id = ${accountId} and id = ${submissionId}`)
  return found?.same ?? false
}
