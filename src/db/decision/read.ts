import type { DecisionCandidate, DecisionKind } from '../../domain/decision.ts'
import type { CrmEntity } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { parseValues } from '../../domain/values.ts'
import type { Database } from '../database.ts'

type Values = ReturnType<typeof parseValues>
export type DecisionState = 'open' | 'decided' | 'closed'
/** Values by the names of the columns. */
export type Decision = {
  id: string
  kind: DecisionKind
  state: DecisionState
  list: { id: string; name: string }
  record: { id: string; values: Values }
  crmEntity: CrmEntity | null
  crmId: string | null
  candidates: (Pick<DecisionCandidate, 'entity' | 'id'> & { values: Values })[]
  createdAt: Date
  decidedAt: Date | null
  decidedBy: string | null
  chosenEntity: CrmEntity | null
  chosenId: string | null
  closedAt: Date | null
}

type Raw = Omit<Decision, 'list' | 'record' | 'candidates' | 'createdAt' | 'decidedAt' | 'closedAt'> & {
  // the driver gives instants as text
  createdAt: string
  decidedAt: string | null
  closedAt: string | null
  listId: string
  listName: string
  recordId: string
  fields: string
  candidates: string
}

const columns = (sql: Database['$client']) => sql`
  d.id::text, d.kind, case when d.decided_at is not null then 'decided' when d.closed_at is not null then 'closed' else 'open' end as state,
  l.id::text as "listId", l.name as "listName", r.id::text as "recordId", r.fields::text as fields, d.crm_entity as "crmEntity", d.crm_id as "crmId",
  d.candidates::text as candidates, d.created_at as "createdAt", d.decided_at as "decidedAt", d.decided_by::text as "decidedBy",
  d.chosen_entity as "chosenEntity", d.chosen_id as "chosenId", d.closed_at as "closedAt"`

const dateOrNull = (at: string | null): Date | null => (at === null ? null : new Date(at))

const labelsOf = async ({ $client: sql }: Database, listIds: string[]): Promise<Map<string, Map<string, string>>> => {
  const rows = await sql<{ listId: string; key: string; label: string }[]>`
    select list_id::text as "listId", key, coalesce(crm_field, name) as label from columns
    where list_id = any(string_to_array(${listIds.join('\n')}::text, E'\n')::uuid[]) order by position`
  const byList = new Map<string, Map<string, string>>()
  for (const { listId, key, label } of rows)
    byList.set(listId, (byList.get(listId) ?? new Map<string, string>()).set(key, label))
  return byList
}

const named = (labels: ReadonlyMap<string, string>, values: Values): Values =>
  Object.fromEntries(
    [...labels].flatMap(([key, label]) => (values[key] === undefined ? [] : ([[label, values[key]]] as const))),
  )

const withNames = async (db: Database, rows: Raw[]): Promise<Decision[]> => {
  const labels = await labelsOf(db, [...new Set(rows.map(({ listId }) => listId))])
  return rows.map(({ listId, listName, recordId, fields, candidates, createdAt, decidedAt, closedAt, ...rest }) => {
    const names = labels.get(listId) ?? new Map<string, string>()
    const people = parseValues(candidates) as unknown as (DecisionCandidate & { values: Values })[]
    return {
      ...rest,
      createdAt: new Date(createdAt),
      decidedAt: dateOrNull(decidedAt),
      closedAt: dateOrNull(closedAt),
      list: { id: listId, name: listName },
      record: { id: recordId, values: named(names, parseValues(fields)) },
      candidates: people.map(({ entity, id, values }) => ({ entity, id, values: named(names, values) })),
    }
  })
}

/** Questions newest first, before the id of the last one seen. Of open ones only those whose record is on its list. */
export const page = async (
  db: Database,
  accountId: string,
  {
    state,
    listId,
    limit,
    before,
  }: { state: 'open' | 'decided' | 'all'; listId?: string; limit: number; before?: string },
): Promise<Decision[]> => {
  const sql = db.$client
  const wanted = {
    open: sql`d.decided_at is null and d.closed_at is null and r.removed_at is null and l.removed_at is null`,
    decided: sql`d.decided_at is not null`,
    all: sql`true`,
  }
  const rows = await sql<Raw[]>`
    select ${columns(sql)} from decisions d join lists l on l.id = d.list_id join records r on r.id = d.record_id
    where d.account_id = ${accountId}::uuid and ${wanted[state]} and ${listId === undefined ? sql`true` : sql`d.list_id = ${listId}::uuid`}
      and ${before === undefined ? sql`true` : sql`d.id < ${before}::uuid`}
    order by d.id desc limit ${limit}`
  return withNames(db, rows)
}

/** Errors: notFound. */
export const get = async (db: Database, accountId: string, decisionId: string): Promise<Decision> => {
  const sql = db.$client
  const rows = await sql<Raw[]>`
    select ${columns(sql)} from decisions d join lists l on l.id = d.list_id join records r on r.id = d.record_id
    where d.account_id = ${accountId}::uuid and d.id = ${decisionId}::uuid`
  const [found] = await withNames(db, rows)
  if (found === undefined) throw new FairleadError('notFound')
  return found
}
