import type { Sql } from '../database.ts'
import { markOf } from './skip.ts'
import { idOf, texts, type Whole } from './subject.ts'
import type { KeyObject } from 'node:crypto'
import type { CrmEntity } from '../../domain/crm.ts'

/**
 * Takes the lanes that read people away from their attempts: what one has fetched before it could know of this erasure is not stored, and the next
 * attempt looks anew. What they stored until now is seen from here on.
 */
export const fenceReaders = async (sql: Sql, accountId: string): Promise<void> => {
  await sql`
    update lanes l set attempt = l.attempt + 1 from runs r
    where r.id = l.run_id and r.account_id = ${accountId}::uuid and r.state in ('queued', 'running', 'held')
      and l.phase in ('pull', 'sweep', 'verify') and l.account_id = ${accountId}::uuid`
}

/** Keys of the person that runs under way have seen: a mark stands for them, so that the comparison of keys explains it. */
export const markSwept = async (
  sql: Sql,
  accountId: string,
  people: readonly string[],
  hashKey: KeyObject,
): Promise<void> => {
  for (const person of people) {
    const entity = person.slice(0, person.indexOf(':')) as CrmEntity
    const id = idOf(person)
    await sql`
      update swept_keys k set keys = array_to_string(array_replace(string_to_array(k.keys, E'\n'), ${id}, ${markOf({ hashKey, entity }, id)}), E'\n')
      from runs r where r.id = k.run_id and k.account_id = ${accountId}::uuid and r.entity = ${entity}
        and ${id} = any(string_to_array(k.keys, E'\n'))`
  }
}

/** Ends and cursors of key ranges are keys of people, too; those of runs under way go when nobody reads by them any more. */
export const forgetRanges = async (sql: Sql, { accountId, people }: Whole): Promise<void> => {
  const ids = people.map(idOf)
  if (ids.length === 0) return
  const anyOf = texts(
    sql,
    ids.map((id) => `%${id.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`),
  )
  await sql`
    update lanes l set after_key = case when l.after_key like ${anyOf} then null else l.after_key end,
      up_to_key = case when l.up_to_key like ${anyOf} then null else l.up_to_key end, cursor = case when l.cursor like ${anyOf} then null else l.cursor end
    from runs r where r.id = l.run_id and l.account_id = ${accountId}::uuid and r.finished_at is not null
      and (l.after_key like ${anyOf} or l.up_to_key like ${anyOf} or l.cursor like ${anyOf})`
}
