import { isoOf } from './iso.ts'

const iso = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i
const microsoft = /^\/Date\((-?\d{1,16})([+-]\d{4})?\)\/$/
// 1 January of year 1 is .NET's empty date, which no database behind the CRM can hold.
const emptyDateMs = -62_135_596_800_000
const dayMs = 86_400_000
const minYearMs = Date.UTC(1000, 0, 1)
const maxYearMs = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** A moment as the CRM wrote it: UTC milliseconds, the writer's offset in minutes, and whether a time was written at all. */
type Moment = { ms: number; offsetMinutes: number; timed: boolean }

const offsetOf = (text: string | undefined): number => {
  if (text === undefined || text.toUpperCase() === 'Z') return 0
  const digits = text.slice(1).replace(':', '').padEnd(4, '0')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2, 4))
  return text.startsWith('-') ? -minutes : minutes
}

const readMicrosoft = (text: string): Moment | null => {
  const match = microsoft.exec(text)
  return match ? { ms: Number(match[1]), offsetMinutes: offsetOf(match[2]), timed: true } : null
}

const readIso = (text: string): Moment | null => {
  const match = iso.exec(text)
  if (!match) return null
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const milliseconds = Math.floor(Number(`0.${match[7] ?? '0'}`) * 1000 + 1e-7)
  const offsetMinutes = offsetOf(match[8])
  if (hour > 23 || minute > 59 || second > 59 || Math.abs(offsetMinutes) > 18 * 60) return null
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second, milliseconds)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  return { ms: date.getTime() - offsetMinutes * 60_000, offsetMinutes, timed: match[4] !== undefined }
}

const read = (value: unknown): Moment | null | undefined => {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  const moment = text.charCodeAt(0) === 47 ? readMicrosoft(text) : readIso(text)
  if (moment === null) return undefined
  if (Math.abs(moment.ms - emptyDateMs) < dayMs) return null
  return moment.ms >= minYearMs && moment.ms <= maxYearMs ? moment : undefined
}

const timeless = (ms: number): boolean => {
  const time = ((ms % dayMs) + dayMs) % dayMs
  return time === 0 || time === 5000
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

/** `2026-11-23T10:00:00.000Z`; a text without a time stays `2026-11-23`; null for .NET's empty date; undefined when it cannot be read. No offset means UTC (sdata.md 7). */
export const readInstant = (value: unknown): string | null | undefined => {
  if (typeof value === 'string' && value.startsWith('/Date(') && value.endsWith(')/')) {
    // the usual form, without the detour
    const digits = value.slice(6, -2)
    const ms = Number(digits)
    if (String(ms) === digits && ms >= minYearMs && ms <= maxYearMs) return isoOf(ms)
  }
  const moment = read(value)
  if (!moment) return moment
  return moment.timed ? isoOf(moment.ms) : day(moment.ms)
}

/**
 * A date without time, never shifted: UTC midnight or 00:00:05 (the CRM's "timeless") give the UTC day, a written offset gives the day that
 * its writer saw. null and undefined as in readInstant.
 */
export const readDate = (value: unknown): string | null | undefined => {
  const moment = read(value)
  if (!moment) return moment
  const written = typeof value === 'string' && value.trim().charCodeAt(0) !== 47
  const local = moment.ms + moment.offsetMinutes * 60_000
  if (written) return day(local)
  return !timeless(moment.ms) && timeless(local) ? day(local) : day(moment.ms)
}
