import { fireDue } from '../db/schedule/fire.ts'
import type { FiringOutcome } from '../domain/schedule.ts'
import type { Dependencies } from './dependencies.ts'

/** nominalAt: for which time the engine fired, ISO 8601 */
type Input = { accountId: string; scheduleId: string; nominalAt?: string }

export const scheduleActivities = (deps: Dependencies) => ({
  /** Requests the run of what is due, once for each due time. */
  async fireSchedule({ accountId, scheduleId, nominalAt }: Input): Promise<{
    outcome: FiringOutcome | 'nothing'
    runId?: string
  }> {
    const at = nominalAt === undefined ? {} : { nominalAt: new Date(nominalAt) }
    const fired = await fireDue(deps.db, { accountId, scheduleId }, at)
    await deps.deliverOutbox()
    if (fired === null) return { outcome: 'nothing' }
    const { outcome, runId } = fired
    return { outcome, ...(runId === undefined ? {} : { runId }) }
  },
})
