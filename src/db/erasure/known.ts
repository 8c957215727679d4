import { sql as query } from 'drizzle-orm'
import { createHmac, type KeyObject } from 'node:crypto'
import type { CrmEntity } from '../../domain/crm.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import type { Transaction } from '../outbox.ts'

/** Who of an account must not return (R40): hashes in hexadecimal; null while it has erased nobody, which costs nothing to ask. */
export type Erased = ReadonlySet<string> | null

/** Erasures of one account do not wait for what another one does. */
const lockOf = (accountId: string): string => `erasures:${accountId}`

/** The hash of a CRM person, in hexadecimal. An address has an @ and no kind, so that the two never meet. */
export const personHexOf = (hashKey: KeyObject, entity: CrmEntity, id: string): string =>
  createHmac('sha256', hashKey).update(`${entity}:${id}`).digest('hex').slice(0, 32)

/** Keeps erasures away until the transaction ends: whoever makes records takes it before any row is locked, and then looks who is erased. */
export const holdErasures = async (sql: Sql, accountId: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock_shared(hashtextextended(${lockOf(accountId)}, 0))`
}

/** One erasure at a time, and none beside those who make records. */
export const lockErasures = async (sql: Sql, accountId: string): Promise<void> => {
  await sql`select pg_advisory_xact_lock(hashtextextended(${lockOf(accountId)}, 0))`
}

/**
 * Everybody who is erased. To be read after a lane was claimed: an erasure that this does not see takes the lane away from its attempt, which then
 * stores nothing (db/erasure/fence.ts).
 */
export const loadErased = (db: Database, accountId: string): Promise<Erased> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    await holdErasures(sql, accountId)
    const rows = await sql<{ hash: string }[]>`
      select encode(hash, 'hex') as hash from erased_people where account_id = ${accountId}::uuid`
    return rows.length === 0 ? null : new Set(rows.map(({ hash }) => hash))
  }) as Promise<Erased>

/** Which of these addresses, in hexadecimal, are of erased people. Within `holdErasures`. */
export const erasedAmong = async (sql: Sql, accountId: string, emails: readonly string[]): Promise<Set<string>> => {
  const asked = emails.filter((email) => email !== '')
  if (asked.length === 0) return new Set()
  const rows = await sql<{ hash: string }[]>`
    select encode(hash, 'hex') as hash from erased_people where account_id = ${accountId}::uuid
      and hash = any(array(select decode(x, 'hex') from unnest(string_to_array(${asked.join('\n')}::text, E'\n')) x))`
  return new Set(rows.map(({ hash }) => hash))
}

/** `holdErasures` and then `erasedAmong`, in a transaction of the query builder. */
export const heldErasedAmong = async (
  tx: Transaction,
  accountId: string,
  emails: readonly string[],
): Promise<Set<string>> => {
  await tx.execute(query`select pg_advisory_xact_lock_shared(hashtextextended(${lockOf(accountId)}, 0))`)
  const asked = emails.filter((email) => email !== '')
  if (asked.length === 0) return new Set()
  const rows = await tx.execute<{ hash: string }>(query`
    select encode(hash, 'hex') as hash from erased_people where account_id = ${accountId}::uuid
      and hash = any(array(select decode(x, 'hex') from unnest(string_to_array(${asked.join('\n')}::text, E'\n')) x))`)
  return new Set(rows.map(({ hash }) => hash))
}

type Of = { hashKey: KeyObject; entity: CrmEntity; erased?: Erased | undefined }

export const isErasedId = ({ erased, hashKey, entity }: Of, id: string): boolean =>
  erased != null && erased.has(personHexOf(hashKey, entity, id))

type Somebody = { id: string; values: Readonly<Record<string, unknown>> }

/** Known by the CRM's key, or by the address. */
export const isErased = (of: Of, { id, values }: Somebody): boolean =>
  of.erased != null && (isErasedId(of, id) || of.erased.has(emailHexOf(of.hashKey, values['Email'])))

/** People of the CRM without those who are erased, and those. */
export const withoutErased = <Person extends Somebody>(
  of: Of,
  people: Person[],
): { people: Person[]; erased: Person[] } => {
  if (of.erased == null) return { people, erased: [] }
  const erased = people.filter((person) => isErased(of, person))
  return erased.length === 0 ? { people, erased } : { people: people.filter((each) => !erased.includes(each)), erased }
}
