import { clockAt, instantOf, localTimeOf } from './local.ts'
import { daysOfWeek, type ScheduleSpec } from './spec.ts'

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/** `localTime`: YYYY-MM-DDTHH:MM by the schedule's clock, as it is at that instant */
export type DueTime = { at: Date; localTime: string }

const lastOfMonth = (day: Date): number =>
  new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate()

/** Whether a schedule runs on a local day, given as its midnight in UTC. */
const isChosen = ({ frequency, daysOfWeek: days, dayOfMonth }: ScheduleSpec, day: Date): boolean => {
  if (frequency === 'daily') return true
  if (frequency === 'weekly') return days.includes(daysOfWeek[(day.getUTCDay() + 6) % 7]!)
  const last = lastOfMonth(day)
  return day.getUTCDate() === (dayOfMonth === 'last' ? last : Math.min(dayOfMonth!, last))
}

/** Minutes after midnight. */
export const minutesOf = ({ time, everyHours }: Pick<ScheduleSpec, 'time' | 'everyHours'>): number[] => {
  const [hours, minutes] = time.split(':').map(Number)
  const first = hours! * 60 + minutes!
  const all = []
  for (let at = first; at < 24 * 60; at += everyHours === null ? 24 * 60 : everyHours * 60) all.push(at)
  return all
}

/** The local times of the days that are chosen, as if they were UTC, in milliseconds, whether the clock shows them or not; `toMs` is left out. */
export function* chosenTimes(spec: ScheduleSpec, fromMs: number, toMs = Infinity): Generator<number> {
  const minutes = minutesOf(spec)
  const first = Math.max(Date.parse(`${spec.startDate}T00:00:00.000Z`), Math.floor(fromMs / dayMs) * dayMs)
  for (let day = first; day < toMs; day += dayMs) {
    if (!isChosen(spec, new Date(day))) continue
    for (const minute of minutes) {
      const at = day + minute * minuteMs
      if (at >= fromMs && at < toMs) yield at
    }
  }
}

/** Every due time after `after`, in order, without end: each instant once, a repeated local time at its first (R20). */
export function* dueTimes(spec: ScheduleSpec, after: Date): Generator<DueTime> {
  const { timeZone } = spec
  const today = Math.floor(clockAt(timeZone, after.getTime()) / dayMs) * dayMs
  let last = after.getTime()
  for (const clock of chosenTimes(spec, today - dayMs)) {
    const at = instantOf(timeZone, clock)
    if (at <= last) continue
    last = at
    yield { at: new Date(at), localTime: localTimeOf(timeZone, new Date(at)) }
  }
}

/** The next `count` due times after `after`. */
export const nextTimes = (spec: ScheduleSpec, after: Date, count: number): DueTime[] => {
  const found: DueTime[] = []
  for (const due of dueTimes(spec, after)) if (found.push(due) >= count) break
  return found
}
