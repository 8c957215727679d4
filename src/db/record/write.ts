import type { CrmValue } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import { changesBetween } from '../../domain/edit.ts'
import { applyEdits } from '../../domain/record.ts'
import type { Database, Sql } from '../database.ts'
import * as edits from '../edit.ts'
import { keepLate } from '../sync/late.ts'
import {
  addToCount,
  inTransaction,
  insertRows,
  lock,
  lockList,
  ownersOf,
  refuseErased,
  writeEdits,
  type LockedRow,
  type NewRow,
  type Scope,
} from './edit.ts'

/** Errors: externalIdTaken, naming the record that has it. The list is locked. */
const refuseTaken = async (sql: Sql, scope: Scope, externalId: string | null | undefined, by?: string) => {
  const [owner] = await ownersOf(sql, scope, typeof externalId === 'string' ? [externalId] : [])
  if (owner === undefined || owner.id === by) return
  throw new FairleadError('externalIdTaken', {
    ...(owner.removed ? { detail: 'A record that was removed has this external id.' } : {}),
    extra: { recordId: owner.id },
  })
}

/** Also a removed one. Errors: notFound. */
const lockOne = async (sql: Sql, scope: Scope, recordId: string): Promise<LockedRow> => {
  const row = (await lock(sql, scope, [recordId])).get(recordId)
  if (row === undefined) throw new FairleadError('notFound')
  return row
}

/** A new record, also when another one has its address: two people may share one (R1). Errors: notFound, externalIdTaken. */
export const insert = (db: Database, scope: Scope, row: NewRow): Promise<string> =>
  inTransaction(db, scope.accountId, async (sql) => {
    await refuseErased(sql, scope, row.values)
    await lockList(sql, scope)
    await refuseTaken(sql, scope, row.externalId)
    const [id] = await insertRows(sql, scope, [row])
    await edits.insert(sql, scope, [{ recordId: id!, kind: 'created' }])
    return id!
  })

export type Change = {
  values: Record<string, CrmValue>
  externalId?: string | null
  /** the version that the change was made for; another one is a conflict */
  version?: number
}

/**
 * Changes what differs; what does not differ raises no version. Edits of different values by several people at once all stay.
 * Errors: notFound, conflict, externalIdTaken.
 */
export const update = (db: Database, scope: Scope, recordId: string, change: Change): Promise<void> =>
  inTransaction(db, scope.accountId, async (sql) => {
    await refuseErased(sql, scope, change.values)
    if (change.externalId !== undefined) await lockList(sql, scope)
    const row = await lockOne(sql, scope, recordId)
    if (row.removed) throw new FairleadError('notFound')
    if (change.version !== undefined && change.version !== row.version) {
      throw new FairleadError('conflict', { extra: { version: row.version } })
    }
    await refuseTaken(sql, scope, change.externalId, recordId)
    const editing = { linked: row.crmId !== null, bound: scope.bound, at: new Date().toISOString() }
    const { patch, agreed } = applyEdits(row, change.values, editing)
    const renamed = change.externalId !== undefined && change.externalId !== row.externalId
    if (Object.keys(patch).length === 0 && !renamed) return
    const externalId = renamed ? change.externalId : undefined
    await writeEdits(sql, scope, [{ id: recordId, patch, agreed, externalId }])
    const changes = changesBetween(
      { ...row.fields, externalId: row.externalId },
      renamed ? { ...patch, externalId } : patch,
    )
    await edits.insert(sql, scope, [{ recordId, kind: 'edited', changes }])
  })

/** R17: the record is seen no more, and no pull brings it back; the CRM is untouched. Errors: notFound. */
export const remove = (db: Database, scope: Scope, recordId: string): Promise<void> =>
  inTransaction(db, scope.accountId, async (sql) => {
    await lockList(sql, scope)
    if ((await lockOne(sql, scope, recordId)).removed) throw new FairleadError('notFound')
    await sql`
      update records set removed_at = now(), version = version + 1, updated_at = now() where id = ${recordId}::uuid`
    await addToCount(sql, scope, -1)
    await edits.insert(sql, scope, [{ recordId, kind: 'removed' }])
  })

/**
 * Brings a removed record back; the next sync reads its person in the CRM (R14). One that is there already stays as it is.
 * Errors: notFound, recordMerged, naming the record that took its place.
 */
export const restore = (db: Database, scope: Scope, recordId: string): Promise<void> =>
  inTransaction(db, scope.accountId, async (sql) => {
    await lockList(sql, scope)
    const row = await lockOne(sql, scope, recordId)
    if (row.mergedInto !== null) throw new FairleadError('recordMerged', { extra: { recordId: row.mergedInto } })
    if (!row.removed) return
    await sql`
      update records set removed_at = null, version = version + 1, updated_at = now() where id = ${recordId}::uuid`
    if (row.crmEntity !== null && row.crmId !== null) await keepLate(sql, scope, row.crmEntity, [row.crmId])
    await addToCount(sql, scope, 1)
    await edits.insert(sql, scope, [{ recordId, kind: 'restored' }])
  })
