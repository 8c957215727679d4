import type { ScheduleSpec } from './spec.ts'
import { dueTimes, type DueTime } from './times.ts'

/** The due times after `after` until `until`, at most the last `most` of them. */
export const dueBetween = (spec: ScheduleSpec, after: Date, until: Date, most: number): DueTime[] => {
  const found: DueTime[] = []
  for (const due of dueTimes(spec, after)) {
    if (due.at > until) break
    found.push(due)
    if (found.length > most) found.shift()
  }
  return found
}

/** The due time of this very instant, if it is one. */
export const dueAt = (spec: ScheduleSpec, at: Date): DueTime[] => dueBetween(spec, new Date(at.getTime() - 1), at, 1)
