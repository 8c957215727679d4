import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client'
import type { Flows } from './flows.ts'

/** O6: the system's own schedule, hourly; it takes none of an account's ten slots. */
export const ensureHousekeeping = async ({ client, taskQueue }: Flows): Promise<void> => {
  const housekeepingId = `${taskQueue}-housekeeping`
  try {
    await client.schedule.create({
      scheduleId: housekeepingId,
      spec: { intervals: [{ every: '1 hour' }] },
      action: {
        type: 'startWorkflow',
        workflowType: 'housekeeping',
        workflowId: housekeepingId,
        taskQueue,
        args: [],
        staticSummary: 'Housekeeping',
      },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '10 minutes' },
    })
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error
  }
}
