import { and, eq } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import type { FormChoice } from '../../domain/form.ts'
import * as connections from '../connection.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { connections as connectionRows, crmPicklists } from '../schema.ts'

/** Items of the picklists that forms use, as they were read last, by field: `lead.Industry`. */
export const storedPicklists = async (
  db: Database | outbox.Transaction,
  accountId: string,
): Promise<Record<string, FormChoice[]>> => {
  const rows = await db
    .select({ entity: crmPicklists.entity, field: crmPicklists.field, items: crmPicklists.items })
    .from(crmPicklists)
    .innerJoin(connectionRows, and(eq(connectionRows.id, crmPicklists.connectionId), connectionRows.active))
    .where(eq(crmPicklists.accountId, accountId))
  return Object.fromEntries(
    rows.map(({ entity, field, items }) => [
      `${entity}.${field}`,
      items.map((value) => ({ value, label: { en: value } })),
    ]),
  )
}

/** What the CRM has given as the items of a field's picklist. */
export const upsertPicklist = async (
  db: Database | outbox.Transaction,
  accountId: string,
  { connectionId, entity, field }: { connectionId: string; entity: CrmEntity; field: string },
  items: string[],
): Promise<void> => {
  const values = { items, readAt: new Date() }
  await db
    .insert(crmPicklists)
    .values({ accountId, connectionId, entity, field, ...values })
    .onConflictDoUpdate({ target: [crmPicklists.connectionId, crmPicklists.entity, crmPicklists.field], set: values })
}

type Of = { entity: CrmEntity; field: string }

/** When a picklist was read last; undefined where it never was. */
export const picklistReadAt = async (db: Database, accountId: string, of: Of): Promise<Date | undefined> => {
  const [found] = await db
    .select({ readAt: crmPicklists.readAt })
    .from(crmPicklists)
    .innerJoin(connectionRows, and(eq(connectionRows.id, crmPicklists.connectionId), connectionRows.active))
    .where(
      and(eq(crmPicklists.accountId, accountId), eq(crmPicklists.entity, of.entity), eq(crmPicklists.field, of.field)),
    )
  return found?.readAt
}

/** Asks for a reading of a picklist; `picklistReadAt` moves when it is done. False where the CRM cannot be asked now. */
export const requestPicklist = (db: Database, accountId: string, of: Of): Promise<boolean> =>
  db.transaction(async (tx) => {
    const connection = await connections.findActive(tx, accountId)
    if (connection === undefined || connection.state !== 'connected') return false
    await outbox.insert(tx, {
      accountId,
      kind: 'start',
      name: 'readPicklist',
      workflowId: `picklist:${connection.id}:${of.entity}:${of.field}`,
      input: { accountId, connectionId: connection.id, ...of },
    })
    return true
  })
