import type { Database } from '../../db/database.ts'
import type { Job } from '../../db/delivery/job.ts'
import { settle, type Outcome } from '../../db/delivery/settle.ts'
import { piling } from '../pile.ts'

/** Of one transaction. */
const mostOutcomes = 200
/** More than these wait for the database before another mail goes out. */
const mostWaiting = 400

/** Stores outcomes as they come. `add` waits while the database is behind, and fails when it has failed. `onSettled` hears of each. */
export const createSettler = (db: Database, job: Job, claimId: string, onSettled: (deliveryId: string) => void) => {
  let stop = false
  const pile = piling<Outcome>(async (batch) => {
    const { cancelRequested } = await settle(db, job, claimId, batch)
    stop ||= cancelRequested
    for (const { delivery } of batch) onSettled(delivery.id)
  }, mostOutcomes)
  return {
    async add(outcome: Outcome): Promise<void> {
      pile.add(outcome)
      if (pile.failed() || pile.waiting() > mostWaiting) await pile.stored()
    },
    /** until everything is stored */
    end: () => pile.stored(),
    cancelRequested: () => stop,
  }
}
