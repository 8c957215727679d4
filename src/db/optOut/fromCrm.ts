import type { CrmEntity, CrmPerson, CrmValue } from '../../domain/crm.ts'
import { fixedColumnKeys } from '../../domain/list.ts'
import { truthy } from '../../domain/truthy.ts'
import type { Sql } from '../database.ts'
import { refuses } from './refuses.ts'

type Of = { accountId: string; entity: CrmEntity }

/** R34: the field by which somebody in the CRM wants no mail; undefined for nobody. */
export const optOutField = ({ values }: Pick<CrmPerson, 'values'>): 'DoNotSolicit' | 'DoNotEmail' | undefined => {
  if (truthy(values['DoNotSolicit'])) return 'DoNotSolicit'
  return truthy(values['DoNotEmail']) ? 'DoNotEmail' : undefined
}

/** Somebody who wants no mail. `key`: the address as emailHexOf has it. */
export type Told = { key: string; email: string; id: string; field: string }

/** Those of a page; `emails`: hashed addresses in the order of people, '' for none. */
export const toldBy = (people: readonly CrmPerson[], emails: readonly string[]): Told[] =>
  people.flatMap((person, at) => {
    const field = optOutField(person)
    const key = emails[at]!
    return field === undefined || key === ''
      ? []
      : [{ key, email: String(person.values['Email']), id: person.id, field }]
  })

/** What a CRM must not be told, and so does not tell us back. */
const ofOurs = (sql: Sql, alias: string) => sql`
  ${sql(alias)}.source <> 'crm' and (${sql(alias)}.reason in ('unsubscribed', 'complained', 'optedOut')
    or (${sql(alias)}.reason = 'manual' and ${sql(alias)}.source = 'person'))`

/**
 * An account as `a.id`, whose value the planner does not see behind the offset: of one that the statistics do not know it expects a single row, and would
 * read all that the account has for each address.
 */
const unplanned = (sql: Sql, accountId: string) => sql`(select ${accountId}::uuid as id offset 0) a`

/**
 * The statement that suppresses who the CRM says wants no mail, if `when`. Our own DoNotEmail that comes back is no news, nor is one that a consent is about
 * to end, or has just ended: a page may have been read before. In the order of addresses, so that pages never wait for each other in a circle.
 */
export const suppressing = (
  sql: Sql,
  { accountId, entity }: Of,
  runId: string,
  told: readonly Told[],
  when = sql`true`,
) => sql`
  insert into suppressions (account_id, email_key, email, reason, source, evidence)
  select distinct on (x.key) a.id, decode(x.key, 'hex'), x.email, 'optedOut', 'crm',
    'The CRM has ' || x.field || ' on the ' || ${entity}::text || ' ' || x.id || '; seen by run ' || ${runId}::text || '.'
  from jsonb_to_recordset(${JSON.stringify(told)}::text::jsonb) as x (key text, email text, id text, field text)
    cross join ${unplanned(sql, accountId)}
    -- one by one, by the index: a table that was just filled has no statistics, and a join would read all of it for each page
    left join lateral (
      select true as known from suppressions s where s.account_id = a.id and s.email_key = decode(x.key, 'hex') and s.lifted_at is null
        and (s.source = 'crm' or (x.field = 'DoNotEmail' and ${ofOurs(sql, 's')})) limit 1) already on true
    left join lateral (
      select true as known from opt_outs o where o.account_id = a.id and o.email_key = decode(x.key, 'hex')
        and not o.do_not_email and (o.state in ('waiting', 'held') or o.settled_at > now() - interval '10 minutes') limit 1) consent on x.field = 'DoNotEmail'
  where ${when} and already.known is null and consent.known is null
  order by x.key, x.id
  on conflict (account_id, email_key, source) where lifted_at is null do nothing`

/** The same of the values of a record, by column key. */
export const wantsNoMail = (fields: Record<string, CrmValue>): boolean =>
  truthy(fields[fixedColumnKeys['DoNotEmail']!]) || truthy(fields[fixedColumnKeys['DoNotSolicit']!])

/** Somebody whom the CRM has given free. `key`: of the address that our record had. */
export type Cleared = { key: string; id: string }

/** R34: lifts what the CRM said of an address and says no longer, unless another person of the account with this address still has it. Nobody else's word is touched. */
export const liftCleared = async (
  sql: Sql,
  { accountId, entity }: Of,
  runId: string,
  cleared: readonly Cleared[],
): Promise<void> => {
  if (cleared.length === 0) return
  await sql`
    with free as (
      select distinct on (x.key) s.id, x.id as crm_id
      from jsonb_to_recordset(${JSON.stringify(cleared)}::text::jsonb) as x (key text, id text)
      cross join ${unplanned(sql, accountId)}
      join suppressions s on s.account_id = a.id and s.email_key = decode(x.key, 'hex') and s.source = 'crm' and s.lifted_at is null
      where not exists (select from records r where r.account_id = s.account_id and r.email_key = s.email_key and r.removed_at is null
        and (r.crm_entity, r.crm_id) is distinct from (${entity}::text, x.id)
        and ${refuses(sql, 'r')})
      order by x.key, x.id)
    update suppressions s set lifted_at = now(),
      lift_evidence = 'The CRM has given free the ' || ${entity}::text || ' ' || f.crm_id || '; seen by run ' || ${runId}::text || '.'
    from (select * from free order by id) f where s.id = f.id`
}
