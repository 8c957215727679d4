import { and, eq, isNull, sql } from 'drizzle-orm'
import { crmNameOf, isFixed } from '../../domain/counterpart.ts'
import { misplaced } from '../../domain/errors.ts'
import { isMapped, recogniser } from '../../domain/standardField.ts'
import type { Transaction } from '../outbox.ts'
import { columns, lists } from '../schema.ts'
import { forgetEdits } from './compare.ts'
import { allOf, lockFields, type StandardFieldRow } from '../standardField/read.ts'
import type { Column } from './read.ts'

type Plain = Omit<Column, 'standard'>

/** Columns that are something in the CRM by their standard field at most, and of which nobody has said what they mean. */
const isOpen = (column: Plain): boolean =>
  crmNameOf(column) === null && !isFixed(column) && column.standardFieldId === null && !column.standardFieldSaid

const asStandard = ({ name, systemUsage, leadField, contactField }: StandardFieldRow) => ({
  name,
  systemUsage,
  lead: leadField,
  contact: contactField,
})

const assign = async (tx: Transaction, found: { id: string; field: StandardFieldRow; mapped: boolean }[]) => {
  if (found.length === 0) return
  const rows = found.map(({ id, field, mapped }) => ({ id, field: field.id, mapped }))
  await tx.execute(sql`
    update columns c set standard_field_id = f.field,
      standard_since = clock_timestamp(), uncompared_at = case when f.mapped then clock_timestamp() else c.uncompared_at end
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as f (id uuid, field uuid, mapped boolean) where c.id = f.id`)
}

/** A1: plain columns are recognised by the names and aliases of the account's standard fields. Nobody saves those until the transaction ends. */
export const recognise = async (tx: Transaction, accountId: string, rows: readonly Plain[]): Promise<void> => {
  const open = rows.filter(isOpen)
  if (open.length === 0) return
  await lockFields(tx, accountId, 'shared')
  const find = recogniser(await allOf(tx, accountId))
  const found = open.flatMap(({ id, key, crmField, name }) => {
    const field = find(name)
    if (field === undefined) return []
    return [{ id, field, mapped: isMapped({ key, crmField, standard: asStandard(field) }) }]
  })
  await assign(tx, found)
}

/** The same for all columns of the account, after the standard fields were saved. */
export const recogniseAll = async (tx: Transaction, accountId: string): Promise<void> => {
  const rows = await tx
    .select({ column: columns })
    .from(columns)
    .innerJoin(lists, eq(lists.id, columns.listId))
    .where(
      and(
        eq(columns.accountId, accountId),
        isNull(lists.removedAt),
        isNull(columns.crmField),
        isNull(columns.standardFieldId),
        eq(columns.standardFieldSaid, false),
      ),
    )
  await recognise(
    tx,
    accountId,
    rows.map(({ column }) => column),
  )
}

/** What a person says that a column means; it is not recognised anew. Errors: invalidInput, naming `standardField`. */
export const choose = async (tx: Transaction, column: Column, said: string | null): Promise<void> => {
  if (crmNameOf(column) !== null || isFixed(column))
    throw misplaced('standardField', 'This column is bound to a field of the CRM; that is what it means.')
  await lockFields(tx, column.accountId, 'shared')
  const field = said === null ? null : recogniser(await allOf(tx, column.accountId))(said)
  if (field === undefined) throw misplaced('standardField', 'There is no standard field of this name.')
  const { key, crmField, standardFieldId, uncomparedAt } = column
  const mapped = field !== null && isMapped({ key, crmField, standard: asStandard(field) })
  const same = field?.id === standardFieldId
  await tx
    .update(columns)
    .set({
      standardFieldId: field?.id ?? null,
      standardFieldSaid: true,
      ...(!same && { standardSince: sql`clock_timestamp()` }),
      uncomparedAt: !mapped ? null : same ? uncomparedAt : sql`clock_timestamp()`,
    })
    .where(eq(columns.id, column.id))
  if (!mapped && isMapped(column)) await forgetEdits(tx, [column])
}
