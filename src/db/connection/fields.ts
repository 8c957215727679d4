import { and, eq } from 'drizzle-orm'
import type { CrmEntity, CrmField } from '../../domain/crm.ts'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import * as outbox from '../outbox.ts'
import { connections, crmFields } from '../schema.ts'
import { findActive } from './find.ts'

export const findFields = async (db: Database | outbox.Transaction, accountId: string, entity: CrmEntity) => {
  const [found] = await db
    .select({ fields: crmFields.fields, readAt: crmFields.readAt })
    .from(crmFields)
    .innerJoin(connections, and(eq(connections.id, crmFields.connectionId), connections.active))
    .where(and(eq(crmFields.accountId, accountId), eq(crmFields.entity, entity)))
  return found
}

export const upsertFields = async (
  tx: Database | outbox.Transaction,
  accountId: string,
  connectionId: string,
  entity: CrmEntity,
  fields: CrmField[],
): Promise<void> => {
  const values = { fields, readAt: new Date() }
  await tx
    .insert(crmFields)
    .values({ accountId, connectionId, entity, ...values })
    .onConflictDoUpdate({ target: [crmFields.connectionId, crmFields.entity], set: values })
}

/** Asks for a fresh reading of the CRM’s fields; `readAt` moves when it is done. */
export const requestFields = (db: Database, accountId: string, entity: CrmEntity): Promise<void> =>
  db.transaction(async (tx) => {
    const connection = await findActive(tx, accountId)
    if (connection === undefined || connection.state !== 'connected') throw new FairleadError('notConnected')
    await outbox.insert(tx, {
      accountId,
      kind: 'start',
      name: 'readFields',
      workflowId: `fields:${connection.id}:${entity}`,
      input: { accountId, connectionId: connection.id, entity },
    })
  })
