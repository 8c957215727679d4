import type { CrmValue } from '../../domain/crm.ts'
import { FairleadError, type ErrorCode } from '../../domain/errors.ts'
import { emailKeyColumn } from '../../domain/list.ts'
import { applyEdits } from '../../domain/record.ts'
import { changesBetween } from '../../domain/edit.ts'
import type { EntryChanges } from '../../domain/run.ts'
import type { AgreedValues } from '../../domain/sync.ts'
import { isBlank, sameValue } from '../../domain/values.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { emailHexOf } from '../emailKey.ts'
import { erasedAmong } from '../erasure/known.ts'
import {
  inTransaction,
  insertRows,
  lock,
  lockList,
  ownersOf,
  writeEdits,
  type LockedRow,
  type RowEdit,
  type Scope,
} from './edit.ts'

/** `id`: of the record that is meant, when rows are matched by it; without one the row is new */
export type BulkRow = {
  values: Record<string, CrmValue>
  externalId?: string | null
  id?: string
  /** that filled it in; there is one for each record */
  submissionId?: string
}
/** `none`: each row is a record of its own. `fill`: only what is blank is changed. */
export type BulkOptions = { match: 'none' | 'email' | 'externalId' | 'id'; onMatch: 'update' | 'fill' | 'skip' }
export type BulkResult = {
  result: 'created' | 'updated' | 'unchanged' | 'skipped' | 'rejected'
  /** the record; of a rejected row the one that is in the way, null where there is none */
  id: string | null
  /** how many more records of the list have the address */
  others: number
  code?: Extract<ErrorCode, 'externalIdTaken' | 'recordRemoved' | 'erased'> | 'recordUnknown'
}
/** with what an update changed, by column key and `externalId` */
export type BulkOutcome = BulkResult & { changes?: EntryChanges }

/** A record as the rows before have left it. `before` is missing for one that they make. */
type Target = {
  id?: string
  submissionId?: string
  before?: LockedRow
  removed: boolean
  others: number
  fields: Record<string, CrmValue>
  agreed: AgreedValues
  externalId: string | null
}

type Known = {
  byId: ReadonlyMap<string, Target>
  byEmail: Map<string, Target>
  byExternalId: Map<string, Target>
  made: Target[]
  /** addresses of erased people, in hexadecimal */
  erased: ReadonlySet<string>
}

const targetOf = (row: LockedRow, others = 0): Target => ({
  id: row.id,
  before: row,
  removed: row.removed,
  others,
  fields: { ...row.fields },
  agreed: row.agreed,
  externalId: row.externalId,
})

/** The record that stands for each address: the linked one, else the oldest (R1). */
const choose = (sql: Sql, { listId }: Scope, emails: readonly string[]) => sql<
  { email: string; id: string; count: number }[]
>`
  select encode(r.email_key, 'hex') as email, count(*)::int as count,
    (array_agg(r.id order by r.crm_id is not null and p.crm_id is null desc, r.crm_id is not null desc, r.id))[1]::text as id
  from records r join lists l on l.id = r.list_id
    left join crm_people p on p.connection_id = l.connection_id and p.entity = r.crm_entity and p.crm_id = r.crm_id
  where r.list_id = ${listId}::uuid and r.removed_at is null
    and r.email_key = any(array(select decode(x, 'hex') from unnest(string_to_array(${emails.join('\n')}::text, E'\n')) x))
  group by r.email_key`

const tries = 3

const lockByEmail = async (sql: Sql, scope: Scope, emails: string[]): Promise<Map<string, Target>> => {
  if (emails.length === 0) return new Map()
  for (let left = tries; left > 0; left -= 1) {
    const chosen = await choose(sql, scope, emails)
    const rows = await lock(
      sql,
      scope,
      chosen.map(({ id }) => id),
    )
    const found = chosen.flatMap(({ email, id, count }) => {
      const row = rows.get(id)
      return row === undefined || row.removed || row.email !== email ? [] : [[email, targetOf(row, count - 1)] as const]
    })
    if (found.length === chosen.length) return new Map(found)
    // an address was changed between choosing and locking
  }
  throw new FairleadError('overloaded', { retryAfterMs: 1000 })
}

/** `emails`: hexadecimal, one for each row when rows are matched by them */
type Job = BulkOptions & { emails: readonly string[]; at: string }

const load = async (sql: Sql, scope: Scope, rows: readonly BulkRow[], { match, emails }: Job): Promise<Known> => {
  const byEmail = await lockByEmail(
    sql,
    scope,
    [...new Set(emails)].filter((email) => email !== ''),
  )
  const externalIds = rows.flatMap(({ externalId }) => (typeof externalId === 'string' ? [externalId] : []))
  const owners = await ownersOf(sql, scope, [...new Set(externalIds)])
  // Matching by e-mail it is enough to know that there is somebody else.
  const asked = match === 'id' ? rows.flatMap(({ id }) => id ?? []) : []
  const ids = new Set(match === 'externalId' ? owners.map(({ id }) => id) : asked)
  const locked = [...(await lock(sql, scope, [...ids])).values()].map((row) => targetOf(row))
  const byId = new Map([...locked, ...byEmail.values()].map((target) => [target.id!, target]))
  const strange = ({ id, removed }: (typeof owners)[number]): Target => ({
    id,
    removed,
    others: 0,
    fields: {},
    agreed: {},
    externalId: null,
  })
  return {
    byId,
    byEmail,
    byExternalId: new Map(owners.map((owner) => [owner.externalId, byId.get(owner.id) ?? strange(owner)])),
    made: [],
    erased: await erasedAmong(
      sql,
      scope.accountId,
      rows.map(({ values }) => emailHexOf(scope.hashKey, values[emailKeyColumn])),
    ),
  }
}

type Outcome = Omit<BulkOutcome, 'id' | 'others'> & { target: Target }

/** The record that a row means by other than its external id. */
const meantBy = (known: Known, { id }: BulkRow, email: string, match: BulkOptions['match']): Target | undefined => {
  if (match === 'email') return known.byEmail.get(email)
  return match === 'id' && id !== undefined ? known.byId.get(id) : undefined
}

/** What a row does to the record that it means, after the rows before it. */
const apply = (
  scope: Scope,
  known: Known,
  row: BulkRow,
  index: number,
  { match, onMatch, emails, at }: Job,
): Outcome => {
  const email = emails[index] ?? ''
  const asked = row.externalId
  const owner = typeof asked === 'string' ? known.byExternalId.get(asked) : undefined
  const found = match === 'externalId' ? owner : meantBy(known, row, email, match)
  const nobody: Target = { removed: false, others: 0, fields: {}, agreed: {}, externalId: null }
  if (known.erased.size > 0 && known.erased.has(emailHexOf(scope.hashKey, row.values[emailKeyColumn])))
    return { result: 'skipped', code: 'erased', target: nobody }
  if (match === 'id' && row.id !== undefined && found === undefined)
    return { result: 'rejected', code: 'recordUnknown', target: nobody }
  if (found?.removed === true) return { result: 'rejected', code: 'recordRemoved', target: found }
  if (found !== undefined && onMatch === 'skip') return { result: 'skipped', target: found }
  if (owner !== undefined && owner !== found) return { result: 'rejected', code: 'externalIdTaken', target: owner }
  const target = found ?? nobody
  target.submissionId = row.submissionId
  const earlierId = target.externalId
  const renamed = asked !== undefined && owner === undefined && asked !== target.externalId
  if (renamed) {
    if (target.externalId !== null) known.byExternalId.delete(target.externalId)
    if (asked !== null) known.byExternalId.set(asked, target)
    target.externalId = asked
  }
  const { [emailKeyColumn]: _address, ...others } = row.values
  // The same address in other letters is what the record was found by, and no edit.
  const given = match === 'email' && found !== undefined ? others : row.values
  const fills = (key: string): boolean => found === undefined || onMatch !== 'fill' || isBlank(found.fields[key])
  const edits = Object.fromEntries(Object.entries(given).filter(([key]) => fills(key)))
  if (found === undefined) {
    known.made.push(target)
    if (match === 'email' && email !== '') known.byEmail.set(email, target)
    target.fields = { ...edits }
    return { result: 'created', target }
  }
  const linked = target.before !== undefined && target.before.crmId !== null
  const { patch, agreed } = applyEdits(target, edits, { linked, bound: scope.bound, at })
  const changes = changesBetween(
    { ...target.fields, externalId: earlierId ?? undefined },
    renamed ? { ...patch, externalId: asked } : patch,
  )
  Object.assign(target.fields, patch)
  target.agreed = agreed
  return Object.keys(changes).length > 0 ? { result: 'updated', target, changes } : { result: 'unchanged', target }
}

/** What all rows together changed of a record that was there; undefined when they left it as it was. */
const editOf = (before: LockedRow, { fields, agreed, externalId }: Target): RowEdit | undefined => {
  const patch = Object.fromEntries(
    Object.entries(fields).filter(([key, value]) => !sameValue(before.fields[key], value)),
  )
  const renamed = externalId !== before.externalId
  if (Object.keys(patch).length === 0 && !renamed) return undefined
  return { id: before.id, patch, agreed, ...(renamed ? { externalId } : {}) }
}

/** Of an upload its entries say what it changed, and its records who made them. */
const noteAll = async (
  sql: Sql,
  scope: Scope,
  touched: ReadonlySet<Target>,
  made: readonly Target[],
): Promise<void> => {
  if (scope.runId !== undefined) return
  const changed = [...touched].flatMap((target): edits.NewEdit[] => {
    const { before } = target
    const edit = before && editOf(before, target)
    if (before === undefined || edit === undefined) return []
    const after = edit.externalId === undefined ? edit.patch : { ...edit.patch, externalId: edit.externalId }
    const changes = changesBetween({ ...before.fields, externalId: before.externalId }, after)
    const { submissionId } = target
    return [{ recordId: before.id, kind: submissionId === undefined ? 'edited' : 'submitted', changes, submissionId }]
  })
  const created = made.map(({ id, submissionId }) => ({ recordId: id!, kind: 'created' as const, submissionId }))
  await edits.insert(sql, scope, [...created, ...changed])
}

/** `upsert` within a transaction of the caller's. Errors: notFound. */
export const upsertIn = async (
  sql: Sql,
  scope: Scope,
  rows: readonly BulkRow[],
  options: BulkOptions,
): Promise<BulkOutcome[]> => {
  await lockList(sql, scope)
  const emails =
    options.match === 'email' ? rows.map(({ values }) => emailHexOf(scope.hashKey, values[emailKeyColumn])) : []
  const job = { ...options, emails, at: new Date().toISOString() }
  const known = await load(sql, scope, rows, job)
  const outcomes = rows.map((row, index) => apply(scope, known, row, index, job))
  const touched = new Set(outcomes.map(({ target }) => target))
  const changed = [...touched].flatMap((target) => (target.before && editOf(target.before, target)) ?? [])
  await writeEdits(sql, scope, changed)
  const ids = await insertRows(
    sql,
    scope,
    known.made.map(({ fields, externalId }) => ({ values: fields, externalId })),
  )
  for (const [index, target] of known.made.entries()) target.id = ids[index]!
  await noteAll(sql, scope, touched, known.made)
  return outcomes.map(({ target, ...outcome }) => ({ ...outcome, id: target.id ?? null, others: target.others }))
}

/**
 * Makes and changes records, a result per row in its order; a person who is there twice is one record, changed in order. Rows without an address
 * match nobody by it (R6). A handful of statements, whatever the number of rows. Errors: notFound.
 */
export const upsert = (
  db: Database,
  scope: Scope,
  rows: readonly BulkRow[],
  options: BulkOptions,
): Promise<BulkResult[]> =>
  inTransaction(db, scope.accountId, async (sql) => {
    const outcomes = await upsertIn(sql, scope, rows, options)
    return outcomes.map(({ changes: _changes, ...result }) => result)
  })
