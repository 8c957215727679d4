import { sameValue, readValues } from '../../domain/values.ts'
import { changesBetween } from '../../domain/edit.ts'
import type { Sql } from '../database.ts'
import type { Phase } from '../lane.ts'
import { liftCleared, wantsNoMail } from '../optOut/fromCrm.ts'
import { insertEntries } from '../run/record.ts'
import type { PageTarget, Prepared } from './page.ts'

type Changed = { id: string; crm_id: string; key: string | null; before: string; after: string }

/** Decimals that a double cannot hold are compared and kept digit by digit (R8). */
const changesOf = (was: string, is: string) => {
  const before = readValues(was)
  const changed = Object.entries(readValues(is)).filter(([key, after]) => !sameValue(before[key], after))
  return changesBetween(before, Object.fromEntries(changed))
}

/**
 * Records that are on the list already: read again within one run, or fetched by a sweep. Equal ones are not written, so those that were just
 * inserted may be among the rows; values edited here since both sides agreed (`agreed`) are left to the next sync. Answers how many it changed.
 */
export const mergeExisting = async (
  sql: Sql,
  target: PageTarget,
  runId: string,
  phase: Phase,
  rows: Prepared,
): Promise<number> => {
  const changed = await sql<Changed[]>`
    with u as (
      select * from unnest(string_to_array(${rows.ids}::text, E'\n'),
        string_to_array(${rows.emails}::text, E'\n'),
        string_to_array(${rows.fields}::text, E'\n')) as x (id, email, fields))
    update records t
    set fields = t.fields || u.fields::jsonb, email_key = decode(nullif(u.email, ''), 'hex'), version = t.version + 1, updated_at = now()
    from u
    where t.list_id = ${target.listId}::uuid and t.crm_id = u.id and t.crm_entity = ${target.entity}
      and t.agreed = '{}' and t.removed_at is null and not t.fields @> u.fields::jsonb
    returning t.id, t.crm_id, encode(old.email_key, 'hex') as key, old.fields::text as before, new.fields::text as after`
  await insertEntries(
    sql,
    target,
    runId,
    phase,
    changed.map((row) => ({
      kind: 'updated' as const,
      code: null,
      recordId: row.id,
      crmId: row.crm_id,
      changes: changesOf(row.before, row.after),
    })),
  )
  const cleared = changed.flatMap(({ crm_id: id, key, before, after }) =>
    key !== null && wantsNoMail(readValues(before)) && !wantsNoMail(readValues(after)) ? [{ key, id }] : [],
  )
  await liftCleared(sql, target, runId, cleared)
  return changed.length
}
