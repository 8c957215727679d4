import { and, asc, eq, sql } from 'drizzle-orm'
import { columnFinder, crmNameOf, isFixed } from '../domain/counterpart.ts'
import type { CrmEntity, CrmField, FieldType } from '../domain/crm.ts'
import { FairleadError, type ErrorCode } from '../domain/errors.ts'
import { isSecretField } from '../domain/field.ts'
import { entityOf, firstFreeColumn, fixedColumnKeys } from '../domain/list.ts'
import * as audits from './audit.ts'
import * as connections from './connection.ts'
import type { Database } from './database.ts'
import * as lists from './list.ts'
import type { Transaction } from './outbox.ts'
import { columns, lists as listRows, records, syncSettings } from './schema.ts'

export type Column = typeof columns.$inferSelect

/** As many as an import takes, and those that are always there. */
const mostColumns = 1000 + Object.keys(fixedColumnKeys).length

const ofList = (accountId: string, listId: string) => and(eq(columns.accountId, accountId), eq(columns.listId, listId))

/** All columns of a list in their order; a list has a few hundred at most. */
export const all = (db: Database | Transaction, accountId: string, listId: string): Promise<Column[]> =>
  db.select().from(columns).where(ofList(accountId, listId)).orderBy(asc(columns.position), asc(columns.id))

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

type NewColumn = Pick<Column, 'name' | 'type'> & Partial<Pick<Column, 'crmField' | 'maxLength' | 'custom'>>

/** Appends columns; a key is never used twice, also after its column is gone. */
const append = async (tx: Transaction, list: lists.List, known: Column[], added: NewColumn[]): Promise<Column[]> => {
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
  return made
}

const free = async (tx: Transaction, { id }: Column): Promise<Column> => {
  const [freed] = await tx.update(columns).set({ system: false }).where(eq(columns.id, id)).returning()
  return freed!
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

const refuseTaken = (known: readonly Column[], name: string, own?: string): void => {
  const fail = (code: ErrorCode, message: string): never => {
    throw new FairleadError(code, { detail: message, errors: [{ path: 'name', message }] })
  }
  if (/^c\d+$/i.test(name)) fail('invalidInput', 'Names such as "c12" are keys of columns.')
  const holder = columnFinder(known)(name)
  if (holder !== undefined && holder.id !== own) fail('nameTaken', `The list has a column "${name}" already.`)
}

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
      refuseTaken(known, asked.name)
      return append(tx, list, known, [asked])
    }
    const [made] = await add()
    await audit(tx, made!, actor, 'create', Object.keys(asked))
    return made!
  })

const get = async (tx: Transaction, accountId: string, listId: string, columnId: string): Promise<Column> => {
  const [found] = await tx
    .select()
    .from(columns)
    .where(and(ofList(accountId, listId), eq(columns.id, columnId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Renames a column, moves it to a place (0 is the first). Errors: notFound, nameTaken, invalidInput. */
export const update = (
  db: Database,
  accountId: string,
  listId: string,
  columnId: string,
  { name, position }: { name?: string; position?: number },
  actor: audits.Actor,
): Promise<Column> =>
  db.transaction(async (tx) => {
    await lockList(tx, accountId, listId)
    const column = await get(tx, accountId, listId, columnId)
    const known = await all(tx, accountId, listId)
    if (name !== undefined) {
      refuseTaken(known, name, columnId)
      await tx.update(columns).set({ name }).where(eq(columns.id, columnId))
    }
    if (position !== undefined) {
      const others = known.map(({ id }) => id).filter((id) => id !== columnId)
      const order = others.toSpliced(position, 0, columnId).join(',')
      await tx.execute(sql`update columns c set position = o.place - 1
        from unnest(string_to_array(${order}, ',')::uuid[]) with ordinality o (id, place) where c.id = o.id`)
    }
    const changed = [...(name === undefined ? [] : ['name']), ...(position === undefined ? [] : ['position'])]
    await audit(tx, column, actor, 'update', changed)
    return get(tx, accountId, listId, columnId)
  })

/** Takes a column out of what is pushed and not pulled; answers where it was. Whoever has read the settings before must read them again. */
const forget = async (tx: Transaction, { listId, key }: Column): Promise<string[]> => {
  const [stored] = await tx.select().from(syncSettings).where(eq(syncSettings.listId, listId))
  if (stored === undefined) return []
  const { push, pull, version } = stored
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
      .where(eq(syncSettings.listId, listId))
  return usedIn
}

/**
 * Removes a column: its values are seen no more, edits of it no longer wait to be pushed. Answers the parts of the sync settings that it was
 * taken out of. Errors: notFound, columnLocked.
 */
export const remove = (
  db: Database,
  accountId: string,
  listId: string,
  columnId: string,
  actor: audits.Actor,
): Promise<string[]> =>
  db.transaction(async (tx) => {
    await lockList(tx, accountId, listId)
    const column = await get(tx, accountId, listId, columnId)
    if (isFixed(column)) throw new FairleadError('columnLocked')
    await tx.delete(columns).where(eq(columns.id, columnId))
    const removedFrom = await forget(tx, column)
    // A new version, so that a run which read the record before decides anew.
    await tx
      .update(records)
      .set({ agreed: sql`${records.agreed} - ${column.key}::text`, version: sql`${records.version} + 1` })
      .where(and(eq(records.listId, listId), sql`${records.agreed} <> '{}' and ${records.agreed} ? ${column.key}`))
    await audit(tx, column, actor, 'remove', removedFrom)
    return removedFrom
  })
