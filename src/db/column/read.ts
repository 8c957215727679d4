import { and, asc, eq, getTableColumns, sql } from 'drizzle-orm'
import type { CrmEntity, CrmField } from '../../domain/crm.ts'
import type { Standard } from '../../domain/standardField.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import { columns, lists as listRows, removedColumns, standardFields } from '../schema.ts'

/** `standard`: what a column without a bound field is in the CRM (A1). */
export type Column = typeof columns.$inferSelect & { standard: Standard | null }

export const ofList = (accountId: string, listId: string) =>
  and(eq(columns.accountId, accountId), eq(columns.listId, listId))

/** Columns with their standard fields. */
export const select = (db: Database | Transaction) =>
  db
    .select({
      ...getTableColumns(columns),
      standard: {
        name: standardFields.name,
        systemUsage: standardFields.systemUsage,
        lead: standardFields.leadField,
        contact: standardFields.contactField,
      },
    })
    .from(columns)
    .leftJoin(standardFields, eq(standardFields.id, columns.standardFieldId))
    .$dynamic()

/** All columns of a list in their order; a list has a few hundred at most. */
export const all = (db: Database | Transaction, accountId: string, listId: string): Promise<Column[]> =>
  select(db).where(ofList(accountId, listId)).orderBy(asc(columns.position), asc(columns.id))

/** The last known names of columns that were removed, by key. */
export const lostNames = async (
  db: Database | Transaction,
  accountId: string,
  listId: string,
): Promise<Map<string, string>> => {
  const rows = await db
    .select({ key: removedColumns.key, name: removedColumns.name })
    .from(removedColumns)
    .where(and(eq(removedColumns.accountId, accountId), eq(removedColumns.listId, listId)))
  return new Map(rows.map(({ key, name }) => [key, name]))
}

/** A list whose columns and settings nobody else changes until the transaction ends. Errors: notFound. */
export const lockList = async (tx: Transaction, accountId: string, listId: string): Promise<lists.List> => {
  await tx
    .select({ id: listRows.id })
    .from(listRows)
    .where(and(eq(listRows.accountId, accountId), eq(listRows.id, listId)))
    .for('no key update')
  return lists.get(tx, accountId, listId)
}

type Live = Partial<Record<CrmEntity, CrmField[]>>

/** The fields of the CRM that a list belongs to, as they were read last; null when that is not the CRM which is connected. */
export const liveFields = async (
  db: Database | Transaction,
  accountId: string,
  { connectionId }: Pick<lists.List, 'connectionId'>,
): Promise<Live | null> => {
  const active = await connections.findActive(db, accountId)
  if (active === undefined || (connectionId !== null && connectionId !== active.id)) return null
  const lead = await connections.findFields(db, accountId, 'lead')
  const contact = await connections.findFields(db, accountId, 'contact')
  return { ...(lead && { lead: lead.fields }), ...(contact && { contact: contact.fields }) }
}

/** More is pulled than before: the next sync reads everybody. Later than any widening before, so that a run can tell which one it settled. */
export const noteWidening = async (tx: Transaction, listId: string): Promise<void> => {
  const widenedAt = sql`greatest(clock_timestamp(), ${listRows.widenedAt} + interval '1 ms')` as unknown as Date
  await tx.update(listRows).set({ widenedAt }).where(eq(listRows.id, listId))
}
