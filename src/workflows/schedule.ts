import { workflowInfo } from '@temporalio/workflow'
import type { FiringOutcome } from '../domain/schedule.ts'
import { local } from './activities.ts'

/** The time for which the engine's schedule fired. */
const nominalAt = (): Date | undefined => {
  const attributes = workflowInfo().typedSearchAttributes.getAll()
  return attributes.find(({ key }) => key.name === 'TemporalScheduledStartTime')?.value as Date | undefined
}

type Input = { accountId: string; scheduleId: string }

/** T1: a schedule of the engine fires. The run is a workflow of its own, started through the outbox (decision 0032). */
export async function fireSchedule(input: Input): Promise<{ outcome: FiringOutcome | 'nothing'; runId?: string }> {
  const at = nominalAt()
  return local.fireSchedule.executeWithOptions({ summary: 'request the run that is due' }, [
    { ...input, ...(at === undefined ? {} : { nominalAt: at.toISOString() }) },
  ])
}
