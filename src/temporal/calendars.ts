import type { CalendarSpec, ScheduleSpec as EngineSpec } from '@temporalio/client'
import {
  chosenTimes,
  clockAt,
  clockChangesOf,
  instantOf,
  minutesOf,
  type ClockChange,
  type ScheduleSpec,
} from '../domain/schedule.ts'

/** How many years ahead of this one the changes of the clock are written down; the reconciler moves on with the years. */
const horizonYears = 10
const hourMs = 60 * 60_000
const dayMs = 24 * hourMs

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

/** The local times from `from` until before `to` do not exist: `to` is the next valid minute. */
const correctGap = (spec: ScheduleSpec, from: number, to: number): Corrections => {
  const touched = [...chosenTimes(spec, from, to)]
  const added = touched.length > 0 ? [to] : []
  const skipped = to - from === hourMs ? [] : touched.map((clock) => clock + to - from)
  const midnight = Math.floor((to - 1) / dayMs) * dayMs
  if (spec.frequency !== 'weekly' || midnight < from) return { added, skipped, instants: [] }
  // the engine takes a day without a midnight for the day before
  const whole = minutesOf(spec).map((minute) => midnight + minute * 60_000)
  const rest = [...chosenTimes(spec, to, midnight + dayMs)]
  return { added: [...added, ...rest], skipped: [...skipped, ...whole.filter((clock) => clock >= to)], instants: [] }
}

/** The local times from `from` until before `to` come twice. */
const correctRepeat = (spec: ScheduleSpec, from: number, to: number): Corrections => {
  const size = to - from
  const instantsFrom = (clock: number) =>
    [...chosenTimes(spec, clock, to)].map((each) => instantOf(spec.timeZone, each))
  const late = size === hourMs ? [hourMs] : [hourMs, hourMs + size]
  const wrong = instantsFrom(Math.floor(from / hourMs - 1) * hourMs).flatMap((at) =>
    late.map((ms) => clockAt(spec.timeZone, at + ms)),
  )
  return { added: [], skipped: wrong, instants: instantsFrom(size === hourMs ? from : from - size) }
}

const correct = (spec: ScheduleSpec, { at, before, after }: ClockChange): Corrections => {
  const [low, high] = [at + Math.min(before, after), at + Math.max(before, after)]
  const found = after > before ? correctGap(spec, low, high) : correctRepeat(spec, low, high)
  const wanted = new Set([...found.added, ...chosenTimes(spec, low - dayMs, high + dayMs)])
  return { ...found, skipped: found.skipped.filter((clock) => !wanted.has(clock)) }
}

/**
 * What the engine would do wrong where the clock changes (decision 0031). A time that does not exist is left out: here it goes in at the next valid minute.
 * Of one that comes twice the first may be left out: here it goes in as an instant. Times an hour or half an hour off come up: they are taken out.
 */
const correctionsOf = (spec: ScheduleSpec, now: Date): Corrections => {
  const from = Date.UTC(now.getUTCFullYear(), 0, 1)
  const to = Date.UTC(now.getUTCFullYear() + horizonYears + 1, 0, 1)
  const all = clockChangesOf(spec.timeZone, from, to).map((change) => correct(spec, change))
  return {
    added: all.flatMap(({ added }) => added),
    skipped: all.flatMap(({ skipped }) => [...new Set(skipped)]),
    instants: all.flatMap(({ instants }) => instants),
  }
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
