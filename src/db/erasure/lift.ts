import type { Sql } from '../database.ts'
import { hexes } from './subject.ts'

/**
 * R40: people who fill in a form themselves may be known again, by these addresses (hexadecimal) and by the CRM's keys that were erased with them. The erasure
 * says so; what it erased stays erased, and an opt-out stays.
 */
export const liftErasures = async (sql: Sql, accountId: string, emails: readonly string[]): Promise<void> => {
  if (emails.length === 0) return
  await sql`
    with own as (
      delete from erased_people where account_id = ${accountId}::uuid and kind = 'email' and hash = ${hexes(sql, emails)} returning erasure_id),
    keys as (
      delete from erased_people where account_id = ${accountId}::uuid and kind = 'crm' and erasure_id in (select erasure_id from own))
    update erasures set lifted_at = coalesce(lifted_at, now()) where id in (select erasure_id from own)`
}
