import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOptions,
} from '@temporalio/client'
import type { ScheduleSpec } from '../domain/schedule.ts'
import { fingerprintOf } from './alike.ts'
import { calendarsOf } from './calendars.ts'
import { attributesOf, type Flows } from './flows.ts'

const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '10 minutes' } as const

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
      policies,
    })
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error
  }
}

/** An active schedule of an account, as the table has it. */
type Wanted = { id: string; accountId: string; listId: string; segmentId: string | null; spec: ScheduleSpec }

export const engineIdOf = (scheduleId: string): string => `schedule:${scheduleId}`

/** Spread over the action only: a retry there can block a schedule for good (temporal#10579), so there is none. */
const optionsOf = ({ id, accountId, listId, segmentId, spec }: Wanted, taskQueue: string): ScheduleOptions => {
  const attributes = attributesOf('fireSchedule', { accountId, listId })
  return {
    scheduleId: engineIdOf(id),
    spec: calendarsOf(spec, new Date()),
    action: {
      type: 'startWorkflow',
      workflowType: 'fireSchedule',
      workflowId: engineIdOf(id),
      taskQueue,
      args: [{ accountId, scheduleId: id }],
      staticSummary: segmentId === null ? 'Scheduled sync of a list' : 'Scheduled push of a segment',
      typedSearchAttributes: attributes,
    },
    policies,
    typedSearchAttributes: attributes,
  }
}

/** What an operator reads beside the schedule; the mark tells what was given to the engine from what was made of it by hand. */
const noteOf = (mark: string): string => `Follows Fairlead's table; changes made here are undone (${mark})`

const unlessGone = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined
    throw error
  }
}

/** `edited`: by hand; `outdated`: as it was given to the engine once, which is not what it should be now. */
const compare = ({ state, ...found }: ScheduleDescription, mark: string) => {
  if (state.paused) return 'paused'
  const as = fingerprintOf(found)
  if (as === mark && state.remainingActions === undefined) return state.note === noteOf(mark) ? 'equal' : 'outdated'
  return state.note === noteOf(as) && state.remainingActions === undefined ? 'outdated' : 'edited'
}

const remove = async (handle: ScheduleHandle) => {
  const found = await unlessGone(handle.describe())
  if (found !== undefined) await unlessGone(handle.delete())
  return found === undefined ? 'equal' : 'left'
}

/**
 * Makes the engine's schedule what the table says: there, as a whole, or not there (`wanted` undefined). May be repeated. Answers what was found: `equal` when
 * nothing had to be done or it was as it had been given to the engine before.
 */
export const keepSchedule = (
  { client, taskQueue, soon }: Flows,
  scheduleId: string,
  wanted: Wanted | undefined,
): Promise<'equal' | 'deleted' | 'paused' | 'edited' | 'left'> =>
  soon(async () => {
    const handle = client.schedule.getHandle(engineIdOf(scheduleId))
    if (wanted === undefined) return remove(handle)
    const options = optionsOf(wanted, taskQueue)
    const mark = fingerprintOf(options)
    const state = { paused: false, note: noteOf(mark) }
    const found = await unlessGone(handle.describe())
    if (found === undefined) {
      await client.schedule.create({ ...options, state })
      return 'deleted'
    }
    const difference = compare(found, mark)
    if (difference !== 'equal') await handle.update(() => ({ ...options, state }))
    return difference === 'outdated' ? 'equal' : difference
  })
