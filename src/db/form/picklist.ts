import { and, eq } from 'drizzle-orm'
import type { CrmEntity } from '../../domain/crm.ts'
import type { FormChoice } from '../../domain/form.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { connections, crmPicklists } from '../schema.ts'

/** Items of the picklists that forms use, as they were read last, by field: `lead.Industry`. */
export const storedPicklists = async (
  db: Database | Transaction,
  accountId: string,
): Promise<Record<string, FormChoice[]>> => {
  const rows = await db
    .select({ entity: crmPicklists.entity, field: crmPicklists.field, items: crmPicklists.items })
    .from(crmPicklists)
    .innerJoin(connections, and(eq(connections.id, crmPicklists.connectionId), connections.active))
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
  db: Database | Transaction,
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
