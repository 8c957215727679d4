import { eq } from 'drizzle-orm'
import { columnFinder, crmNameOf } from '../../domain/counterpart.ts'
import type { CrmField } from '../../domain/crm.ts'
import { FairleadError, type ErrorCode } from '../../domain/errors.ts'
import { isSecretField } from '../../domain/field.ts'
import { entityOf, firstFreeColumn, fixedColumnKeys } from '../../domain/list.ts'
import type * as lists from '../list.ts'
import type { Transaction } from '../outbox.ts'
import { columns, lists as listRows } from '../schema.ts'
import { all, liveFields, noteWidening, type Column } from './read.ts'
import { recognise } from './recognise.ts'

/** As many as an import takes, and those that are always there. */
export const mostColumns = 1000 + Object.keys(fixedColumnKeys).length

type NewColumn = Pick<Column, 'name' | 'type'> & Partial<Pick<Column, 'crmField' | 'maxLength' | 'custom'>>

/** Appends columns; a key is never used twice, also after its column is gone. */
export const append = async (
  tx: Transaction,
  list: lists.List,
  known: Column[],
  added: NewColumn[],
): Promise<Column[]> => {
  if (added.length === 0) return []
  if (known.length + added.length > mostColumns) {
    throw new FairleadError('invalidInput', { detail: `A list has at most ${mostColumns} columns.` })
  }
  const used = new Set(known.map(({ key }) => key))
  const numbers = [...used].map((key) => Number(key.slice(1)) + 1)
  let next = Math.max(list.nextColumn, firstFreeColumn, ...numbers)
  const last = Math.max(-1, ...known.map(({ position }) => position))
  const rows = added.map((column, index) => {
    const fixed = fixedColumnKeys[column.crmField ?? '']
    const key = fixed === undefined || used.has(fixed) ? `c${next++}` : fixed
    return { ...column, accountId: list.accountId, listId: list.id, key, position: last + 1 + index }
  })
  const made = await tx.insert(columns).values(rows).returning()
  await tx.update(listRows).set({ nextColumn: next }).where(eq(listRows.id, list.id))
  await recognise(tx, list.accountId, made)
  const ids = new Set(made.map(({ id }) => id))
  return (await all(tx, list.accountId, list.id)).filter(({ id }) => ids.has(id))
}

const free = async (tx: Transaction, column: Column): Promise<Column> => {
  await tx.update(columns).set({ system: false }).where(eq(columns.id, column.id))
  return { ...column, system: false }
}

/**
 * S5: columns for further CRM fields, filled for everybody by the next sync. One that Fairlead reads for its own use becomes a column like any
 * other. `at` names the place of a field in the request. Errors: notConnected, unknownField, secretField, duplicateField, nameTaken,
 * pullNotPossible.
 */
export const addBound = async (
  tx: Transaction,
  list: lists.List,
  names: readonly string[],
  at: (index: number) => string,
): Promise<Column[]> => {
  if (names.length === 0) return []
  const entity = entityOf(list.kind)
  const fail = (code: ErrorCode, index: number, message: string): never => {
    throw new FairleadError(code, { detail: message, errors: [{ path: at(index), message }] })
  }
  if (entity === null)
    return fail('pullNotPossible', 0, 'A plain list has no fields of the CRM; name a column and its type.')
  const live = await liveFields(tx, list.accountId, list)
  if (live === null) throw new FairleadError('notConnected', { detail: 'The CRM of this list is not connected.' })
  const fields = new Map((live[entity] ?? []).map((field) => [field.name.toLowerCase(), field]))
  const known = await all(tx, list.accountId, list.id)
  const bound = new Map(known.map((column) => [crmNameOf(column)?.toLowerCase(), column]))
  const find = columnFinder(known)
  const asked = new Set<string>()
  const added: CrmField[] = []
  const freed: Column[] = []
  for (const [index, said] of names.entries()) {
    const lower = said.toLowerCase()
    const [field, column] = [fields.get(lower), bound.get(lower)]
    if (isSecretField(said)) fail('secretField', index, `"${said}" holds a secret and is never read.`)
    else if (asked.has(lower)) fail('duplicateField', index, `"${said}" is chosen twice.`)
    else if (column?.system) freed.push(await free(tx, column))
    else if (column) fail('duplicateField', index, `"${said}" is a column of the list already.`)
    else if (!field) fail('unknownField', index, `The CRM has no field "${said}" for a ${entity}.`)
    else if (find(field.name)?.crmField === null)
      fail('nameTaken', index, `The list has a column "${said}" that is not bound to the CRM; rename it first.`)
    else added.push(field)
    asked.add(lower)
  }
  const made = await append(
    tx,
    list,
    known,
    added.map(({ label, type, name, maxLength, custom }) => ({ name: label, type, crmField: name, maxLength, custom })),
  )
  if (made.length > 0) await noteWidening(tx, list.id)
  return [...freed, ...made]
}
