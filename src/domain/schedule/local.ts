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

/** The clock of a time zone at an instant, both in milliseconds since 1970: the clock as if it were UTC, to the minute. */
export const clockAt = (timeZone: string, atMs: number): number => {
  const part: Record<string, number> = {}
  for (const { type, value } of formatOf(timeZone).formatToParts(atMs)) part[type] = Number(value)
  return Date.UTC(part['year']!, part['month']! - 1, part['day'], part['hour'], part['minute'])
}

const offsetAt = (timeZone: string, atMs: number): number => {
  const minute = Math.floor(atMs / minuteMs) * minuteMs
  return clockAt(timeZone, minute) - minute
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
  const valid = [clockMs - before, clockMs - after].filter((at) => offsetAt(timeZone, at) === clockMs - at)
  if (valid.length > 0) return Math.min(...valid)
  const [from, to] = [clockMs - Math.max(before, after), clockMs - Math.min(before, after)]
  return changeTo(timeZone, after, from, to)
}

/** YYYY-MM-DDTHH:MM by the clock of a time zone. */
export const localTimeOf = (timeZone: string, at: Date): string =>
  new Date(clockAt(timeZone, at.getTime())).toISOString().slice(0, 16)
