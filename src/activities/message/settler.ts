import type { Database } from '../../db/database.ts'
import type { Job } from '../../db/delivery/job.ts'
import { settle, type Outcome } from '../../db/delivery/settle.ts'

/** Of one transaction. */
const mostOutcomes = 200
/** More than these wait for the database before another mail goes out. */
const mostWaiting = 400

/**
 * Stores outcomes as they come, one transaction after the other: what comes during one goes into the next. `add` waits while the database is behind, and fails
 * when it has failed. `onSettled` hears of each.
 */
export const createSettler = (db: Database, job: Job, claimId: string, onSettled: (deliveryId: string) => void) => {
  const state: { waiting: Outcome[]; running?: Promise<void> | undefined; failure?: unknown; stop: boolean } = {
    waiting: [],
    stop: false,
  }

  const work = async (): Promise<void> => {
    while (state.waiting.length > 0 && state.failure === undefined) {
      const batch = state.waiting.slice(0, mostOutcomes)
      state.waiting = state.waiting.slice(mostOutcomes)
      const { cancelRequested } = await settle(db, job, claimId, batch)
      state.stop ||= cancelRequested
      for (const { delivery } of batch) onSettled(delivery.id)
    }
  }
  const begin = (): void => {
    state.running ??= work()
      .catch((error: unknown) => {
        state.failure ??= error
      })
      .finally(() => {
        state.running = undefined
        if (state.waiting.length > 0 && state.failure === undefined) begin()
      })
  }
  const check = (): void => {
    if (state.failure !== undefined) throw state.failure
  }
  return {
    async add(outcome: Outcome): Promise<void> {
      check()
      state.waiting.push(outcome)
      begin()
      while (state.waiting.length > mostWaiting && state.running !== undefined) await state.running
      check()
    },
    /** until everything is stored */
    async end(): Promise<void> {
      while (state.running !== undefined) await state.running
      check()
    },
    cancelRequested: () => state.stop,
  }
}
