import { and, eq, sql } from 'drizzle-orm'
import { columnFinder, isFixed } from '../../domain/counterpart.ts'
import type { FieldType } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { moveTo } from '../order.ts'
import type { Transaction } from '../outbox.ts'
import { columns, records, removedColumns, syncSettings } from '../schema.ts'
import { usingColumn as formsUsing } from '../form/uses.ts'
import { usingColumn, type Named } from '../segment/uses.ts'
import { addBound, append } from './add.ts'
import { refuseTaken } from './name.ts'
import { all, lockList, ofList, select, type Column } from './read.ts'
import { choose, recognise } from './recognise.ts'

const audit = (
  tx: Transaction,
  { accountId, id }: Column,
  actor: audits.Actor,
  verb: 'create' | 'update' | 'remove',
  changed: string[],
) => audits.insert(tx, accountId, actor, { action: `column.${verb}`, targetId: id, details: { changed } })

export type Asked = { crmField: string } | { name: string; type: FieldType }

/** A column for a CRM field (S5), or one of the list's own. Errors: notFound, invalidInput and those of addBound. */
export const insert = (
  db: Database,
  accountId: string,
  listId: string,
  asked: Asked,
  actor: audits.Actor,
): Promise<Column> =>
  db.transaction(async (tx) => {
    const list = await lockList(tx, accountId, listId)
    const add = async (): Promise<Column[]> => {
      if ('crmField' in asked) return addBound(tx, list, [asked.crmField], () => 'crmField')
      const known = await all(tx, accountId, listId)
      refuseTaken(columnFinder(known), asked.name, 'name')
      return append(tx, list, known, [asked])
    }
    const [made] = await add()
    await audit(tx, made!, actor, 'create', Object.keys(asked))
    return made!
  })

const get = async (tx: Transaction, accountId: string, listId: string, columnId: string): Promise<Column> => {
  const [found] = await select(tx).where(and(ofList(accountId, listId), eq(columns.id, columnId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

type Changes = { name?: string; position?: number; standardField?: string | null }

/**
 * Renames a column, moves it to a place (0 is the first), says what it means: the name of a standard field, or null for nothing (A1). Errors: notFound,
 * nameTaken, invalidInput.
 */
export const update = (
  db: Database,
  accountId: string,
  listId: string,
  columnId: string,
  { name, position, standardField }: Changes,
  actor: audits.Actor,
): Promise<Column> =>
  db.transaction(async (tx) => {
    await lockList(tx, accountId, listId)
    const column = await get(tx, accountId, listId, columnId)
    const known = await all(tx, accountId, listId)
    if (name !== undefined) {
      refuseTaken(columnFinder(known), name, 'name', columnId)
      await tx.update(columns).set({ name }).where(eq(columns.id, columnId))
      if (standardField === undefined) await recognise(tx, accountId, [{ ...column, name }])
    }
    if (standardField !== undefined) await choose(tx, column, standardField)
    if (position !== undefined) {
      const ids = known.map(({ id }) => id)
      await moveTo(tx, columns, ids, columnId, position)
    }
    const given = Object.entries({ name, position, standardField })
    const changed = given.flatMap(([key, value]) => (value === undefined ? [] : [key]))
    await audit(tx, column, actor, 'update', changed)
    return get(tx, accountId, listId, columnId)
  })

type StoredSettings = typeof syncSettings.$inferSelect

/** Takes a column out of stored settings; answers where it was. Whoever has read them before must read them again. */
const forgetIn = async (tx: Transaction, key: string, stored: StoredSettings): Promise<string[]> => {
  const { holderId, push, pull, version } = stored
  const uses = {
    'push.fields': push.fields,
    'push.clearFields': push.clearFields,
    'pull.excludedFields': pull.excludedFields,
  }
  const usedIn = Object.entries(uses).flatMap(([name, keys]) => (keys.includes(key) ? [name] : []))
  const without = (keys: string[]): string[] => keys.filter((each) => each !== key)
  if (usedIn.length > 0)
    await tx
      .update(syncSettings)
      .set({
        version: version + 1,
        push: { ...push, fields: without(push.fields), clearFields: without(push.clearFields) },
        pull: { ...pull, excludedFields: without(pull.excludedFields) },
        updatedAt: new Date(),
      })
      .where(eq(syncSettings.holderId, holderId))
  return usedIn
}

/** Takes a column out of the settings of its list and of the list's segments. */
const forget = async (tx: Transaction, { listId, key }: Column): Promise<string[]> => {
  const stored = await tx.select().from(syncSettings).where(eq(syncSettings.listId, listId))
  const usedIn = new Set<string>()
  for (const settings of stored) for (const part of await forgetIn(tx, key, settings)) usedIn.add(part)
  return [...usedIn]
}

/**
 * `removedFrom`: parts of the sync settings that named it and do so no more. `segments`: those that are broken without it. `forms`: those that filled
 * it and keep the answers with their submissions only.
 */
export type Removed = { removedFrom: string[]; segments: Named[]; forms: Named[] }

/**
 * Removes a column: its values are seen no more, edits of it no longer wait to be pushed. Segments that use it stay, and say so.
 * Errors: notFound, columnLocked.
 */
export const remove = (
  db: Database,
  accountId: string,
  listId: string,
  columnId: string,
  actor: audits.Actor,
): Promise<Removed> =>
  db.transaction(async (tx) => {
    await lockList(tx, accountId, listId)
    const column = await get(tx, accountId, listId, columnId)
    if (isFixed(column)) throw new FairleadError('columnLocked')
    await tx.delete(columns).where(eq(columns.id, columnId))
    await tx.insert(removedColumns).values({ accountId, listId, key: column.key, name: column.name })
    const removedFrom = await forget(tx, column)
    // A new version, so that a run which read the record before decides anew.
    await tx
      .update(records)
      .set({ agreed: sql`${records.agreed} - ${column.key}::text`, version: sql`${records.version} + 1` })
      .where(and(eq(records.listId, listId), sql`${records.agreed} <> '{}' and ${records.agreed} ? ${column.key}`))
    await audit(tx, column, actor, 'remove', removedFrom)
    return { removedFrom, segments: await usingColumn(tx, column), forms: await formsUsing(tx, column) }
  })
