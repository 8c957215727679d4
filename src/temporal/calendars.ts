import type { CalendarSpec, ScheduleSpec as EngineSpec } from '@temporalio/client'
import {
  chosenTimes,
  clockChangesOf,
  instantOf,
  minutesOf,
  type ClockChange,
  type ScheduleSpec,
} from '../domain/schedule.ts'

/** How many years ahead of this one the changes of the clock are written down; the reconciler moves on with the years. */
const horizonYears = 10
const hourMs = 60 * 60_000

const months = [
  'JANUARY',
  'FEBRUARY',
  'MARCH',
  'APRIL',
  'MAY',
  'JUNE',
  'JULY',
  'AUGUST',
  'SEPTEMBER',
  'OCTOBER',
  'NOVEMBER',
  'DECEMBER',
] as const
const shortMonths = ['APRIL', 'JUNE', 'SEPTEMBER', 'NOVEMBER'] as const
const longMonths = ['JANUARY', 'MARCH', 'MAY', 'JULY', 'AUGUST', 'OCTOBER', 'DECEMBER'] as const
// the engine counts from 2000 to 2100
const leapYears = { start: 2000, end: 2096, step: 4 }
const otherYears = [...[2001, 2002, 2003].map((start) => ({ start, end: start + 96, step: 4 })), 2100]

/** The engine knows neither a last day nor what to do about a day that a month does not have. */
const monthDays = (dayOfMonth: number | 'last'): CalendarSpec[] => {
  const day = dayOfMonth === 'last' ? 31 : dayOfMonth
  if (day <= 28) return [{ dayOfMonth: day }]
  return [
    { month: [...longMonths], dayOfMonth: day },
    { month: [...shortMonths], dayOfMonth: Math.min(day, 30) },
    { month: 'FEBRUARY', dayOfMonth: 29, year: leapYears },
    { month: 'FEBRUARY', dayOfMonth: 28, year: otherYears },
  ]
}

const daysOf = ({ frequency, daysOfWeek, dayOfMonth }: ScheduleSpec): CalendarSpec[] => {
  if (frequency === 'daily') return [{}]
  if (frequency === 'monthly') return monthDays(dayOfMonth!)
  return [{ dayOfWeek: daysOfWeek.map((day) => day.toUpperCase() as Uppercase<typeof day>) }]
}

/** All times of a day are the same minutes past their hour. */
const hoursOf = (spec: ScheduleSpec): Pick<CalendarSpec, 'hour' | 'minute'> => {
  const minutes = minutesOf(spec)
  return { hour: minutes.map((each) => Math.floor(each / 60)), minute: minutes[0]! % 60 }
}

/** One local minute of one day, given as if it were UTC. */
const dated = (clockMs: number): CalendarSpec => {
  const at = new Date(clockMs)
  return {
    year: at.getUTCFullYear(),
    month: months[at.getUTCMonth()],
    dayOfMonth: at.getUTCDate(),
    hour: at.getUTCHours(),
    minute: at.getUTCMinutes(),
  }
}

type Corrections = { added: number[]; skipped: number[]; instants: number[] }

/** One change of the clock; `low` to `high` are the local times that do not exist or come twice. */
const correct = (spec: ScheduleSpec, change: ClockChange, { added, skipped, instants }: Corrections): void => {
  const [low, high] = [change.before, change.after].map((offset) => change.at + offset).sort((a, b) => a - b) as [
    number,
    number,
  ]
  const size = high - low
  const isForward = change.after > change.before
  if (isForward && !chosenTimes(spec, low, high).next().done) added.push(high)
  if (!isForward) {
    const touched = [...chosenTimes(spec, size === hourMs ? low : low - size, high)]
    instants.push(...touched.map((clock) => instantOf(spec.timeZone, clock)))
  }
  if (size === hourMs) return
  const wanted = new Set([...added, ...chosenTimes(spec, low - 2 * hourMs, high + 2 * hourMs)])
  const shift = isForward ? size : hourMs - size
  const wrong = [...chosenTimes(spec, Math.floor(low / hourMs) * hourMs, high)].map((clock) => clock + shift)
  skipped.push(...wrong.filter((clock) => !wanted.has(clock)))
}

/**
 * What the engine would do wrong where the clock changes (decision 0031). A time that does not exist is left out: here it goes in at the next valid minute.
 * Of one that comes twice the first may be left out: here it goes in as an instant. Where the clock changes by other than an hour it is off: that is taken out.
 */
const correctionsOf = (spec: ScheduleSpec, now: Date): Corrections => {
  const corrections: Corrections = { added: [], skipped: [], instants: [] }
  const from = Date.UTC(now.getUTCFullYear(), 0, 1)
  const to = Date.UTC(now.getUTCFullYear() + horizonYears + 1, 0, 1)
  for (const change of clockChangesOf(spec.timeZone, from, to)) correct(spec, change, corrections)
  return corrections
}

/**
 * The specification whose matching times are exactly the due times of a schedule, and repeats of one local time, until the end of the tenth year after
 * `now`. Equal for all instants of one year.
 */
export const calendarsOf = (spec: ScheduleSpec, now: Date): EngineSpec => {
  const { added, skipped, instants } = correctionsOf(spec, now)
  const hours = hoursOf(spec)
  return {
    timezone: spec.timeZone,
    startAt: new Date(instantOf(spec.timeZone, Date.parse(`${spec.startDate}T00:00:00.000Z`))),
    calendars: [...daysOf(spec).map((days) => ({ ...days, ...hours })), ...added.map(dated)],
    skip: skipped.map(dated),
    // as far from 1970 as the instant itself: it comes once, and again in more than fifty years
    intervals: instants.map((at) => ({ every: at })),
  }
}
