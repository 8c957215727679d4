import { and, eq, inArray, sql } from 'drizzle-orm'
import type { CrmField } from '../../domain/crm.ts'
import type { ColumnPlan } from '../../domain/values.ts'
import { FairleadError } from '../../domain/errors.ts'
import { noteWidening } from '../column.ts'
import { findFields, upsertFields } from '../connection.ts'
import type { Database } from '../database.ts'
import { hashKeyOf } from '../emailKey.ts'
import type * as runs from '../run/state.ts'
import { warn } from '../run/warning.ts'
import { columns } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import type { PageTarget } from './page.ts'

export const boundColumns = (db: Database, listId: string) =>
  db
    .select({
      key: columns.key,
      crmField: columns.crmField,
      type: columns.type,
      name: columns.name,
      staleAt: columns.staleAt,
      system: columns.system,
    })
    .from(columns)
    .where(and(eq(columns.listId, listId), sql`${columns.crmField} is not null`))
    .orderBy(columns.position)

/**
 * R24: columns whose field is gone are marked stale and left out with a warning; those that are back lose the mark, and the next sync reads them for
 * everybody, since pulls in between have passed over their changes (R14).
 */
export const markStale = async (db: Database, run: runs.Run, live: CrmField[]): Promise<void> => {
  const names = new Set(live.map((field) => field.name.toLowerCase()))
  const bound = await boundColumns(db, run.listId!)
  const isThere = (column: { crmField: string | null }): boolean => names.has(column.crmField!.toLowerCase())
  const back = bound.filter((column) => column.staleAt !== null && isThere(column)).map(({ key }) => key)
  if (back.length > 0) {
    const ofList = and(eq(columns.listId, run.listId!), inArray(columns.key, back))
    await db.transaction(async (tx) => {
      await tx.update(columns).set({ staleAt: null }).where(ofList)
      await noteWidening(tx, run.listId!)
    })
  }
  const missing = bound.filter((column) => !isThere(column))
  const warnings = missing.map(({ crmField }) => ({ code: 'fieldMissing' as const, field: crmField!, count: 1 }))
  await warn(db, { runId: run.id, listId: run.listId! }, warnings)
}

/** The CRM's fields as they were just read. */
export const noteFields = async (db: Database, run: runs.Run, live: CrmField[]): Promise<void> => {
  await upsertFields(db, run.accountId, run.connectionId!, run.entity!, live)
  await markStale(db, run, live)
}

/** What a page of the run's list is read with, and where it goes: stale columns are not asked for. */
export const targetOf = async (
  db: Database,
  secrets: SecretBox,
  run: runs.Run,
): Promise<{ target: PageTarget & { connectionId: string }; fields: CrmField[] }> => {
  const bound = await boundColumns(db, run.listId!)
  const live = await findFields(db, run.accountId, run.entity!)
  if (live === undefined) throw new FairleadError('entityDisabled')
  const byName = new Map(live.fields.map((field) => [field.name.toLowerCase(), field]))
  const plan: [string, string][] = []
  const fields: CrmField[] = []
  for (const column of bound) {
    const field = byName.get(column.crmField!.toLowerCase())
    if (field === undefined || column.staleAt !== null) continue
    fields.push(field)
    plan.push([field.name, column.key])
  }
  const hashKey = await hashKeyOf(db, secrets, run.accountId)
  const target = {
    accountId: run.accountId,
    listId: run.listId!,
    connectionId: run.connectionId!,
    entity: run.entity!,
    hashKey,
    plan: plan as ColumnPlan,
  }
  return { target, fields }
}
