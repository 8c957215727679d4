import type { CrmEntity } from '../../domain/crm.ts'
import type { EntryWarning } from '../../domain/run.ts'
import type { Database, Sql } from '../database.ts'
import type { Link } from './claim.ts'

/** What an attempt at a note came to. `creating`: the request went out and had no answer; it is looked for when that time has passed. */
export type Outcome = {
  id: string
  state: 'written' | 'skipped' | 'rejected' | 'waiting' | 'creating'
  code: string | null
  person?: Link
  noteId?: string | null
  crm?: Record<string, unknown>
  warnings?: EntryWarning[]
  tries: number
  /** of `waiting`: until it is tried again */
  afterMs?: number
}

export type Settling = { accountId: string; runId: string; claimId: string }

/** The one lane that counts a run's notes. */
export const ensureLane = async (
  sql: Sql,
  { accountId, runId }: Pick<Settling, 'accountId' | 'runId'>,
): Promise<void> => {
  await sql`
    insert into lanes (run_id, phase, lane, account_id) values (${runId}::uuid, 'notes', 0, ${accountId}::uuid) on conflict do nothing`
}

/** The run makes notes from now on. */
export const openLane = async (
  { $client: sql }: Database,
  { accountId, runId }: Pick<Settling, 'accountId' | 'runId'>,
): Promise<void> => {
  await ensureLane(sql, { accountId, runId })
  await sql`update runs set phase = 'notes' where id = ${runId}::uuid and phase = 'read'`
}

/**
 * Entries and counts of notes that were settled, from the rows of `settled`: each skip and rejection is listed, and what was written with a warning. The last
 * part of a statement.
 */
export const accounted = (sql: Sql, { accountId, runId }: Pick<Settling, 'accountId' | 'runId'>) => sql`
  listed as (
    insert into entries (account_id, first_run_id, last_run_id, phase, kind, code, record_id, crm_entity, crm_id, email_key, warnings, crm)
    select ${accountId}::uuid, ${runId}::uuid, ${runId}::uuid, 'notes', case s.state when 'written' then 'created' else s.state end, s.code, d.record_id,
      coalesce(s.crm_entity, d.crm_entity), coalesce(s.crm_id, d.crm_id), d.email_key, nullif(s.warnings, '[]'), s.crm
    from settled s join deliveries d on d.id = s.delivery_id
    where s.state in ('skipped', 'rejected') or (s.state = 'written' and s.warnings <> '[]'))
  update lanes set read = lanes.read + c.created + c.skipped + c.rejected, created = lanes.created + c.created, skipped = lanes.skipped + c.skipped,
    rejected = lanes.rejected + c.rejected
  from (select count(*) filter (where state = 'written')::int as created, count(*) filter (where state = 'skipped')::int as skipped,
    count(*) filter (where state = 'rejected')::int as rejected from settled) c
  where lanes.run_id = ${runId}::uuid and lanes.phase = 'notes' and lanes.lane = 0`

/** Stores what attempts came to, in one statement, with the run's counts and entries. What another attempt has taken up meanwhile is left to it. */
export const settle = async ({ $client: sql }: Database, of: Settling, outcomes: readonly Outcome[]): Promise<void> => {
  const rows = outcomes.map(({ person, warnings = [], afterMs = 0, noteId = null, ...outcome }) => ({
    ...outcome,
    warnings,
    note_id: noteId,
    after_ms: Math.round(afterMs),
    entity: (person?.entity ?? null) as CrmEntity | null,
    crm_id: person?.id ?? null,
  }))
  await sql`
    -- first of all, as everybody does: the entries need the account, and whoever has it may be waiting for the notes
    with account as materialized (select id from accounts where id = ${of.accountId}::uuid for key share),
    settled as (
      update notes n set state = u.state, code = u.code, crm = u.crm, warnings = u.warnings, tries = u.tries, note_id = u.note_id,
        crm_entity = coalesce(u.entity, n.crm_entity), crm_id = coalesce(u.crm_id, n.crm_id), claim_id = null, claim_until = null,
        sent_at = case when u.state = 'waiting' then null else n.sent_at end,
        due_at = case when u.state = 'waiting' then now() + make_interval(secs => u.after_ms / 1000.0) else n.due_at end,
        run_id = case when u.state in ('written', 'skipped', 'rejected') then ${of.runId}::uuid end,
        written_at = case when u.state = 'written' then now() end
      from account cross join jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as u (id uuid, state text, code text, crm jsonb, warnings jsonb,
        tries int, note_id text, after_ms int, entity text, crm_id text)
      where n.delivery_id = u.id and n.claim_id = ${of.claimId}::uuid and n.state in ('waiting', 'creating', 'held')
      returning n.*),
    ${accounted(sql, of)}`
}
