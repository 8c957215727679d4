const formats = new Map<string, Intl.DateTimeFormat>()
const formatOf = (timeZone: string): Intl.DateTimeFormat => {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const parts = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const
  const made = new Intl.DateTimeFormat('en-u-ca-gregory-nu-latn', { timeZone, hourCycle: 'h23', ...parts })
  formats.set(timeZone, made)
  return made
}

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

const readOffset = (timeZone: string, minute: number): number => {
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(timeZone).formatToParts(minute)) part[type] = Number(value)
  return Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute']) - minute
}

const mostDays = 5000
const known = new Map<string, Map<number, number>>()

/** The offset at the beginning of a day in UTC. */
const offsetOfDay = (timeZone: string, day: number): number => {
  let days = known.get(timeZone)
  if (days === undefined || days.size >= mostDays) known.set(timeZone, (days = new Map()))
  let offset = days.get(day)
  if (offset === undefined) days.set(day, (offset = readOffset(timeZone, day * dayMs)))
  return offset
}

/** A clock changes at most once in a day: between two equal ends it does not. */
const offsetAt = (timeZone: string, atMs: number): number => {
  const day = Math.floor(atMs / dayMs)
  const offset = offsetOfDay(timeZone, day)
  if (offset === offsetOfDay(timeZone, day + 1)) return offset
  return readOffset(timeZone, Math.floor(atMs / minuteMs) * minuteMs)
}

/** The clock of a time zone at an instant, both in milliseconds since 1970: the clock as if it were UTC, to the minute. */
export const clockAt = (timeZone: string, atMs: number): number => {
  const minute = Math.floor(atMs / minuteMs) * minuteMs
  return minute + offsetAt(timeZone, minute)
}

/** The first minute from `fromMs` on, at most `toMs`, at which the offset is `offset`. */
const changeTo = (timeZone: string, offset: number, fromMs: number, toMs: number): number => {
  let [low, high] = [Math.floor(fromMs / minuteMs), Math.floor(toMs / minuteMs)]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (offsetAt(timeZone, middle * minuteMs) === offset) high = middle
    else low = middle + 1
  }
  return low * minuteMs
}

/**
 * The instant of a local time (as if it were UTC, both in milliseconds): of a repeated one the first, for one that does not exist the next valid minute
 * (R20).
 */
export const instantOf = (timeZone: string, clockMs: number): number => {
  const before = offsetAt(timeZone, clockMs - dayMs)
  const after = offsetAt(timeZone, clockMs + dayMs)
  if (before === after) return clockMs - before
  const valid = [clockMs - before, clockMs - after].filter((at) => offsetAt(timeZone, at) === clockMs - at)
  if (valid.length > 0) return Math.min(...valid)
  const [from, to] = [clockMs - Math.max(before, after), clockMs - Math.min(before, after)]
  return changeTo(timeZone, after, from, to)
}

/** A clock is set forward (local times are left out) or back (some are repeated). Milliseconds; `before` and `after` are offsets. */
export type ClockChange = { at: number; before: number; after: number }

const weekMs = 7 * dayMs

/** The changes of a time zone's clock between two instants. It is looked at once a week: no clock goes there and back in less. */
export const clockChangesOf = (timeZone: string, fromMs: number, toMs: number): ClockChange[] => {
  const changes: ClockChange[] = []
  for (let from = fromMs; from < toMs; from += weekMs) {
    const [before, after] = [offsetAt(timeZone, from), offsetAt(timeZone, from + weekMs)]
    if (after !== before) changes.push({ at: changeTo(timeZone, after, from, from + weekMs), before, after })
  }
  return changes
}

/** YYYY-MM-DDTHH:MM by the clock of a time zone. */
export const localTimeOf = (timeZone: string, at: Date): string =>
  new Date(clockAt(timeZone, at.getTime())).toISOString().slice(0, 16)
