import { eq, sql } from 'drizzle-orm'
import * as accounts from '../account.ts'
import * as alerts from '../alert.ts'
import type { Database } from '../database.ts'
import { connections } from '../schema.ts'
import type { Pusher } from './wake.ts'

/** An opt-out must be in the CRM within a minute; one that has waited for so long waits for a person. */
const lateHours = 24

/** R34: tells what of opt-outs and consents the CRM has refused, or has not taken for a day; or that nothing is left of it. */
export const noteUnwritten = (db: Database, { accountId, connectionId }: Pusher): Promise<void> =>
  db.transaction(async (tx) => {
    // first of all: two that look at the same moment tell what the later one has seen
    await accounts.lock(tx, accountId, 'no key update')
    const [found] = await tx.execute<{ refused: number; late: number }>(sql`
      select count(*) filter (where state = 'rejected')::int as refused, count(*) filter (where state <> 'rejected')::int as late
      from opt_outs where connection_id = ${connectionId}::uuid and ((state = 'rejected' and code is distinct from 'erased')
        or (state in ('waiting', 'held') and created_at < now() - make_interval(hours => ${lateHours})))`)
    const { refused, late } = found!
    const problem = { kind: 'optOutsUnwritten' as const, subject: connectionId }
    if (refused + late > 0) await alerts.raise(tx, accountId, { ...problem, details: { refused, late } })
    else await alerts.resolve(tx, accountId, problem)
  })

/** The same of every connection. */
export const noteAllUnwritten = async (db: Database): Promise<void> => {
  const all = await db
    .select({ accountId: connections.accountId, connectionId: connections.id })
    .from(connections)
    .where(eq(connections.active, true))
  for (const pusher of all) await noteUnwritten(db, pusher)
}
