import type { KeyObject } from 'node:crypto'
import type { Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import { insertEntries, type EntryTarget } from '../run/record.ts'
import { isErasedId, personHexOf, type Erased } from './known.ts'

type Target = EntryTarget & { hashKey: KeyObject }

/** What stands for the key of an erased person where keys are compared: it says nothing to anybody else. */
export const markPrefix = 'erased:'
export const markOf = ({ hashKey, entity }: Pick<Target, 'hashKey' | 'entity'>, id: string): string =>
  `${markPrefix}${personHexOf(hashKey, entity, id)}`

type Hashed = { email: string; person: string }

/** Done as soon as people arrive: nothing of them is kept. */
export const hashesOf = (
  target: Pick<Target, 'hashKey' | 'entity'>,
  people: readonly { id: string; values: Readonly<Record<string, unknown>> }[],
): Hashed[] =>
  people.map(({ id, values }) => ({
    email: emailHexOf(target.hashKey, values['Email']),
    person: personHexOf(target.hashKey, target.entity, id),
  }))

/** Whoever is erased by address is from now on known by the CRM's key too, so that a comparison of keys explains it. */
const learn = async (sql: Sql, accountId: string, hashes: readonly Hashed[]): Promise<void> => {
  const lines = (pick: (each: Hashed) => string): string => hashes.map(pick).join('\n')
  await sql`
    insert into erased_people (account_id, hash, kind, erasure_id)
    select distinct on (x.person) e.account_id, decode(x.person, 'hex'), 'crm', e.erasure_id
    from unnest(string_to_array(${lines(({ email }) => email)}::text, E'\n'), string_to_array(${lines(({ person }) => person)}::text, E'\n'))
      as x (email, person)
      join erased_people e on e.account_id = ${accountId}::uuid and e.hash = decode(nullif(x.email, ''), 'hex')
    order by x.person
    on conflict do nothing`
}

/** R40: lists erased people as skipped, each by an entry that names nobody; answers how many. In the transaction that moves the lane. */
export const skipErased = async (
  sql: Sql,
  target: Target,
  runId: string,
  phase: string,
  hashes: readonly Hashed[],
): Promise<number> => {
  if (hashes.length === 0) return 0
  if (target.previewId == null) await learn(sql, target.accountId, hashes)
  await listErased(sql, target, runId, phase, hashes.length)
  return hashes.length
}

/** So many entries of erased people. */
export const listErased = (sql: Sql, target: EntryTarget, runId: string, phase: string, count: number): Promise<void> =>
  insertEntries(
    sql,
    target,
    runId,
    phase,
    Array.from({ length: count }, () => ({ kind: 'skipped' as const, code: 'erased', crmId: null })),
  )

/** Those whom the CRM cannot deliver without erased ones, who are skipped like the others. */
export const skipUnreadable = async <Row extends { id: string }>(
  sql: Sql,
  target: Target & { erased?: Erased | undefined },
  runId: string,
  phase: string,
  unreadable: Row[],
): Promise<{ unreadable: Row[]; erased: number }> => {
  const left = unreadable.filter(({ id }) => !isErasedId(target, id))
  const erased = unreadable.length - left.length
  await listErased(sql, target, runId, phase, erased)
  return { unreadable: left, erased }
}
