import { and, eq, notInArray, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import { readStandardFields, type AskedField } from '../../domain/standardField.ts'
import * as accounts from '../account.ts'
import * as audits from '../audit.ts'
import { forgetEdits } from '../column/compare.ts'
import { liveFields } from '../column/read.ts'
import { recogniseAll } from '../column/recognise.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { accounts as accountRows, columns, standardFields } from '../schema.ts'
import { get, lockFields, type Stored } from './read.ts'

type Read = ReturnType<typeof readStandardFields>

/** Columns that lose their standard field may be recognised anew, whatever was said before. */
const dropOthers = async (tx: Transaction, accountId: string, kept: string[]): Promise<void> => {
  const dropped = and(
    eq(standardFields.accountId, accountId),
    kept.length === 0 ? undefined : notInArray(standardFields.id, kept),
  )
  const ids = tx.select({ id: standardFields.id }).from(standardFields).where(dropped)
  await tx
    .update(columns)
    .set({ standardFieldId: null, standardFieldSaid: false, uncomparedAt: null })
    .where(and(eq(columns.accountId, accountId), sql`${columns.standardFieldId} in ${ids}`))
  await tx.delete(standardFields).where(dropped)
}

const store = async (tx: Transaction, accountId: string, read: Read): Promise<void> => {
  // a name may go from one to another
  await tx
    .update(standardFields)
    .set({ name: sql`${standardFields.id}::text` })
    .where(eq(standardFields.accountId, accountId))
  const json = JSON.stringify(read.map((field, position) => ({ ...field, position })))
  await tx.execute(sql`
    insert into standard_fields (id, account_id, name, aliases, system_usage, lead_field, contact_field, position)
    select coalesce(f.id, uuidv7()), ${accountId}::uuid, f.name, f.aliases, f."systemUsage", f."leadField", f."contactField", f.position
    from jsonb_to_recordset(${json}::text::jsonb)
      as f (id uuid, name text, aliases jsonb, "systemUsage" text, "leadField" text, "contactField" text, position int)
    on conflict (id) do update set name = excluded.name, aliases = excluded.aliases, system_usage = excluded.system_usage,
      lead_field = excluded.lead_field, contact_field = excluded.contact_field, position = excluded.position`)
}

/** Columns that mean another field of the CRM than before: their values were never compared with it (R13). */
const noteChanged = async (tx: Transaction, accountId: string, before: Stored['items'], read: Read): Promise<void> => {
  const was = new Map(before.map((field) => [field.id, field]))
  const changed = read.flatMap(({ id, leadField, contactField }) => {
    const old = id === null ? undefined : was.get(id)
    const isOther = (now: string | null, then: string | null | undefined): boolean => now !== null && now !== then
    return isOther(leadField, old?.leadField) || isOther(contactField, old?.contactField) ? (id ?? []) : []
  })
  await tx.execute(sql`
    update columns set standard_since = clock_timestamp(), uncompared_at = clock_timestamp()
    where account_id = ${accountId}::uuid and standard_field_id = any(string_to_array(${changed.join('\n')}::text, E'\n')::uuid[])`)
}

/** Columns that a standard field makes a field of the CRM. */
const mappedColumns = (tx: Transaction, accountId: string) =>
  tx
    .select({ id: columns.id, listId: columns.listId, key: columns.key })
    .from(columns)
    .innerJoin(standardFields, eq(standardFields.id, columns.standardFieldId))
    .where(
      and(
        eq(columns.accountId, accountId),
        sql`coalesce(${standardFields.leadField}, ${standardFields.contactField}) is not null`,
      ),
    )

/** Columns that were a field of the CRM and are none any more. */
const noteLost = async (
  tx: Transaction,
  accountId: string,
  before: Awaited<ReturnType<typeof mappedColumns>>,
): Promise<void> => {
  const kept = new Set((await mappedColumns(tx, accountId)).map(({ id }) => id))
  const lost = before.filter(({ id }) => !kept.has(id))
  if (lost.length === 0) return
  await tx.execute(sql`
    update columns set uncompared_at = null
    where id = any(string_to_array(${lost.map(({ id }) => id).join('\n')}::text, E'\n')::uuid[])`)
  await forgetEdits(tx, lost)
}

/**
 * Stores the standard fields of an account as a whole, for the version that was read, and recognises the columns that have none. Errors: conflict for
 * another version, and those of readStandardFields.
 */
export const save = (
  db: Database,
  accountId: string,
  { version, items }: { version: number; items: AskedField[] },
  actor: audits.Actor,
): Promise<Stored> =>
  db.transaction(async (tx) => {
    await accounts.lock(tx, accountId, 'no key update')
    await lockFields(tx, accountId, 'alone')
    const before = await get(tx, accountId)
    if (version !== before.version) {
      const detail = `The standard fields are at version ${before.version}; these were made from version ${version}.`
      throw new FairleadError('conflict', { detail, extra: { version: before.version } })
    }
    const read = readStandardFields(items, before.items, await liveFields(tx, accountId, { connectionId: null }))
    const mapped = await mappedColumns(tx, accountId)
    await dropOthers(
      tx,
      accountId,
      read.flatMap(({ id }) => id ?? []),
    )
    if (read.length > 0) await store(tx, accountId, read)
    await noteChanged(tx, accountId, before.items, read)
    await recogniseAll(tx, accountId)
    await noteLost(tx, accountId, mapped)
    await tx
      .update(accountRows)
      .set({ standardFieldsVersion: version + 1 })
      .where(eq(accountRows.id, accountId))
    const details = { version: version + 1, count: read.length }
    await audits.insert(tx, accountId, actor, { action: 'standardFields.update', targetId: accountId, details })
    return get(tx, accountId)
  })
