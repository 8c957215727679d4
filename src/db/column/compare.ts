import { sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'

const batch = 5000

/**
 * R13: values of linked records in columns that became another field of the CRM were never compared with it. Marks them so, batch by batch, each record
 * with a new version; an attempt that ends half way is repeated. `beat` is called after each batch.
 */
export const markUncompared = async (db: Database, listId: string, beat: () => void): Promise<void> => {
  const sql = db.$client
  const columns = await sql<{ key: string; at: string }[]>`
    select key, uncompared_at::text as at from columns where list_id = ${listId}::uuid and uncompared_at is not null`
  if (columns.length === 0) return
  const keys = sql`string_to_array(${columns.map(({ key }) => key).join('\n')}::text, E'\n')`
  const agreed = JSON.stringify({ n: true, at: new Date().toISOString() })
  let after = '00000000-0000-0000-0000-000000000000'
  for (;;) {
    const [page] = await sql<{ last: string | null }[]>`
      with page as materialized (
        select id from records where list_id = ${listId}::uuid and crm_id is not null and id > ${after}::uuid order by id limit ${batch} for update),
      open as (
        select r.id, jsonb_object_agg(k.key, ${agreed}::text::jsonb) as agreed
        from page join records r on r.id = page.id cross join unnest(${keys}) k (key)
        where r.crm_id is not null and r.fields ->> k.key is not null group by r.id),
      marked as (
        update records r set agreed = r.agreed || open.agreed, version = r.version + 1 from open where r.id = open.id)
      select (select id::text from page order by id desc limit 1) as last`
    beat()
    if (page?.last == null) break
    after = page.last
  }
  for (const { key, at } of columns)
    await sql`
      update columns set uncompared_at = null
      where list_id = ${listId}::uuid and key = ${key} and uncompared_at = ${at}::timestamptz`
}

/**
 * Edits of columns that are nothing in the CRM any more wait for no push. A new version, so that a run which read the record before decides anew.
 */
export const forgetEdits = async (
  tx: Transaction,
  columns: readonly { listId: string; key: string }[],
): Promise<void> => {
  if (columns.length === 0) return
  const rows = JSON.stringify(columns.map(({ listId, key }) => ({ list_id: listId, key })))
  await tx.execute(sql`
    with gone as materialized (
      select list_id, array_agg(key) as keys from jsonb_to_recordset(${rows}::text::jsonb) as c (list_id uuid, key text) group by list_id),
    -- in the order of ids, as everybody locks records who locks several
    locked as materialized (
      select r.id, g.keys from gone g join records r on r.list_id = g.list_id
      where (r.agreed <> '{}' or r.crm_id is null) and r.agreed ?| g.keys order by r.id for update of r)
    update records r set agreed = r.agreed - l.keys, version = r.version + 1 from locked l where r.id = l.id`)
}
