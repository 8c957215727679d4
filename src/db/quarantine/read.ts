import type { CrmSaid } from '../../domain/errors.ts'
import type { Database } from '../database.ts'

export type Group = {
  listId: string
  listName: string
  code: string
  detail: string
  said: CrmSaid | null
  count: number
  since: Date
  sampleRecordIds: string[]
}
export type GroupKey = { listId: string; code: string; detail: string }
export type ParkedRecord = { recordId: string; entryId: string; parkedAt: Date; code: string; detail: string }

/** How many records stand for a group. */
const samples = 5

/** Parked records by list and cause, in the order of these; those of lists that were removed are left out. */
export const pageGroups = async (
  { $client: sql }: Database,
  accountId: string,
  { listId, limit, after }: { listId?: string; limit: number; after?: GroupKey },
): Promise<Group[]> => {
  // the driver gives instants as text
  const rows = await sql<(Omit<Group, 'since'> & { since: string })[]>`
    with groups as (
      select k.list_id, l.name, k.code, k.detail, count(*)::int as count, min(k.parked_at) as since,
        to_json((array_agg(k.record_id order by k.parked_at, k.record_id))[1:${samples}::int]) as ids, (array_agg(k.entry_id order by k.entry_id desc))[1] as entry_id
      from parked_records k join lists l on l.id = k.list_id join records r on r.id = k.record_id
      where k.account_id = ${accountId}::uuid and l.removed_at is null and r.removed_at is null and r.version = k.version and k.mapping <> ''
        and ${listId === undefined ? sql`true` : sql`k.list_id = ${listId}::uuid`}
        and ${after === undefined ? sql`true` : sql`(k.list_id, k.code, k.detail) > (${after.listId}::uuid, ${after.code}, ${after.detail})`}
      group by k.list_id, l.name, k.code, k.detail order by k.list_id, k.code, k.detail limit ${limit})
    select g.list_id::text as "listId", g.name as "listName", g.code, g.detail, e.crm as said, g.count, g.since, g.ids as "sampleRecordIds"
    from groups g left join entries e on e.id = g.entry_id order by g.list_id, g.code, g.detail`
  return rows.map(({ since, ...group }) => ({ ...group, since: new Date(since) }))
}

/** The records of one cause, in the order of ids. */
export const pageRecords = async (
  { $client: sql }: Database,
  accountId: string,
  { listId, code, detail, limit, after }: GroupKey & { limit: number; after?: string },
): Promise<ParkedRecord[]> => {
  const rows = await sql<(Omit<ParkedRecord, 'parkedAt'> & { parkedAt: string })[]>`
    select k.record_id::text as "recordId", k.entry_id::text as "entryId", k.parked_at as "parkedAt", k.code, k.detail
    from parked_records k join records r on r.id = k.record_id
    where k.account_id = ${accountId}::uuid and k.list_id = ${listId}::uuid and k.code = ${code} and k.detail = ${detail}
      and r.removed_at is null and r.version = k.version and k.mapping <> '' and ${after === undefined ? sql`true` : sql`k.record_id > ${after}::uuid`}
    order by k.record_id limit ${limit}`
  return rows.map(({ parkedAt, ...row }) => ({ ...row, parkedAt: new Date(parkedAt) }))
}
