import type { FormDefinition } from '../../domain/form/definition.ts'
import type { Answers, SubmissionResult } from '../../domain/form/submission.ts'
import type { EntryWarning } from '../../domain/run.ts'
import { sql as drizzleSql } from 'drizzle-orm'
import type { Database, Sql } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { submissions } from '../schema.ts'

/** A submission that somebody works on. */
export type Claimed = {
  id: string
  formId: string
  listId: string
  recordId: string
  /** by which the fields are read */
  version: number
  /** by whose policy and defaults it is pushed */
  pushVersion: number
  definition: FormDefinition
  push: Pick<FormDefinition, 'policy' | 'newLeadDefaults'>
  /** R30: later ones of its address are in the CRM already, and what they said stays */
  isLate: boolean
  answers: Answers
  tries: number
  warnings: EntryWarning[]
  /** of an earlier attempt */
  results: SubmissionResult[]
}

const open = (sql: Sql, alias: string) => sql`${sql(alias)}.state in ('received', 'pushing', 'waiting', 'held')`

/**
 * Claims the oldest open submission of each address that is due (R30): a later one of the same address waits until it is settled. One that was opened again
 * waits for a later one that is under way. `leaseMs`: taken up by
 * others after so long, unless the lease is renewed. `held`: also those that wait for the connection.
 */
export const claim = async (
  db: Database,
  accountId: string,
  claimId: string,
  { limit, leaseMs }: { limit: number; leaseMs: number },
): Promise<Claimed[]> => {
  const sql = db.$client
  const rows = await sql<Claimed[]>`
    with due as materialized (
      select s.id from submissions s
      where s.account_id = ${accountId}::uuid and ${open(sql, 's')} and s.record_id is not null and s.due_at <= now()
        and not exists (select from submissions e where e.account_id = s.account_id and e.email_key = s.email_key and e.id < s.id and ${open(sql, 'e')})
        and not exists (select from submissions e where e.account_id = s.account_id and e.email_key = s.email_key and e.id > s.id
          and e.state = 'pushing' and e.due_at > now())
      order by s.id limit ${limit} for update of s skip locked),
    mine as (
      update submissions s set state = 'pushing', claim_id = ${claimId}::uuid, due_at = now() + make_interval(secs => ${leaseMs / 1000})
      from due where s.id = due.id returning s.*)
    select m.id::text, m.form_id::text as "formId", f.list_id::text as "listId", coalesce(r.merged_into, m.record_id)::text as "recordId", m.version,
      p.version as "pushVersion", v.definition, p.definition as push, m.answers, m.tries, m.warnings, m.results,
      m.push_version is not null and exists (
        select from submissions n where n.account_id = m.account_id and n.email_key = m.email_key and n.id > m.id and n.results <> '[]') as "isLate"
    from mine m join forms f on f.id = m.form_id left join records r on r.id = m.record_id and r.removed_at is not null
      join form_versions v on v.form_id = m.form_id and v.version = m.version
      join form_versions p on p.form_id = m.form_id and p.version = coalesce(m.push_version, m.version)
    order by m.id`
  return rows.map((row) => {
    const isLate = row.isLate && row.push.policy === 'overwrite'
    return { ...row, isLate, push: isLate ? { ...row.push, policy: 'blanksOnly' } : row.push }
  })
}

/** Keeps what an attempt works on its own for so long. */
export const renew = async (db: Database, accountId: string, claimId: string, leaseMs: number): Promise<void> => {
  await db.$client`
    update submissions set due_at = now() + make_interval(secs => ${leaseMs / 1000})
    where account_id = ${accountId}::uuid and state = 'pushing' and claim_id = ${claimId}::uuid`
}

export type Why = { code: string; crm?: Record<string, unknown> }

/** C3: another CRM took the place of the one that they waited for; whether they go there is for a person to say. */
export const keepBack = async (tx: Transaction, accountId: string): Promise<void> => {
  await tx.execute(drizzleSql`
    update ${submissions} set state = 'rejected', code = 'otherCrm', crm = null, claim_id = null, settled_at = now()
    where account_id = ${accountId}::uuid and state in ('received', 'pushing', 'waiting', 'held') and record_id is not null`)
}

/** Everything open of an account waits for its connection. */
export const hold = async (db: Database, accountId: string, { code, crm }: Why): Promise<number> => {
  const held = await db.$client`
    update submissions set state = 'held', code = ${code}, crm = ${crm === undefined ? null : JSON.stringify(crm)}::text::jsonb, claim_id = null, due_at = now()
    where account_id = ${accountId}::uuid and ${open(db.$client, 'submissions')} and record_id is not null
      and (state, code) is distinct from ('held', ${code}::text)`
  return held.count
}

/** What an attempt has not begun, or could not, goes back; with `why` it says why it waits. */
export const giveBack = async (
  db: Database,
  accountId: string,
  claimId: string,
  why: Why | null,
  afterMs: number,
): Promise<void> => {
  await db.$client`
    update submissions set state = ${why === null ? 'received' : 'waiting'}, claim_id = null, code = ${why?.code ?? null},
      crm = ${why?.crm === undefined ? null : JSON.stringify(why.crm)}::text::jsonb, due_at = now() + make_interval(secs => ${afterMs / 1000})
    where account_id = ${accountId}::uuid and state = 'pushing' and claim_id = ${claimId}::uuid`
}

/** What has come and is not tried, as long as the CRM is away, says why it waits; it stays due as it was. */
export const putOff = async (db: Database, accountId: string, { code, crm }: Why): Promise<void> => {
  await db.$client`
    update submissions set state = 'waiting', code = ${code}, crm = ${crm === undefined ? null : JSON.stringify(crm)}::text::jsonb
    where account_id = ${accountId}::uuid and state = 'received' and record_id is not null`
}

/** How many are open, and when the next one is due (milliseconds from now; null for none). Those of an address whose earlier one is open do not count as due. */
export const nextDue = async (db: Database, accountId: string): Promise<number | null> => {
  const [found] = await db.$client<[{ ms: number | null }]>`
    select (extract(epoch from min(s.due_at) - now()) * 1000)::float8 as ms from submissions s
    where s.account_id = ${accountId}::uuid and ${open(db.$client, 's')}
      and not exists (select from submissions e where e.account_id = s.account_id and e.email_key = s.email_key and e.id < s.id and ${open(db.$client, 'e')})`
  return found.ms
}

/** Open submissions by state, and the age of the oldest in seconds, over all accounts. */
export const openByState = async (db: Database): Promise<{ state: string; count: number; seconds: number }[]> => [
  ...(await db.$client<{ state: string; count: number; seconds: number }[]>`
    select state, count(*)::int as count, extract(epoch from now() - min(received_at))::float8 as seconds from submissions
    where ${open(db.$client, 'submissions')} group by state`),
]

/** R7: a record with an unfinished submission is left to the forms' drainer. */
export const notSubmitted = (sql: Sql, id: ReturnType<Sql>) =>
  sql`not exists (select from submissions u where u.record_id = ${id} and u.state in ('received', 'pushing', 'waiting', 'held'))`
