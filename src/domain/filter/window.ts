import type { FieldType } from '../crm.ts'
import type { FilterOperator } from './operators.ts'

/** What "today" and "now" are for a filter: the moment, and the account's time zone (IANA). */
export type Clock = { now: Date; timeZone: string }

/** Both ends are included; a missing one is open. Days as `2026-11-23`, instants as Fairlead keeps them. */
export type Window = { from?: string; upTo?: string }

const dayMs = 86_400_000

/** The calendar day of a moment in a time zone, as `2026-11-23`. */
const localDay = ({ now, timeZone }: Clock): string => {
  const parts = new Intl.DateTimeFormat('en', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const found = Object.fromEntries(parts.formatToParts(now).map(({ type, value }) => [type, value]))
  return `${found['year']?.padStart(4, '0')}-${found['month']}-${found['day']}`
}

const moveDay = (day: string, by: number): string =>
  new Date(Date.parse(`${day}T00:00:00.000Z`) + by * dayMs).toISOString().slice(0, 10)

/**
 * The days or instants that one of the four operators with a number of days takes. A `date` counts whole days of the account's time zone, today being the
 * first of them: `withinLastDays` 1 is today, 7 is today and the six days before. An `instant` counts N × 24 hours from now. `moreThanDaysAgo`
 * is what lies before `withinLastDays`, `moreThanDaysAhead` what lies after `withinNextDays`.
 */
export const windowOf = (operator: FilterOperator, type: FieldType, days: number, clock: Clock): Window => {
  if (type === 'date') {
    const today = localDay(clock)
    if (operator === 'withinLastDays') return { from: moveDay(today, 1 - days), upTo: today }
    if (operator === 'withinNextDays') return { from: today, upTo: moveDay(today, days - 1) }
    return operator === 'moreThanDaysAgo' ? { upTo: moveDay(today, -days) } : { from: moveDay(today, days) }
  }
  const instant = (ms: number): string => new Date(clock.now.getTime() + ms).toISOString()
  if (operator === 'withinLastDays') return { from: instant(-days * dayMs), upTo: instant(0) }
  if (operator === 'withinNextDays') return { from: instant(0), upTo: instant(days * dayMs) }
  return operator === 'moreThanDaysAgo' ? { upTo: instant(-days * dayMs - 1) } : { from: instant(days * dayMs + 1) }
}

const hasLeapDay = (year: number): boolean => new Date(Date.UTC(year, 1, 29)).getUTCMonth() === 1

/** The days of the year, as `11-23`, from today over so many days. One who was born on 29 February has the 28th where a year has no 29th. */
export const anniversariesOf = (days: number, clock: Clock): string[] => {
  const today = localDay(clock)
  const found = new Set<string>()
  for (let by = 0; by < days; by += 1) {
    const day = moveDay(today, by)
    found.add(day.slice(5))
    if (day.endsWith('-02-28') && !hasLeapDay(Number(day.slice(0, 4)))) found.add('02-29')
  }
  return [...found]
}
