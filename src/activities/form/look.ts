import * as columnRows from '../../db/column.ts'
import type { Claimed } from '../../db/submission/claim.ts'
import { unanswered } from '../../db/sync/creation.ts'
import type { SyncPlan } from '../../db/sync/plan.ts'
import { syncRows } from '../../db/sync/rows.ts'
import type { CallOptions, Crm, CrmEntity, CrmFound } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { valuesOf } from '../../domain/form/values.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { Dependencies } from '../dependencies.ts'
import { union, type Item } from './write.ts'

type Of = { deps: Dependencies; crm: Crm; plan: SyncPlan; options: CallOptions }

/** Everybody whom the CRM has by these addresses, among contacts and leads, at once. */
const everybody = async ({ crm, plan, options }: Of, emails: string[]) => {
  // many wait for these
  const ahead = { ...options, priority: 'ahead' as const }
  const read = async (entity: CrmEntity) => crm.peopleByEmail(entity, plan.of[entity].fields, emails, ahead)
  const [contacts, leads] = emails.length === 0 ? [null, null] : await Promise.all([read('contact'), read('lead')])
  const by = (rows: CrmFound[] = []) => groupBy(rows, ({ values }) => normaliseEmail(values['Email']))
  const [contactsBy, leadsBy] = [by(contacts?.rows), by(leads?.rows)]
  return {
    of: (email: string) => [
      ...(contactsBy.get(email) ?? []).map((person) => ({ entity: 'contact' as const, person })),
      ...(leadsBy.get(email) ?? []).map((person) => ({ entity: 'lead' as const, person })),
    ],
    hidden: new Set([...(contacts?.hidden ?? []), ...(leads?.hidden ?? [])]),
  }
}

/** Who submissions of one version are in the CRM, in a handful of requests for all of them. */
export const look = async (of: Of, submissions: readonly Claimed[]): Promise<Item[]> => {
  const { deps, plan } = of
  const columns = await columnRows.all(deps.db, plan.accountId, plan.listId)
  const read = submissions.map((submission) => {
    const { values, warnings } = valuesOf(submission.definition, submission.answers, columns)
    // what was said of those who have been written to stays
    const said = submission.results.length > 0 ? union(submission.warnings, warnings) : warnings
    return {
      submission: { ...submission, warnings: said },
      values,
      email: normaliseEmail(values[emailKeyColumn]) ?? '',
    }
  })
  const people = await everybody(of, [...new Set(read.flatMap(({ email }) => (email === '' ? [] : [email])))])
  const recordIds = submissions.map(({ recordId }) => recordId)
  const [rows, sent] = await Promise.all([
    syncRows(deps.db.$client, plan, recordIds),
    unanswered(deps.db, plan.connectionId, recordIds),
  ])
  const resolvedAt = Date.now()
  return read.map(({ submission, values, email }) => ({
    question: { ...of, runId: submission.id },
    submission,
    row: rows.get(submission.recordId) ?? null,
    values,
    email,
    resolvedAt,
    found: people.of(email),
    hidden: people.hidden.has(email),
    unanswered: sent.has(submission.recordId),
  }))
}
