import { FairleadError } from '../errors.ts'
import { daysOfWeek, type DayOfWeek, type ScheduleSpec } from './spec.ts'
import { localTimeOf } from './local.ts'

/** A schedule as a person gives it (T1). */
export type GivenSchedule = Pick<ScheduleSpec, 'frequency' | 'time'> & {
  daysOfWeek?: DayOfWeek[] | null
  dayOfMonth?: number | 'last' | null
  everyHours?: number | null
  startDate?: string | null
  timeZone?: string | null
}

type Issue = { path: string; message: string }

/** Names of the engine's own kind: words that begin with capitals. Others stand for a name of that kind. */
const isWritten = /^[A-Z][a-z]+(_[A-Z][a-z]+)*(\/[A-Z][a-z]+(_[A-Z][a-z]+)*)+$/

/** The name by which browser and engine know a time zone; undefined for offsets such as +02:00 and for what is none. */
const zoneNamed = (name: string): string | undefined => {
  if (!/^[A-Za-z]/.test(name)) return undefined
  try {
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions()
    return isWritten.test(name) ? name : timeZone
  } catch {
    return undefined
  }
}

const isDay = (text: string): boolean => {
  const at = new Date(`${text}T00:00:00.000Z`)
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text)
}

const dayIssues = ({ frequency, daysOfWeek: days = null, dayOfMonth = null }: GivenSchedule): Issue[] => {
  const isWeekly = frequency === 'weekly'
  const isMonthly = frequency === 'monthly'
  const twice = (days ?? []).filter((day, index, all) => all.indexOf(day) !== index)
  const hasDays = days !== null && days.length > 0
  return [
    ...(isWeekly && !hasDays ? [{ path: 'daysOfWeek', message: 'A weekly schedule needs at least one day.' }] : []),
    ...(!isWeekly && hasDays
      ? [{ path: 'daysOfWeek', message: `A ${frequency} schedule has no days of the week.` }]
      : []),
    ...(twice.length > 0 ? [{ path: 'daysOfWeek', message: `"${twice[0]}" is named twice.` }] : []),
    ...(isMonthly && dayOfMonth === null
      ? [{ path: 'dayOfMonth', message: 'A monthly schedule needs a day: 1 to 31, or "last".' }]
      : []),
    ...(!isMonthly && dayOfMonth !== null
      ? [{ path: 'dayOfMonth', message: `A ${frequency} schedule has no day of the month.` }]
      : []),
  ]
}

// the engine knows no year after 2100
const lastStart = '2090-12-31'

const issuesOf = (given: GivenSchedule): Issue[] => {
  const { time, startDate = null, timeZone = null } = given
  return [
    ...dayIssues(given),
    ...(/^([01]\d|2[0-3]):[0-5]\d$/.test(time) ? [] : [{ path: 'time', message: 'is no time of day such as 06:30' }]),
    ...(startDate === null || isDay(startDate)
      ? []
      : [{ path: 'startDate', message: 'is no day of the calendar such as 2027-01-04' }]),
    ...(startDate !== null && isDay(startDate) && (startDate < '2000-01-01' || startDate > lastStart)
      ? [{ path: 'startDate', message: `A schedule begins between 2000-01-01 and ${lastStart}.` }]
      : []),
    ...(timeZone !== null && zoneNamed(timeZone) === undefined
      ? [{ path: 'timeZone', message: 'is not an IANA time zone such as Europe/Berlin' }]
      : []),
  ]
}

/**
 * A schedule with everything that was left out: the time zone of the account, today there, once a day.
 * Errors: invalidInput with all wrong places, which begin with `at`.
 */
export const readSchedule = (
  given: GivenSchedule,
  { timeZone: usualZone, now, at = '' }: { timeZone: string; now: Date; at?: string },
): ScheduleSpec => {
  const errors = issuesOf(given).map(({ path, message }) => ({ path: `${at}${path}`, message }))
  if (errors.length > 0) {
    const [{ path, message }] = errors as [Issue]
    throw new FairleadError('invalidInput', { detail: `${path}: ${message}`, errors })
  }
  const { frequency, time, daysOfWeek: days, dayOfMonth = null, startDate, everyHours = null } = given
  const timeZone = zoneNamed(given.timeZone ?? usualZone) ?? 'UTC'
  return {
    frequency,
    daysOfWeek: daysOfWeek.filter((day) => days?.includes(day)),
    dayOfMonth,
    time,
    everyHours,
    startDate: startDate ?? localTimeOf(timeZone, now).slice(0, 10),
    timeZone,
  }
}
