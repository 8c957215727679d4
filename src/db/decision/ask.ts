import type { CrmEntity } from '../../domain/crm.ts'
import type { DecisionKind } from '../../domain/decision.ts'
import type { Candidate } from '../../domain/match.ts'
import type { Outcome } from '../../domain/push.ts'
import { encoderOf } from '../../domain/values.ts'
import type { Sql } from '../database.ts'
import type { SyncPlan } from '../sync/plan.ts'

type Question = {
  recordId: string
  kind: DecisionKind
  /** who is gone, for a successor */
  person?: { entity: CrmEntity; id: string }
  candidates: Candidate[]
}

const idsOf = (sql: Sql, ids: readonly string[]) => sql`any(string_to_array(${ids.join('\n')}::text, E'\n')::uuid[])`

/** As JSON text, so that decimals keep their digits. */
const encode = ({ of }: SyncPlan, { recordId, kind, person, candidates }: Question): string => {
  const people = candidates.map(
    ({ entity, person: { id, values } }) =>
      `{"entity":"${entity}","id":${JSON.stringify(id)},"values":${encoderOf(of[entity].plan)(values)}}`,
  )
  const rest = { record_id: recordId, kind, crm_entity: person?.entity ?? null, crm_id: person?.id ?? null }
  return `${JSON.stringify(rest).slice(0, -1)},"candidates":[${people.join()}]}`
}

/** Closes the questions of these records, answered or not: a run has settled them. */
export const close = async (sql: Sql, recordIds: readonly string[]): Promise<void> => {
  if (recordIds.length > 0)
    await sql`update decisions set closed_at = now() where record_id = ${idsOf(sql, recordIds)} and closed_at is null`
}

/**
 * R4, R16: puts questions to people, one for a record; one that is open already gets the candidates as they are now. An answer that a run could not go
 * by is closed.
 */
export const ask = async (sql: Sql, plan: SyncPlan, runId: string, questions: Question[]): Promise<void> => {
  if (questions.length === 0) return
  const ids = questions.map(({ recordId }) => recordId)
  await sql`
    update decisions set closed_at = now() where record_id = ${idsOf(sql, ids)} and closed_at is null and decided_at is not null`
  await sql`
    insert into decisions (account_id, list_id, record_id, kind, crm_entity, crm_id, candidates, run_id)
    select ${plan.accountId}::uuid, ${plan.listId}::uuid, q.record_id, q.kind, q.crm_entity, q.crm_id, q.candidates, ${runId}::uuid
    from jsonb_to_recordset(${`[${questions.map((each) => encode(plan, each)).join()}]`}::text::jsonb)
      as q (record_id uuid, kind text, crm_entity text, crm_id text, candidates jsonb)
    order by q.record_id
    on conflict (record_id) where decided_at is null and closed_at is null do update set kind = excluded.kind,
      crm_entity = excluded.crm_entity, crm_id = excluded.crm_id, candidates = excluded.candidates, run_id = excluded.run_id`
}

/** With the outcomes of a push: asks about those who may be several people, and closes what was settled. People who are gone are settled elsewhere. */
export const settle = async (sql: Sql, plan: SyncPlan, runId: string, outcomes: Outcome[]): Promise<void> => {
  const asked = outcomes.flatMap(({ record, candidates }): Question[] =>
    candidates === undefined ? [] : [{ recordId: record.id, kind: 'match', candidates }],
  )
  const settled = outcomes.filter(
    ({ kind, code, candidates, gone }) =>
      candidates === undefined &&
      gone === undefined &&
      kind !== 'delayed' &&
      kind !== 'rejected' &&
      code !== 'changedSince',
  )
  await close(
    sql,
    settled.map(({ record }) => record.id),
  )
  await ask(sql, plan, runId, asked)
}
