import { and, eq, sql } from 'drizzle-orm'
import { FairleadError } from '../../domain/errors.ts'
import type { Database } from '../database.ts'
import type { Transaction } from '../outbox.ts'
import { accounts, candidates, connections, lists, records } from '../schema.ts'

export type Connection = typeof connections.$inferSelect

export const findActive = async (db: Database | Transaction, accountId: string): Promise<Connection | undefined> => {
  const [found] = await db
    .select()
    .from(connections)
    .where(and(eq(connections.accountId, accountId), connections.active))
  return found
}

export const get = async (db: Database | Transaction, accountId: string, connectionId: string): Promise<Connection> => {
  const [found] = await db
    .select()
    .from(connections)
    .where(and(eq(connections.accountId, accountId), eq(connections.id, connectionId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** A connection with whether its account's connector is enabled (C5): what work asks before it begins. */
export const getForWork = async (
  db: Database,
  accountId: string,
  connectionId: string,
): Promise<{ connection: Connection; enabled: boolean }> => {
  const [found] = await db
    .select({ connection: connections, enabled: accounts.connectorEnabled })
    .from(connections)
    .innerJoin(accounts, eq(accounts.id, connections.accountId))
    .where(and(eq(connections.accountId, accountId), eq(connections.id, connectionId)))
  if (found === undefined) throw new FairleadError('notFound')
  return found
}

/** Throws connectorDisabled (C5). The row lock makes proposals of one account take turns. */
export const lockAccount = async (tx: Transaction, accountId: string): Promise<void> => {
  const [account] = await tx
    .select({ enabled: accounts.connectorEnabled })
    .from(accounts)
    .where(eq(accounts.id, accountId))
    .for('update')
  if (account === undefined) throw new FairleadError('notFound')
  if (!account.enabled) throw new FairleadError('connectorDisabled')
}

export const findCandidate = async (db: Database, accountId: string, connectionId: string) => {
  const [found] = await db
    .select()
    .from(candidates)
    .where(and(eq(candidates.accountId, accountId), eq(candidates.connectionId, connectionId)))
  return found
}

/** Linked people at random who were not seen to go, with the CreateDate that we know: the test whether a CRM is the one we knew (C3). */
export const sampleLinks = (db: Database, accountId: string, connectionId: string, limit: number) =>
  db
    .select({
      entity: records.crmEntity,
      crmId: records.crmId,
      createDate: sql<string | null>`${records.fields}->>'c4'`,
    })
    .from(records)
    .innerJoin(lists, eq(lists.id, records.listId))
    .where(
      and(
        eq(lists.accountId, accountId),
        eq(lists.connectionId, connectionId),
        sql`${records.crmId} is not null
      and not exists (select from crm_people p where p.connection_id = ${lists.connectionId} and p.entity = ${records.crmEntity}
        and p.crm_id = ${records.crmId})`,
      ),
    )
    .orderBy(sql`random()`)
    .limit(limit)

/** Connections whose login is to be checked, those first that were not checked for the longest time. */
export const pageConnected = (db: Database) =>
  db
    .select({ accountId: connections.accountId, connectionId: connections.id })
    .from(connections)
    .innerJoin(accounts, eq(accounts.id, connections.accountId))
    .where(and(connections.active, eq(connections.state, 'connected'), accounts.connectorEnabled))
    .orderBy(sql`${connections.checkedAt} nulls first`)
