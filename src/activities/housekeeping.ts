import { removeDone } from '../db/outbox.ts'
import * as housekeeping from '../db/housekeeping.ts'
import * as sweeps from '../db/sweep/list.ts'
import type { Dependencies } from './dependencies.ts'

const sweepEveryDays = 7
const entryDays = 90

export const housekeepingActivities = (deps: Dependencies) => ({
  /** O6: entries live 90 days, keys of idempotent requests a day, delivered messages a week. */
  async expire(): Promise<{ entries: number; idempotency: number; outbox: number }> {
    return {
      entries: await housekeeping.removeEntries(deps.db, entryDays),
      idempotency: await housekeeping.removeIdempotency(deps.db, 1),
      outbox: await removeDone(deps.db, 7),
    }
  },

  /** R15: imported lists are swept every week, through the same door as by hand. */
  async startDueSweeps(): Promise<{ started: number }> {
    const due = await sweeps.pageDue(deps.db, sweepEveryDays)
    for (const { accountId, listId } of due) await sweeps.request(deps.db, accountId, listId, { trigger: 'system' })
    await deps.deliverOutbox()
    return { started: due.length }
  },
})
