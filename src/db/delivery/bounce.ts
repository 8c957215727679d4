import { and, eq } from 'drizzle-orm'
import type { Bounce } from '../../domain/delivery.ts'
import { FairleadError } from '../../domain/errors.ts'
import * as audits from '../audit.ts'
import type { Database } from '../database.ts'
import { optOut } from '../optOut.ts'
import { deliveries } from '../schema.ts'
import { bounceEvidence } from './evidence.ts'
import type { Delivery } from './read.ts'

/**
 * A mail that was taken came back. For good: the address is suppressed, with the delivery as evidence (R34); for now: it is written down. What came back for
 * good stays so. Errors: notFound, notBounceable for a mail that nobody took.
 */
export const bounce = (
  db: Database,
  accountId: string,
  deliveryId: string,
  { kind, status }: Pick<Bounce, 'kind' | 'status'>,
  actor: audits.Actor,
): Promise<Delivery> =>
  db.transaction(async (tx) => {
    const own = and(eq(deliveries.accountId, accountId), eq(deliveries.id, deliveryId))
    const [found] = await tx.select().from(deliveries).where(own).for('update')
    if (found === undefined) throw new FairleadError('notFound')
    if (found.state === 'bounced') return found
    if (found.state !== 'accepted' && found.state !== 'unknown') throw new FairleadError('notBounceable')
    const isPermanent = kind === 'permanent'
    const bounced = {
      bounce: { kind, status, at: new Date().toISOString() },
      ...(isPermanent && { state: 'bounced' as const }),
    }
    const [changed] = await tx.update(deliveries).set(bounced).where(own).returning()
    await audits.insert(tx, accountId, actor, {
      action: 'delivery.bounce',
      targetId: deliveryId,
      details: { kind, status },
    })
    const { email, emailKey } = found
    if (isPermanent && email !== null && emailKey !== null) {
      const evidence = bounceEvidence(deliveryId, status)
      await optOut(tx, { accountId, email, emailKey, reason: 'bounced', source: 'api', evidence, actor })
    }
    return changed!
  })
