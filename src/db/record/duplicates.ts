import { and, sql, type SQL } from 'drizzle-orm'
import type { CrmValue, FieldType } from '../../domain/crm.ts'
import { changesBetween } from '../../domain/edit.ts'
import { groupBy } from '../../domain/groupBy.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { applyEdits } from '../../domain/record.ts'
import { isBlank } from '../../domain/values.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import * as edits from '../edit.ts'
import { records } from '../schema.ts'
import {
  addToCount,
  inTransaction,
  lock,
  lockList,
  writeEdits,
  type LockedRow,
  type RowEdit,
  type Scope,
} from './edit.ts'
import { folded, text, value } from '../filter/value.ts'
import { some } from './read.ts'
import { live, type ListOf, type RecordRow } from './row.ts'
import { within } from './walk.ts'

/** The columns in which duplicates are equal; records with a blank among them are nobody's duplicates. */
export type By = readonly { key: string; type: FieldType }[]
/** Who stays: always one who is linked to the CRM, if there is one; among equals the record that was made first or last. */
export type Keep = 'oldest' | 'newest'
export type Group = { key: string; count: number; records: RecordRow[] }

const mostShown = 20
const mostRemoved = 10_000
/** groups in one transaction */
const batch = 200
const timeoutMs = 20_000

const blanks = ' \t\r\n\u00a0'

/** Text in any case and composition, without blanks at its ends; numbers by their size; the record's e-mail address by R2. */
const part = ({ key, type }: By[number]): SQL => {
  if (key === emailKeyColumn) return sql`encode(${records.emailKey}, 'hex')`
  if (type === 'number')
    return sql`(case when jsonb_typeof(${value(key)}) = 'number' then trim_scale((${text(key)})::numeric)::text end)`
  return folded(sql`normalize(nullif(btrim(${text(key)}, ${blanks}), ''), NFC)`)
}

type Keyed = {
  key: SQL
  present: SQL | undefined
  /** the key as text, for a cursor, and what comes after it */
  shown: SQL
  after: (last: string | undefined) => SQL
}

/** By the address alone the index on its hash serves; of several columns each has its length in front, so that no two keys run together. */
const keyed = (by: By): Keyed => {
  const [only] = by
  if (by.length === 1 && only?.key === emailKeyColumn) {
    return {
      key: sql`${records.emailKey}`,
      present: sql`${records.emailKey} is not null`,
      shown: sql`encode(t.key, 'hex')`,
      after: (last) => (last === undefined ? sql`true` : sql`key > decode(${last}, 'hex')`),
    }
  }
  const parts = by.map(part)
  const measured = parts.map((each) => sql`length(${each}) || ':' || ${each}`)
  return {
    key: sql`((${parts.length === 1 ? parts[0] : sql.join(measured, sql` || `)}) collate "C")`,
    present: and(...parts.map((each) => sql`${each} is not null`)),
    shown: sql`t.key`,
    after: (last) => sql`key > ${last ?? ''}`,
  }
}

/** A new lead of theirs may be on its way to the CRM, which only this record will know of (R7). */
const isFree = sql`not exists (select from creations c where c.record_id = records.id and c.done_at is null)`

const first = ({ keep }: { keep: Keep }): SQL =>
  sql`(crm_id is not null) desc, ${keep === 'oldest' ? sql`id` : sql`id desc`}`

/**
 * Groups of records that are equal in the columns `by`, in no order that means anything, up to 20 records of each: first the one that
 * `removeDuplicates` would keep. `after` is the key of the last group seen. Errors: queryTimeout.
 */
export const findDuplicates = async (
  db: Database,
  accountId: string,
  list: ListOf,
  { by, keep, after, limit }: { by: By; keep: Keep; after?: string; limit: number },
): Promise<Group[]> => {
  const { key, present, shown, after: beyond } = keyed(by)
  const groups = await within(db, timeoutMs, async (tx) => {
    const found = await tx.execute<{ key: string; count: number; ids: string }>(sql`
        with k as not materialized (select id, crm_id, ${key} as key from records where ${live(accountId, list.id)} and ${present}),
          twice as materialized (select key, count(*)::int as count from k where ${beyond(after)} group by key having count(*) > 1 order by key limit ${limit})
        select ${shown} as key, t.count, array_to_string((array_agg(id order by ${first({ keep })}))[1:${sql.raw(String(mostShown))}], ',') as ids
        from k join twice t on t.key = k.key group by t.key, t.count order by t.key`)
    return found.map(({ ids, ...group }) => ({ ...group, ids: ids.split(',') }))
  })
  const rows = await some(
    db,
    accountId,
    list,
    groups.flatMap(({ ids }) => ids),
  )
  return groups.map(({ ids, ...group }) => ({ ...group, records: ids.flatMap((id) => rows.get(id) ?? []) }))
}

export type Removal = {
  by: By
  keep: Keep
  /** also records of other people in the CRM: removed from the list here, never there (R17) */
  linked: boolean
  /** columns whose blanks in the record that stays are filled from those that go */
  fillable: ReadonlySet<string>
}
export type Removed = {
  groups: number
  removed: number
  /** values that the records which stay took over */
  filled: number
  /** changed while they were being removed; they are looked at the next time */
  changedMeanwhile: number
  /** there are further duplicates: ask again */
  more: boolean
}

type Victim = { keeper: string; keeperVersion: number; id: string; version: number }

/** Whom to remove, and who stays in their place. */
const choose = (db: Database, { accountId, listId }: Scope, { by, keep, linked }: Removal): Promise<Victim[]> => {
  const { key, present } = keyed(by)
  return within(db, timeoutMs, async (tx) => {
    const found = await tx.execute<Victim>(sql`
        with k as (select id, crm_id, version, ${isFree} as free, ${key} as key from records where ${live(accountId, listId)} and ${present}),
          ranked as (select *, first_value(id) over w as keeper, first_value(version) over w as "keeperVersion", row_number() over w as place
            from k window w as (partition by key order by ${first({ keep })}))
        select keeper::text, "keeperVersion", id::text, version from ranked
        where place > 1 and free and (crm_id is null or ${linked}) order by keeper, place limit ${mostRemoved + 1}`)
    return [...found]
  })
}

/** The blanks of the record that stays, filled from those that go, in their order. */
const fillFrom = (keeper: LockedRow, others: LockedRow[], { fillable }: Removal): Record<string, CrmValue> => {
  const edits: Record<string, CrmValue> = {}
  for (const { fields } of others)
    for (const [key, value] of Object.entries(fields))
      if (fillable.has(key) && !isBlank(value) && isBlank(keeper.fields[key]) && !(key in edits)) edits[key] = value
  return edits
}

/** What the record that stays took over, by whom it came from. */
const notesOf = (keeper: LockedRow, others: LockedRow[], patch: Record<string, CrmValue>): edits.NewEdit[] => {
  const left = new Map(Object.entries(patch))
  return others.flatMap(({ id, fields }): edits.NewEdit[] => {
    const keys = [...left.keys()].filter((key) => !isBlank(fields[key]))
    for (const key of keys) left.delete(key)
    const taken = Object.fromEntries(keys.map((key) => [key, patch[key]!]))
    if (keys.length === 0) return []
    return [{ recordId: keeper.id, kind: 'merged', otherId: id, changes: changesBetween(keeper.fields, taken) }]
  })
}

const leavingNotes = (victims: Victim[], gone: { id: string }[]): edits.NewEdit[] => {
  const keepers = new Map(victims.map(({ id, keeper }) => [id, keeper]))
  return gone.map(({ id }) => ({ recordId: id, kind: 'removed', otherId: keepers.get(id)! }))
}

const removeBatch = (
  db: Database,
  scope: Scope,
  removal: Removal,
  victims: Victim[],
): Promise<Omit<Removed, 'more' | 'groups'>> =>
  inTransaction(db, scope.accountId, async (sql) => {
    await lockList(sql, scope)
    const rows = await lock(sql, scope, [...new Set(victims.flatMap(({ keeper, id }) => [keeper, id]))])
    const asChosen = (id: string, version: number): LockedRow[] => {
      const row = rows.get(id)
      return row === undefined || row.removed || row.version !== version ? [] : [row]
    }
    const at = new Date().toISOString()
    const leaving: string[] = []
    const changed: RowEdit[] = []
    const notes: edits.NewEdit[] = []
    /** whose external ids go to the record that stays */
    const givers: string[] = []
    let filled = 0
    for (const group of groupBy(victims, ({ keeper }) => keeper).values()) {
      const [keeper] = asChosen(group[0]!.keeper, group[0]!.keeperVersion)
      if (keeper === undefined) continue
      const others = group.flatMap(({ id, version }) => asChosen(id, version))
      leaving.push(...others.map(({ id }) => id))
      const editing = { linked: keeper.crmId !== null, bound: scope.bound, at }
      const { patch, agreed } = applyEdits(keeper, fillFrom(keeper, others, removal), editing)
      const giver = keeper.externalId === null ? others.find(({ externalId }) => externalId !== null) : undefined
      if (giver !== undefined) givers.push(giver.id)
      const externalId = giver?.externalId
      if (Object.keys(patch).length > 0 || giver !== undefined)
        changed.push({ id: keeper.id, patch, agreed, externalId })
      notes.push(...notesOf(keeper, others, patch))
      filled += Object.keys(patch).length
    }
    const ids = (each: string[]) => sql`string_to_array(${each.join('\n')}::text, E'\n')::uuid[]`
    await sql`update records set external_id = null where list_id = ${scope.listId}::uuid and id = any(${ids(givers)})`
    await writeEdits(sql, scope, changed)
    const gone = await sql<{ id: string }[]>`
      update records r set removed_at = now(), version = version + 1, updated_at = now()
      where list_id = ${scope.listId}::uuid and id = any(${ids(leaving)})
        and not exists (select from creations c where c.record_id = r.id and c.done_at is null)
      returning r.id::text`
    await edits.insert(sql, scope, [...notes, ...leavingNotes(victims, gone)])
    await addToCount(sql, scope, -gone.length)
    return { removed: gone.length, filled, changedMeanwhile: victims.length - gone.length }
  })

/**
 * Removes duplicates from a list, up to 10,000 at once; each can be restored (R17). Of each group one record stays, the linked one before others, and
 * its blanks and external id are filled from those that go, as edits (R13). Errors: notFound, queryTimeout.
 */
export const removeDuplicates = async (
  db: Database,
  scope: Scope,
  removal: Removal,
  actor: audits.Actor,
): Promise<Removed> => {
  const chosen = await choose(db, scope, removal)
  const victims = chosen.slice(0, mostRemoved)
  const sum: Removed = { groups: 0, removed: 0, filled: 0, changedMeanwhile: 0, more: chosen.length > mostRemoved }
  const groups = [...groupBy(victims, ({ keeper }) => keeper).values()]
  for (let at = 0; at < groups.length; at += batch) {
    const done = await removeBatch(db, scope, removal, groups.slice(at, at + batch).flat())
    sum.groups += Math.min(batch, groups.length - at)
    sum.removed += done.removed
    sum.filled += done.filled
    sum.changedMeanwhile += done.changedMeanwhile
  }
  const details = { by: removal.by.map(({ key }) => key), removed: sum.removed }
  await db.transaction((tx) =>
    audits.insert(tx, scope.accountId, actor, { action: 'list.removeDuplicates', targetId: scope.listId, details }),
  )
  return sum
}
