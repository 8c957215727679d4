import type { CrmEntity, CrmPage } from '../../domain/crm.ts'
import type { EntryChanges, EntryKind, EntryWarning } from '../../domain/run.ts'
import type { Sql } from '../database.ts'
import { keepLate } from '../sync/late.ts'

/** `previewId`: of a run that only records what it would do */
export type EntryTarget = { accountId: string; listId: string; entity: CrmEntity; previewId?: string | null }
export type NewEntry = {
  kind: EntryKind
  code: string | null
  /** null for a record that is not linked */
  crmId: string | null
  /** of the CRM person, where it is not the run's own */
  entity?: CrmEntity
  recordId?: string
  /** the hashed address of a person whom no record has, in hexadecimal; '' for none */
  email?: string
  changes?: EntryChanges
  warnings?: EntryWarning[]
  crm?: Record<string, unknown>
}

const rowsOf = (target: EntryTarget, entries: NewEntry[]): string =>
  JSON.stringify(
    entries.map(({ kind, code, crmId, entity, recordId, email, changes, warnings, crm }) => ({
      kind,
      code,
      crm_entity: crmId === null ? null : (entity ?? target.entity),
      crm_id: crmId,
      record_id: recordId,
      email: email === '' ? undefined : email,
      changes,
      warnings: warnings?.length === 0 ? undefined : warnings,
      crm,
    })),
  )

/**
 * What tells causes of one code apart: the CRM's own code and field, and the fields that a new lead lacks; '' for nothing. `row` names a row with
 * `crm` and `warnings`.
 */
export const causeDetail = (sql: Sql, row: string) => sql`
  concat_ws(' ', ${sql(row)}.crm->>'code', ${sql(row)}.crm->>'field', (
    select string_agg(w->>'field', ' ' order by w->>'field') from jsonb_array_elements(${sql(row)}.warnings) w where w->>'code' = 'requiredMissing'))`

/**
 * The given entries as rows; the record's hashed address goes along, so that a person's entries are found across lists. A record that only a preview
 * would make is none.
 */
const given = (sql: Sql, target: EntryTarget, entries: NewEntry[]) => sql`
  given as (
    select e.kind, e.code, e.crm_entity, e.crm_id, r.id as record_id, e.changes, e.warnings, e.crm,
      coalesce(r.email_key, decode(e.email, 'hex')) as email_key, coalesce(r.id::text, e.crm_entity || ':' || e.crm_id) as subject
    from jsonb_to_recordset(${rowsOf(target, entries)}::text::jsonb) as e (kind text, code text, crm_entity text, crm_id text, record_id uuid,
      email text, changes jsonb, warnings jsonb, crm jsonb) left join records r on r.id = e.record_id)`

const made = (sql: Sql, target: EntryTarget, runId: string, phase: string, times = sql`1`) => sql`
  insert into entries (account_id, list_id, first_run_id, last_run_id, times, phase, kind, code, record_id, crm_entity, crm_id, email_key, changes, warnings, crm)
  select ${target.accountId}::uuid, ${target.listId}::uuid, ${runId}::uuid, ${runId}::uuid, ${times}, ${phase}, g.kind, g.code, g.record_id, g.crm_entity,
    g.crm_id, g.email_key, g.changes, g.warnings, g.crm
  from given g`

/** Writes a page's entries in one statement. */
export const insertEntries = async (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  entries: NewEntry[],
): Promise<void> => {
  if (entries.length > 0) await sql`with ${given(sql, target, entries)} ${made(sql, target, runId, phase)}`
}

/**
 * Skips and rejections: one equal to the list's run before this one renews that entry (`times` + 1, kept from now on) instead of making another.
 * An entry that this run holds already is left alone, so a repeated step counts once. Answers how many are new to this run. Equal are those of one
 * cause. Where runs that did not push everything lie between, an entry of its own goes on counting (R23). A preview
 * and an undo renew none and are renewed by none.
 * Of two lanes that renew one entry at the same moment the second sees it as the first has left it, and lists the person for itself.
 */
export const renewEntries = async (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  entries: NewEntry[],
): Promise<number> => {
  if (entries.length === 0) return 0
  const [counted] = await sql<{ count: number }[]>`
    with ${given(sql, target, entries)},
    renewing as (select from runs where id = ${runId}::uuid and kind <> 'undo' and ${target.previewId ?? null}::uuid is null),
    previous as (
      select id from runs where exists (select from renewing) and list_id = ${target.listId}::uuid and id < ${runId}::uuid and kind not in ('upload', 'preview', 'undo')
      order by id desc limit 1),
    whole as (
      select id from runs where exists (select from renewing) and ${phase}::text = 'push' and list_id = ${target.listId}::uuid and id < ${runId}::uuid and kind = 'sync'
        and settings->'source' is null and state in ('succeeded', 'incomplete') and counts ? 'push' order by id desc limit 1),
    -- since the last one that pushed everything
    between_runs as (
      select r.id from runs r, whole w where r.list_id = ${target.listId}::uuid and r.id >= w.id and r.id < ${runId}::uuid and r.kind = 'sync'),
    runs_of as (select ${runId}::uuid as id union select id from previous union select id from between_runs),
    known as materialized (
      select e.id, e.last_run_id, e.kind, e.code, e.times, g.subject, ${causeDetail(sql, 'e')} = ${causeDetail(sql, 'g')} as same
      from given g join entries e on e.record_id = g.record_id and e.kind = g.kind and e.code = g.code
      where g.record_id is not null and e.list_id = ${target.listId}::uuid and (e.phase = 'push') = (${phase}::text = 'push')
        and e.last_run_id in (select id from runs_of)
      union all
      select e.id, e.last_run_id, e.kind, e.code, e.times, g.subject, ${causeDetail(sql, 'e')} = ${causeDetail(sql, 'g')}
      from given g join entries e on e.account_id = ${target.accountId}::uuid and e.crm_id = g.crm_id and e.crm_entity = g.crm_entity
        and e.kind = g.kind and e.code = g.code
      where g.record_id is null and e.record_id is null and e.list_id = ${target.listId}::uuid
        and (e.phase = 'push') = (${phase}::text = 'push') and e.last_run_id in (select id from runs_of)),
    present as (select g.subject, g.kind, g.code from given g join known k using (subject, kind, code) where k.last_run_id = ${runId}::uuid),
    renewed as (
      update entries e set last_run_id = ${runId}::uuid, phase = ${phase}, times = e.times + 1, crm = g.crm, warnings = g.warnings, at = now()
      from given g join known k using (subject, kind, code)
      where e.id = k.id and k.same and e.last_run_id = (select id from previous)
        and not exists (select from present p where p.subject = g.subject and p.kind = g.kind and p.code = g.code)
      returning g.subject, g.kind, g.code),
    made as (
      ${made(
        sql,
        target,
        runId,
        phase,
        sql`1 + coalesce((select max(k.times) from known k where k.subject = g.subject and k.kind = g.kind and k.code = g.code and k.same), 0)`,
      )}
      where not exists (select from present p where p.subject = g.subject and p.kind = g.kind and p.code = g.code)
        and not exists (select from renewed r where r.subject = g.subject and r.kind = g.kind and r.code = g.code)
      returning 1)
    select ((select count(*) from renewed) + (select count(*) from made))::int as count`
  return counted!.count
}

/** R21, R22: records that the CRM cannot deliver are rejected by id; the run goes on and ends incomplete, and the next sync asks for them by id. */
export const rejectUnreadable = async (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  unreadable: CrmPage<unknown>['unreadable'],
): Promise<number> => {
  const ids = unreadable.map(({ id }) => id)
  if (target.previewId == null) await keepLate(sql, target, target.entity, ids)
  return renewEntries(
    sql,
    target,
    runId,
    phase,
    unreadable.map(({ id, crm }) => ({ kind: 'rejected', code: 'crmFailed', crmId: id, crm })),
  )
}
