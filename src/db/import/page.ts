import type { KeyObject } from 'node:crypto'
import type { CrmEntity, CrmPage, CrmPerson } from '../../domain/crm.ts'
import { encoderOf, type ColumnPlan } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import { emailHexOf } from '../emailKey.ts'
import { withoutErased, type Erased } from '../erasure/known.ts'
import { hashesOf, skipErased, skipUnreadable } from '../erasure/skip.ts'
import * as lanes from '../lane.ts'
import { optOutField, suppressing, toldBy, type Told } from '../optOut/fromCrm.ts'
import { rejectUnreadable } from '../run/record.ts'
import { addWarnings } from '../run/warning.ts'
import { mergeExisting } from './merge.ts'

export type PageTarget = {
  accountId: string
  listId: string
  entity: CrmEntity
  hashKey: KeyObject
  plan: ColumnPlan
  /** who must not return; nobody where it is missing */
  erased?: Erased
}

/**
 * People as the database takes them: one text a column, one line a person (JSON holds no raw line breaks). Three long texts instead of
 * thousands of short ones are the fastest way in, and cost the garbage collector nothing while a page waits for its turn.
 */
export type Prepared = {
  length: number
  ids: string
  emails: string
  fields: string
  withoutEmail: number
  optedOut: number
  /** who wants no mail, and has an address */
  told: Told[]
  /** hashes of those who are left out */
  erased: ReturnType<typeof hashesOf>
}

/** Done as soon as people arrive, so that no object with all their values waits. */
export const prepare = (target: PageTarget, all: CrmPerson[]): Prepared => {
  const { people, erased } = withoutErased(target, all)
  const emails = people.map(({ values }) => emailHexOf(target.hashKey, values['Email']))
  const encode = encoderOf(target.plan)
  return {
    length: people.length,
    ids: people.map(({ id }) => id).join('\n'),
    emails: emails.join('\n'),
    fields: people.map(({ values }) => encode(values)).join('\n'),
    withoutEmail: emails.filter((email) => email === '').length,
    optedOut: people.filter((person) => optOutField(person) !== undefined).length,
    told: toldBy(people, emails),
    erased: hashesOf(target, erased),
  }
}

const countOf = ({ length, withoutEmail, optedOut }: Prepared): lanes.LaneCounts => ({
  ...lanes.noLaneCounts(),
  read: length,
  withoutEmail,
  optedOut,
})

/** The insert of a page's rows, if `when`. */
const inserting = (sql: Sql, target: PageTarget, runId: string, rows: Prepared, when = sql`true`) =>
  sql`
    insert into records (account_id, list_id, crm_entity, crm_id, email_key, fields, created_run_id)
    select ${target.accountId}::uuid, ${target.listId}::uuid, ${target.entity}, r.id, decode(nullif(r.email, ''), 'hex'), r.fields::jsonb, ${runId}::uuid
    from unnest(string_to_array(${rows.ids}::text, E'\n'), string_to_array(${rows.emails}::text, E'\n'), string_to_array(${rows.fields}::text, E'\n'))
      as r (id, email, fields)
    where ${when}
    order by r.id`

/** Inserts people who are not on the list yet; answers how many. */
export const insertNew = async (sql: Sql, target: PageTarget, runId: string, people: CrmPerson[]): Promise<number> =>
  (
    await sql`${inserting(sql, target, runId, prepare(target, people))} on conflict (list_id, crm_id, crm_entity) do nothing`
  ).count

/** Inserts what is new; what is there already is compared and, where it differs, brought up to date. */
export const storePeople = async (
  sql: Sql,
  target: PageTarget,
  runId: string,
  phase: lanes.Phase,
  rows: Prepared,
): Promise<lanes.LaneCounts> => {
  const counts = countOf(rows)
  counts.skipped = await skipErased(sql, target, runId, phase, rows.erased)
  counts.read += counts.skipped
  if (rows.length === 0) return counts
  const inserted = await sql`
    ${inserting(sql, target, runId, rows)} on conflict (list_id, crm_id, crm_entity) do nothing`
  counts.created = inserted.count
  if (counts.created < rows.length) {
    counts.updated = await mergeExisting(sql, target, runId, phase, rows)
    counts.unchanged = rows.length - counts.created - counts.updated
  }
  if (rows.told.length > 0) await suppressing(sql, target, runId, rows.told)
  return counts
}

type Page = Omit<CrmPage<never>, 'rows'> & { rows: Prepared }

const stepTo = (page: Page, counts: lanes.LaneCounts): lanes.LaneStep => ({
  cursor: page.next,
  done: page.next === null,
  counts,
})

/**
 * A page whose rows are all new, as nearly all are in an import, in one statement and one round trip. The lane moves first, and rows are
 * inserted only if it moved; a row that is on the list already fails the whole, which changes nothing.
 */
const storeNew = async (db: Database, target: PageTarget, key: lanes.LaneKey, page: Page): Promise<lanes.Moved> => {
  const sql = db.$client
  const { rows } = page
  const counts = { ...countOf(rows), created: rows.length }
  const ifMoved = sql`exists (select from moved)`
  const isTold = rows.told.length > 0
  const told = isTold ? sql`, told as (${suppressing(sql, target, key.runId, rows.told, ifMoved)})` : sql``
  return lanes.moved(
    await sql<lanes.Moved[]>`
      with moved as (${lanes.moving(sql, key, stepTo(page, counts))}),
        made as (${inserting(sql, target, key.runId, rows, ifMoved)})${told}
      select * from moved`,
  )
}

/** Any page, in one transaction: rows, entries, then cursor, counts and fence. */
const storeMixed = (db: Database, target: PageTarget, key: lanes.LaneKey, page: Page): Promise<lanes.Moved> =>
  db.$client.begin(async (tx) => {
    const sql = tx as unknown as Sql
    const counts = await storePeople(sql, target, key.runId, key.phase, page.rows)
    const { unreadable, erased } = await skipUnreadable(sql, target, key.runId, key.phase, page.unreadable)
    counts.skipped += erased
    const rejected = await rejectUnreadable(sql, target, key.runId, key.phase, unreadable)
    counts.read += rejected + erased
    counts.rejected += rejected
    await addWarnings(sql, { runId: key.runId, listId: target.listId }, page.warnings)
    return lanes.advance(sql, key, stepTo(page, counts))
  })

const uniqueViolation = '23505'

/** Stores a page and moves its lane on, all or nothing. Throws leaseLost when another attempt at the lane has begun. */
export const storePage = async (
  db: Database,
  target: PageTarget,
  key: lanes.LaneKey,
  page: Page,
): Promise<lanes.Moved> => {
  if (page.rows.length === 0 || page.rows.erased.length + page.unreadable.length + page.warnings.length > 0)
    return storeMixed(db, target, key, page)
  try {
    return await storeNew(db, target, key, page)
  } catch (error) {
    if ((error as { code?: unknown }).code !== uniqueViolation) throw error
    return storeMixed(db, target, key, page)
  }
}
