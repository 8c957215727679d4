import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { daysOfWeek, localTimeOf, type ScheduleSpec } from '../../src/domain/schedule.ts'
import { sameSpec } from '../../src/temporal/sameSpec.ts'
import { createPaused, daily, monthly, openEngine, ourTimes, serverTimes, specOf, weekly } from './engine.ts'

const dayMs = 24 * 60 * 60_000
// the server lists at most a thousand times at once; the borders of these slices are at no change of a clock
const sliceMs = 41 * dayMs
const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'UTC']
// of which Node and the engine know the same rules, whichever is newer: those of Africa/Casablanca changed in 2026
const strangeZones = ['America/Havana', 'Asia/Gaza', 'America/Nuuk', 'Antarctica/Troll']

/** Instants less repeats of one local time, as ISO text. */
const once = (timeZone: string, times: number[]): string[] => {
  const seen = new Set<string>()
  return times.flatMap((each) => {
    const local = localTimeOf(timeZone, new Date(each))
    return seen.has(local) ? [] : (seen.add(local), [new Date(each).toISOString()])
  })
}
const texts = (times: number[]) => times.map((each) => new Date(each).toISOString())

const compare = async (client: ReturnType<typeof openEngine>, spec: ScheduleSpec, from: Date, to: Date) => {
  const { scheduleId } = await createPaused(client, specOf(spec))
  const theirs = await serverTimes(client, scheduleId, from, to, sliceMs)
  const ours = ourTimes(spec, from, to)
  expect(ours.length).toBeGreaterThan(0)
  // one comparison of two texts: thousands of single ones take longer than the server
  expect(once(spec.timeZone, theirs).join()).toBe(texts(ours).join())
}

describe('R20: the engine fires at exactly the times that are shown', () => {
  const hours = zones.map((timeZone) => ({ timeZone, time: '00:00' }))
  const halfHours = zones.slice(0, 3).map((timeZone) => ({ timeZone, time: '00:30' }))
  test.each([...hours, ...halfHours])('for every hour from $time of 2027 to 2032 in $timeZone', async (given) => {
    const spec = { ...daily, ...given, everyHours: 1 }
    await compare(openEngine(), spec, new Date('2026-12-30T10:00:00Z'), new Date('2032-12-31T23:59:00Z'))
  })

  test.each(strangeZones)('for every quarter past of a year in %s, whose clock is special', async (timeZone) => {
    const spec = { ...daily, time: '00:15', everyHours: 1, timeZone }
    await compare(openEngine(), spec, new Date('2029-12-30T10:00:00Z'), new Date('2031-01-31T10:00:00Z'))
  })

  test('for schedules of all kinds, months and changes of the clock included', async () => {
    const client = openEngine()
    const kinds = fc.oneof(
      fc.constant(daily),
      fc.subarray([...daysOfWeek], { minLength: 1 }).map((days) => ({ ...weekly, daysOfWeek: days })),
      fc.constantFrom(1, 28, 29, 30, 31, 'last' as const).map(monthly),
    )
    const times = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.constantFrom(0, 7, 15, 30, 59))
    const random = fc.record({
      kind: kinds,
      time: times.map((parts) => parts.map((each) => String(each).padStart(2, '0')).join(':')),
      everyHours: fc.constantFrom(null, null, 2, 5, 23),
      timeZone: fc.constantFrom(
        'Europe/Berlin',
        'Australia/Lord_Howe',
        'Australia/Lord_Howe',
        ...zones,
        ...strangeZones,
      ),
      startDate: fc.constantFrom('2027-01-01', '2027-03-28', '2027-10-31', '2028-02-29'),
    })
    await fc.assert(
      fc.asyncProperty(random, async ({ kind, ...rest }) => {
        const spec = { ...kind, ...rest }
        await compare(client, spec, new Date('2027-02-20T10:00:00Z'), new Date('2028-05-05T10:00:00Z'))
      }),
      { numRuns: 25 },
    )
  })

  test('a local time that does not exist runs at the next valid minute', async () => {
    const spec = { ...daily, time: '02:30' }
    const client = openEngine()
    const { scheduleId } = await createPaused(client, specOf(spec))
    const times = await serverTimes(
      client,
      scheduleId,
      new Date('2027-03-27T12:00:00Z'),
      new Date('2027-03-29T12:00:00Z'),
      dayMs,
    )
    expect(times.map((each) => localTimeOf('Europe/Berlin', new Date(each)))).toEqual([
      '2027-03-28T03:00',
      '2027-03-29T02:30',
    ])
  })
})

test('R20: what the engine shows of a schedule is told from what somebody edited', async () => {
  const client = openEngine()
  const specs: ScheduleSpec[] = [
    { ...daily, everyHours: 1, time: '00:45', timeZone: 'Australia/Lord_Howe' },
    { ...weekly, daysOfWeek: ['sunday', 'tuesday'] },
    { ...monthly('last'), time: '02:30' },
  ]
  for (const spec of specs) {
    const handle = await createPaused(client, specOf(spec))
    const { spec: shown } = await handle.describe()
    expect(sameSpec(shown, specOf(spec))).toBe(true)
    expect(sameSpec(shown, specOf({ ...spec, time: '03:45' }))).toBe(false)
    expect(sameSpec(shown, specOf({ ...spec, startDate: '2027-01-02' }))).toBe(false)
    expect(sameSpec(shown, { ...specOf(spec), jitter: '1 minute' })).toBe(false)
  }
})
