import { sql } from 'drizzle-orm'
import type { Transaction } from '../outbox.ts'
import { connections, notes } from '../schema.ts'
import { ensureRun, lockOpen } from './run.ts'

const isOpen = sql`n.state in ('waiting', 'creating', 'held')`

/** Runs for what an account has open and nobody works on: after its connection was made anew (C3). */
export const wakeOpen = async (tx: Transaction, accountId: string): Promise<void> => {
  const open = await tx.execute<{ messageId: string; connectionId: string }>(sql`
    select distinct n.message_id::text as "messageId", n.connection_id::text as "connectionId"
    from ${notes} n join ${connections} c on c.id = n.connection_id and c.active and c.state in ('connected', 'needsReconfirm')
    where n.account_id = ${accountId}::uuid and ${isOpen} order by 1`)
  for (const { messageId, connectionId } of open) {
    await lockOpen(tx, messageId)
    await ensureRun(tx, { accountId, messageId, connectionId })
  }
}

/** C3: another CRM took the place of the one that they waited for; whether they go there is for a person to say. */
export const keepBack = async (tx: Transaction, accountId: string): Promise<void> => {
  await tx.execute(sql`
    update ${notes} n set state = 'rejected', code = 'otherCrm', crm = null, claim_id = null, claim_until = null where n.account_id = ${accountId}::uuid and ${isOpen}`)
}

/** C3: the connector is reset: what is open waits until the same CRM is connected again. */
export const holdOpen = async (tx: Transaction, connectionId: string): Promise<void> => {
  await tx.execute(sql`
    update ${notes} n set state = 'held', code = 'notConnected', crm = null where n.connection_id = ${connectionId}::uuid and ${isOpen}`)
}
