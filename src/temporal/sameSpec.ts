import type { CalendarSpec, ScheduleSpec as EngineSpec, ScheduleSpecDescription } from '@temporalio/client'

type Field = Exclude<keyof CalendarSpec, 'comment'>
type Range = { start: unknown; end?: unknown; step?: number }

const names: Partial<Record<Field, string[]>> = {
  month: 'JANUARY FEBRUARY MARCH APRIL MAY JUNE JULY AUGUST SEPTEMBER OCTOBER NOVEMBER DECEMBER'.split(' '),
  dayOfWeek: 'SUNDAY MONDAY TUESDAY WEDNESDAY THURSDAY FRIDAY SATURDAY'.split(' '),
}
/** What a field is when it is left out: its first and last value. Years: all, which the engine shows as none. */
const defaults: Record<Field, [number, number] | null> = {
  second: [0, 0],
  minute: [0, 0],
  hour: [0, 0],
  dayOfMonth: [1, 31],
  month: [0, 11],
  year: null,
  dayOfWeek: [0, 6],
}

const valuesOf = (field: Field, given: unknown): number[] => {
  const numberOf = (value: unknown) => (typeof value === 'string' ? names[field]!.indexOf(value) : Number(value))
  const ranges = given === undefined ? [] : [given].flat()
  return ranges.flatMap((each) => {
    const { start, end = start, step = 1 } = (typeof each === 'object' ? each : { start: each }) as Range
    const values = []
    for (let value = numberOf(start); value <= numberOf(end); value += step) values.push(value)
    return values
  })
}

const calendarKey = (calendar: Record<string, unknown>): string =>
  Object.entries(defaults)
    .map(([name, usual]) => {
      const values = valuesOf(name as Field, calendar[name])
      if (values.length === 0 && usual !== null) return `${usual[0]}-${usual[1]}`
      const sorted = [...new Set(values)].sort((a, b) => a - b)
      const isUsual = usual !== null && sorted.length === usual[1] - usual[0] + 1
      return isUsual && sorted[0] === usual[0] ? `${usual[0]}-${usual[1]}` : sorted.join(',')
    })
    .join(' ')

type AnySpec = EngineSpec | ScheduleSpecDescription
/** One text for specifications that match the same times, whoever describes them. */
export const keysOf = ({ calendars, skip, intervals, startAt, endAt, jitter, timezone }: AnySpec): string =>
  JSON.stringify([
    calendars?.map((each) => calendarKey({ ...each })).sort(),
    skip?.map((each) => calendarKey({ ...each })).sort(),
    intervals?.map(({ every, offset }) => `${every} ${offset ?? 0}`).sort(),
    startAt?.getTime() ?? null,
    endAt?.getTime() ?? null,
    jitter ?? 0,
    timezone,
  ])

/** Whether the specification that the engine shows is the one that it should have: it shows ranges where single values were given. */
export const sameSpec = (described: ScheduleSpecDescription, wanted: EngineSpec): boolean =>
  keysOf(described) === keysOf(wanted)
