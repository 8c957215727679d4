import type { KeyObject } from 'node:crypto'
import type { CrmEntity } from '../../domain/crm.ts'
import type { ErasureSubject } from '../../domain/erasure.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Sql } from '../database.ts'
import { emailHexOf, emailKeyOf } from '../emailKey.ts'

/** Everything that a person is known by. `emails` in hexadecimal, `people` as `entity:id`. */
export type Whole = { accountId: string; emails: string[]; people: string[]; recordIds: string[] }

const lines = (texts: readonly string[]): string => texts.join('\n')

export const hexes = (sql: Sql, emails: readonly string[]) =>
  sql`any(array(select decode(x, 'hex') from unnest(string_to_array(${lines(emails)}::text, E'\n')) x))`
export const uuids = (sql: Sql, ids: readonly string[]) => sql`any(string_to_array(${lines(ids)}::text, E'\n')::uuid[])`
export const texts = (sql: Sql, those: readonly string[]) => sql`any(string_to_array(${lines(those)}::text, E'\n'))`

export const idOf = (person: string): string => person.slice(person.indexOf(':') + 1)

/** Whether the columns `entity` and `id` name one of these people; the id alone finds them by its index. */
export const isOneOf = (sql: Sql, people: readonly string[], entity = 'crm_entity', id = 'crm_id') => sql`
  (${sql(id)} = ${texts(sql, people.map(idOf))} and ${sql(entity)} || ':' || ${sql(id)} = ${texts(sql, people)})`

type Row = { id: string; email: string | null; person: string | null; mergedInto: string | null }

const columns = (sql: Sql) => sql`
  id::text, encode(email_key, 'hex') as email, crm_entity || ':' || crm_id as person, merged_into::text as "mergedInto"`

/** Records of all lists, removed ones too, by the three things that name them, and those that went into one of them. */
const findRecords = (sql: Sql, { accountId, emails, people, recordIds }: Whole): Promise<Row[]> =>
  sql<Row[]>`
    select ${columns(sql)} from records where account_id = ${accountId}::uuid and (email_key = ${hexes(sql, emails)}
      or id = ${uuids(sql, recordIds)})
    union
    select ${columns(sql)} from records where list_id in (select id from lists where account_id = ${accountId}::uuid)
      and crm_entity in ('lead', 'contact') and ${isOneOf(sql, people)}
    union
    select ${columns(sql)} from records where list_id in (select id from lists where account_id = ${accountId}::uuid) and removed_at is not null
      and merged_into = ${uuids(sql, recordIds)}`

/** Who the CRM has made of these people, or them of: whoever was converted or merged. */
const findKin = async (sql: Sql, { accountId, people }: Whole): Promise<string[]> => {
  const rows = await sql<{ one: string; other: string | null }[]>`
    select entity || ':' || crm_id as one, successor_entity || ':' || successor_id as other from crm_people
    where account_id = ${accountId}::uuid and (${isOneOf(sql, people, 'entity', 'crm_id')} or ${isOneOf(sql, people, 'successor_entity', 'successor_id')})`
  return rows.flatMap(({ one, other }) => (other === null ? [one] : [one, other]))
}

/** Whom runs, deliveries and creations know by these addresses. */
const findByAddress = async (sql: Sql, { accountId, emails }: Whole): Promise<string[]> => {
  const rows = await sql<{ person: string }[]>`
    select crm_entity || ':' || crm_id as person from entries where account_id = ${accountId}::uuid and email_key = ${hexes(sql, emails)} and crm_id is not null
    union select crm_entity || ':' || crm_id from deliveries where account_id = ${accountId}::uuid and email_key = ${hexes(sql, emails)} and crm_id is not null
    union select crm_entity || ':' || crm_id from creations where account_id = ${accountId}::uuid and email_key = ${hexes(sql, emails)} and crm_id is not null`
  return rows.map(({ person }) => person)
}

const unique = (...lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())]
const present = (given: readonly (string | null)[]): string[] => given.filter((each) => each !== null)

const widen = (whole: Whole, rows: readonly Row[]): Whole => ({
  ...whole,
  people: unique(whole.people, present(rows.map(({ person }) => person))),
  emails: unique(whole.emails, present(rows.map(({ email }) => email))),
  recordIds: unique(whole.recordIds, present(rows.flatMap(({ id, mergedInto }) => [id, mergedInto]))),
})

const startOf = (accountId: string, subject: ErasureSubject, hashKey: KeyObject): Whole => {
  const none = { accountId, emails: [], people: [], recordIds: [] }
  if ('email' in subject) return { ...none, emails: [emailHexOf(hashKey, subject.email)] }
  if ('crm' in subject) return { ...none, people: [`${subject.crm.entity as CrmEntity}:${subject.crm.id}`] }
  return { ...none, recordIds: [subject.recordId] }
}

/** A push may have linked a record, or an edit given it another address, until it is locked. */
const lockRecords = (sql: Sql, { recordIds }: Whole): Promise<Row[]> =>
  sql<Row[]>`select ${columns(sql)} from records where id = ${uuids(sql, recordIds)} order by id for update`

/**
 * The whole person: the records that are named by an address, a CRM id or their own id, then the addresses and CRM ids of those, followed once, and all
 * records that have one of them. The records are locked. Errors: notFound for a record that is none; invalidInput for what is no address.
 */
export const findWhole = async (
  sql: Sql,
  accountId: string,
  subject: ErasureSubject,
  hashKey: KeyObject,
): Promise<Whole> => {
  if ('email' in subject && emailKeyOf(hashKey, subject.email) === null) throw new FairleadError('invalidInput')
  const start = startOf(accountId, subject, hashKey)
  const named = await findRecords(sql, start)
  if ('recordId' in subject && named.length === 0) throw new FairleadError('notFound')
  let whole = widen(start, named)
  whole = { ...whole, people: unique(whole.people, await findByAddress(sql, whole)) }
  whole = { ...whole, people: unique(whole.people, await findKin(sql, whole)) }
  const all = await findRecords(sql, whole)
  const locked = await lockRecords(sql, {
    ...whole,
    recordIds: unique(
      whole.recordIds,
      all.map(({ id }) => id),
    ),
  })
  return {
    ...whole,
    recordIds: locked.map(({ id }) => id),
    people: unique(whole.people, present(locked.map(({ person }) => person))),
  }
}
