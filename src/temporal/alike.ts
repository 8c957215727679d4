import type { ScheduleDescription, ScheduleOptions } from '@temporalio/client'
import { msToNumber, type TypedSearchAttributes } from '@temporalio/common'
import { createHash } from 'node:crypto'
import { keysOf } from './sameSpec.ts'

/** A schedule as Fairlead wants it or as the engine describes it. */
type Compared = Pick<ScheduleOptions, 'spec' | 'action' | 'policies'>
type Described = Pick<ScheduleDescription, 'spec' | 'action' | 'policies'>

const attributesOf = (attributes: unknown): string[] =>
  ((attributes as TypedSearchAttributes | undefined)?.getAll() ?? [])
    .map(({ key, value }) => JSON.stringify([key.name, value]))
    .sort()

const durationOf = (value: string | number | undefined): number => msToNumber((value ?? 0) as number)

/** One text for schedules that do the same. */
const textOf = ({ spec, action, policies }: Compared | Described): string =>
  JSON.stringify([
    keysOf(spec),
    [action.workflowType, action.workflowId, action.taskQueue, action.args ?? [], action.staticSummary ?? ''],
    [action.retry ?? null, durationOf(action.workflowExecutionTimeout), durationOf(action.workflowRunTimeout)],
    attributesOf(action.typedSearchAttributes),
    [policies?.overlap, durationOf(policies?.catchupWindow), policies?.pauseOnFailure ?? false],
  ])

/** Equal for schedules that do the same, whoever describes them. */
export const fingerprintOf = (schedule: Compared | Described): string =>
  createHash('sha256').update(textOf(schedule)).digest('hex').slice(0, 12)
