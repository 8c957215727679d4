import { and, eq, isNull, notInArray, sql as query } from 'drizzle-orm'
import { fixedColumnKeys, lockedFields } from '../../domain/list.ts'
import type { Database, Sql } from '../database.ts'
import { columns, standardFields } from '../schema.ts'

type Mapped = { id: string; key: string; pushedAs: string | null; now: string | null }

/** Columns of the list's own, with what they mean in the CRM now and what they meant when a push began last. */
const ownColumns = (db: Database, listId: string): Promise<Mapped[]> =>
  db
    .select({
      id: columns.id,
      key: columns.key,
      pushedAs: columns.pushedAs,
      now: query<
        string | null
      >`nullif(concat_ws('|', ${standardFields.leadField}, ${standardFields.contactField}), '')`,
    })
    .from(columns)
    .leftJoin(standardFields, eq(standardFields.id, columns.standardFieldId))
    .where(
      and(
        eq(columns.listId, listId),
        isNull(columns.crmField),
        notInArray(
          columns.key,
          lockedFields.map((name) => fixedColumnKeys[name]!),
        ),
      ),
    )

/** Records that are written by one statement. */
const batch = 20_000

/** Walks through the linked records of a list; locks them in the order of ids, as everybody does. */
const eachPiece = async (
  { $client: sql }: Database,
  listId: string,
  set: (sql: Sql) => { agreed: ReturnType<Sql>; where: ReturnType<Sql> },
): Promise<void> => {
  const { agreed, where } = set(sql)
  for (let after: string | null = null; ;) {
    const [piece]: { last: string | null }[] = await sql<{ last: string | null }[]>`
      with piece as materialized (
        select r.id from records r where r.list_id = ${listId}::uuid and r.crm_id is not null and (${after}::uuid is null or r.id > ${after}::uuid)
        order by r.id limit ${batch}),
      locked as materialized (
        select r.id from records r join piece on piece.id = r.id where ${where} order by r.id for update of r),
      written as (
        update records r set agreed = ${agreed}, version = r.version + 1 from locked where r.id = locked.id and ${where})
      select max(id::text) as last from piece`
    if (piece?.last == null) return
    after = piece.last
  }
}

/**
 * R13, before a push: where a column of the list's own has come to mean another field of the CRM since the list was pushed last, the values of records
 * that are linked by now have never been compared, and are marked so; where it means none any more, its edits wait no longer. May be called again.
 */
export const noteMapping = async (db: Database, listId: string): Promise<void> => {
  const differing = (await ownColumns(db, listId)).filter(({ pushedAs, now }) => pushedAs !== now)
  if (differing.length === 0) return
  const keysOf = (some: Mapped[]): string => some.map(({ key }) => key).join('\n')
  const mapped = differing.filter(({ now }) => now !== null)
  const lost = differing.filter(({ now }) => now === null)
  const stamp = JSON.stringify({ n: true, at: new Date().toISOString() })
  if (mapped.length > 0)
    await eachPiece(db, listId, (sql) => {
      const open = sql`
        from unnest(string_to_array(${keysOf(mapped)}::text, E'\n')) k (key) where coalesce(r.fields ->> k.key, '') <> '' and not r.agreed ? k.key`
      return {
        agreed: sql`r.agreed || (select jsonb_object_agg(k.key, ${stamp}::text::jsonb) ${open})`,
        where: sql`exists (select ${open})`,
      }
    })
  if (lost.length > 0)
    await eachPiece(db, listId, (sql) => {
      const keys = sql`string_to_array(${keysOf(lost)}::text, E'\n')`
      return { agreed: sql`r.agreed - ${keys}`, where: sql`r.agreed ?| ${keys}` }
    })
  for (const { id, now } of differing) await db.update(columns).set({ pushedAs: now }).where(eq(columns.id, id))
}
