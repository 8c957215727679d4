import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { CrmField } from '../../domain/crm.ts'
import type { RunWarning } from '../../domain/run.ts'
import type { ColumnPlan } from '../../domain/values.ts'
import { FairleadError } from '../../domain/errors.ts'
import { toRunWarning } from '../../domain/warning.ts'
import { findFields, upsertFields } from '../connection.ts'
import type { Database } from '../database.ts'
import { hashKeyOf } from '../emailKey.ts'
import * as runs from '../run/state.ts'
import { columns } from '../schema.ts'
import type { SecretBox } from '../secret.ts'
import type { PageTarget } from './page.ts'

const boundColumns = (db: Database, listId: string) =>
  db
    .select({
      key: columns.key,
      crmField: columns.crmField,
      type: columns.type,
      name: columns.name,
      staleAt: columns.staleAt,
    })
    .from(columns)
    .where(and(eq(columns.listId, listId), sql`${columns.crmField} is not null`))
    .orderBy(columns.position)

/** R24: columns whose field is gone are marked stale and left out with a warning; those that are back lose the mark. */
export const noteFields = async (db: Database, run: runs.Run, live: CrmField[]): Promise<void> => {
  await upsertFields(db, run.accountId, run.connectionId!, run.entity!, live)
  const names = new Set(live.map((field) => field.name.toLowerCase()))
  const bound = await boundColumns(db, run.listId!)
  const missing = bound.filter((column) => !names.has(column.crmField!.toLowerCase()))
  await setStale(
    db,
    run.listId!,
    bound.filter((column) => column.staleAt !== null && !missing.includes(column)).map((column) => column.crmField!),
    false,
  )
  if (missing.length === 0) return
  await warn(
    db,
    run,
    missing.map((column) => toRunWarning({ code: 'fieldMissing', field: column.crmField!, count: 1 })),
  )
}

const setStale = async (db: Database, listId: string, fields: string[], stale: boolean): Promise<void> => {
  if (fields.length === 0) return
  await db
    .update(columns)
    .set({ staleAt: stale ? new Date() : null })
    .where(
      and(eq(columns.listId, listId), inArray(columns.crmField, fields), stale ? isNull(columns.staleAt) : undefined),
    )
}

/** Says what reading found out; a field that turned out to be missing makes its column stale. */
export const warn = async (db: Database, run: runs.Run, warnings: RunWarning[]): Promise<void> => {
  await runs.warn(db, run.id, warnings)
  const missing = warnings
    .filter((each) => each.code === 'fieldMissing' && each.field !== undefined)
    .map((each) => each.field!)
  await setStale(db, run.listId!, missing, true)
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
