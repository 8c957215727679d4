import type { CrmEntity, CrmPerson, CrmValue } from '../../domain/crm.ts'
import { normaliseEmail } from '../../domain/email.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import type { EntryChanges } from '../../domain/run.ts'
import type { AgreedValues } from '../../domain/sync.ts'
import { readValues } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import { prepare } from '../import/page.ts'
import type { NewEntry } from '../run/record.ts'
import { targetFor, type SyncPlan } from './plan.ts'
import { encodeAgreed, encodeFields, type SyncRow } from './rows.ts'

/** What a preview would make of a record as it sees it; what is left out stays. */
export type Foreseen = {
  row: SyncRow
  patch?: Record<string, CrmValue>
  agreed?: AgreedValues
  link?: { entity: CrmEntity; id: string }
  state?: SyncRow['state']
  removed?: boolean
  /** field name → value that would be in the CRM */
  written?: Record<string, CrmValue>
}

/** The lanes of one preview store in turn, so that each sees what the others would have done. */
export const lockPreview = async (sql: Sql, previewId: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended('preview:' || ${previewId}::text, 0))`
}

/** Writes down what would be written, each record once. */
export const foresee = async (sql: Sql, plan: SyncPlan, all: readonly Foreseen[]): Promise<void> => {
  if (all.length === 0) return
  const lines = (pick: (foreseen: Foreseen) => string | null): string => all.map((each) => pick(each) ?? '').join('\n')
  await sql`
    insert into previewed_records (run_id, record_id, account_id, fields, agreed, crm_entity, crm_id, state, removed, written)
    select ${plan.previewId}::uuid, u.id, ${plan.accountId}::uuid, u.patch::jsonb, u.agreed::jsonb, nullif(u.entity, ''), nullif(u.crm_id, ''),
      nullif(u.state, ''), u.removed, u.written::jsonb
    from unnest(string_to_array(${lines(({ row }) => row.id)}::text, E'\n')::uuid[],
      string_to_array(${lines(({ patch = {} }) => encodeFields(patch))}::text, E'\n'),
      string_to_array(${lines(({ row, agreed = row.agreed }) => encodeAgreed(agreed))}::text, E'\n'),
      string_to_array(${lines(({ row, link }) => link?.entity ?? row.entity)}::text, E'\n'),
      string_to_array(${lines(({ row, link }) => link?.id ?? row.crmId)}::text, E'\n'),
      string_to_array(${lines(({ row, state = row.state }) => state)}::text, E'\n'),
      string_to_array(${lines(({ row, removed = row.removed }) => String(removed))}::text, E'\n')::boolean[],
      string_to_array(${lines(({ written = {} }) => encodeFields(written))}::text, E'\n'))
      as u (id, patch, agreed, entity, crm_id, state, removed, written)
    on conflict (run_id, record_id) do update set fields = previewed_records.fields || excluded.fields, agreed = excluded.agreed,
      version = previewed_records.version + 1, crm_entity = excluded.crm_entity, crm_id = excluded.crm_id, state = excluded.state,
      removed = excluded.removed, written = previewed_records.written || excluded.written`
}

/** People who would come onto the list. */
export const foreseeNew = async (sql: Sql, plan: SyncPlan, entity: CrmEntity, people: CrmPerson[]): Promise<void> => {
  const { ids, fields } = prepare(targetFor(plan, entity), people)
  await sql`
    insert into previewed_records (run_id, record_id, account_id, fields, agreed, crm_entity, crm_id)
    select ${plan.previewId}::uuid, uuidv7(), ${plan.accountId}::uuid, u.fields::jsonb, '{}', ${entity}, u.id
    from unnest(string_to_array(${ids}::text, E'\n'), string_to_array(${fields}::text, E'\n')) as u (id, fields)`
}

/** The entry of a person who would come onto the list: with every value, since no record has them. */
export const entryOfNew = (plan: SyncPlan, entity: CrmEntity, { id, values }: CrmPerson): NewEntry => {
  const changes: EntryChanges = {}
  for (const [name, key] of plan.of[entity].plan) if (values[name] !== undefined) changes[key] = { after: values[name] }
  return { kind: 'created', code: null, crmId: id, entity, changes, email: emailHexOf(plan.hashKey, values['Email']) }
}

const newPrefix = 'new:'
/** The id by which a preview knows a lead that it would create for a record. */
export const newLeadId = (recordId: string): string => newPrefix + recordId
export const isNewLead = (crmId: string | null | undefined): boolean => crmId?.startsWith(newPrefix) ?? false

type Written = { crmId: string; values: Record<string, CrmValue> }
type RawWritten = { crmId: string; written: string }
const toWritten = ({ crmId, written }: RawWritten): Written => ({ crmId, values: readValues(written) })

/** What a preview would have written to these people by now. */
export const writtenTo = async (
  { $client: sql }: Database,
  plan: SyncPlan,
  entity: CrmEntity,
  crmIds: readonly string[],
): Promise<Map<string, Written['values']>> => {
  const rows = await sql<RawWritten[]>`
    select crm_id as "crmId", written::text as written from previewed_records
    where run_id = ${plan.previewId}::uuid and crm_entity = ${entity} and written <> '{}'
      and crm_id = any(string_to_array(${crmIds.join('\n')}::text, E'\n'))`
  return new Map(rows.map(toWritten).map(({ crmId, values }) => [crmId, values]))
}

/** People of the CRM to whom a preview would have given one of these addresses by now. */
export const movedTo = async (
  { $client: sql }: Database,
  { previewId, of }: SyncPlan,
  entity: CrmEntity,
  emails: readonly string[],
): Promise<string[]> => {
  if (!of[entity].columns.some(({ key, pushed }) => pushed && key === emailKeyColumn)) return []
  const wanted = new Set(emails)
  const folded = (text: ReturnType<Sql>) => sql`casefold(normalize(btrim(${text})) collate pg_unicode_fast)`
  const rows = await sql<{ crmId: string; email: string | null }[]>`
    select crm_id as "crmId", written->>'Email' as email from previewed_records
    where run_id = ${previewId}::uuid and crm_entity = ${entity} and written ? 'Email' and crm_id not like ${`${newPrefix}%`}
      and ${folded(sql`written->>'Email'`)} in (select ${folded(sql`x`)} from unnest(string_to_array(${emails.join('\n')}::text, E'\n')) as u (x))`
  return rows.flatMap(({ crmId, email }) => (wanted.has(normaliseEmail(email) ?? '') ? [crmId] : []))
}

/** Leads that a preview would have created with these addresses by now. */
export const newLeadsOf = async (
  { $client: sql }: Database,
  plan: SyncPlan,
  emails: readonly string[],
): Promise<Written[]> => {
  const keys = emails.map((email) => emailHexOf(plan.hashKey, email)).join('\n')
  const rows = await sql<RawWritten[]>`
    select v.crm_id as "crmId", v.written::text as written
    from entries e join previewed_records v on v.run_id = e.last_run_id and v.record_id = e.record_id
    where e.account_id = ${plan.accountId}::uuid and e.last_run_id = ${plan.previewId}::uuid and e.phase = 'push' and e.kind = 'created'
      and e.email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${keys}::text, E'\n')) as u (x)))`
  return rows.map(toWritten)
}
