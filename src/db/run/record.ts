import type { CrmEntity, CrmPage } from '../../domain/crm.ts'
import type { EntryChanges, EntryKind } from '../../domain/run.ts'
import type { Sql } from '../database.ts'

export type EntryTarget = { accountId: string; listId: string; entity: CrmEntity }
export type NewEntry = {
  kind: EntryKind
  code: string | null
  crmId: string
  recordId?: string
  changes?: EntryChanges
  crm?: Record<string, unknown>
}

/** Writes a page's entries in one statement. */
export const insertEntries = async (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  entries: NewEntry[],
): Promise<void> => {
  if (entries.length === 0) return
  const rows = JSON.stringify(entries.map((each) => ({ ...each, crm_id: each.crmId, record_id: each.recordId })))
  await sql`
    insert into entries (account_id, list_id, first_run_id, last_run_id, phase, kind, code, record_id, crm_entity, crm_id, changes, crm)
    select ${target.accountId}::uuid, ${target.listId}::uuid, ${runId}::uuid, ${runId}::uuid, ${phase}, e.kind, e.code, e.record_id,
      ${target.entity}, e.crm_id, e.changes, e.crm
    from jsonb_to_recordset(${rows}::text::jsonb)
      as e (kind text, code text, record_id uuid, crm_id text, changes jsonb, crm jsonb)`
}

/**
 * Skips and rejections: one equal to the list's run before this one renews that entry (`times` + 1, kept from now on) instead of making another.
 * An entry that this run holds already is left alone, so a repeated step counts once. Answers how many are new to this run.
 */
export const renewEntries = async (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  entries: NewEntry[],
): Promise<number> => {
  if (entries.length === 0) return 0
  const rows = JSON.stringify(entries.map(({ kind, code, crmId, crm }) => ({ kind, code, crm_id: crmId, crm })))
  const [counted] = await sql<{ count: number }[]>`
    with given as (
      select * from jsonb_to_recordset(${rows}::text::jsonb) as e (kind text, code text, crm_id text, crm jsonb)),
    previous as (
      select id from runs where list_id = ${target.listId}::uuid and id < ${runId}::uuid order by id desc limit 1),
    present as (
      select g.crm_id, g.kind, g.code from given g join entries e on e.last_run_id = ${runId}::uuid and e.list_id = ${target.listId}::uuid
        and e.crm_entity = ${target.entity} and e.crm_id = g.crm_id and e.kind = g.kind and e.code = g.code),
    renewed as (
      update entries e set last_run_id = ${runId}::uuid, times = e.times + 1, crm = g.crm, at = now()
      from given g, previous p
      where e.last_run_id = p.id and e.list_id = ${target.listId}::uuid and e.crm_entity = ${target.entity}
        and e.crm_id = g.crm_id and e.kind = g.kind and e.code = g.code
      returning e.crm_id, e.kind, e.code),
    made as (
      insert into entries (account_id, list_id, first_run_id, last_run_id, phase, kind, code, crm_entity, crm_id, crm)
      select ${target.accountId}::uuid, ${target.listId}::uuid, ${runId}::uuid, ${runId}::uuid, ${phase}, g.kind, g.code, ${target.entity}, g.crm_id, g.crm
      from given g
      where not exists (select from present p where p.crm_id = g.crm_id and p.kind = g.kind and p.code = g.code)
        and not exists (select from renewed r where r.crm_id = g.crm_id and r.kind = g.kind and r.code = g.code)
      returning 1)
    select ((select count(*) from renewed) + (select count(*) from made))::int as count`
  return counted!.count
}

/** R21, R22: records that the CRM cannot deliver are rejected by id; the run goes on and ends incomplete. */
export const rejectUnreadable = (
  sql: Sql,
  target: EntryTarget,
  runId: string,
  phase: string,
  unreadable: CrmPage<unknown>['unreadable'],
): Promise<number> =>
  renewEntries(
    sql,
    target,
    runId,
    phase,
    unreadable.map(({ id, crm }) => ({ kind: 'rejected', code: 'crmFailed', crmId: id, crm })),
  )
