import { describe, expect, test } from 'vitest'
import { nextTimes, readSchedule, type GivenSchedule } from '../../src/domain/schedule.ts'

const now = new Date('2027-01-01T11:00:00Z')
const daily: GivenSchedule = { frequency: 'daily', time: '06:30' }
const read = (given: Partial<GivenSchedule>) => readSchedule({ ...daily, ...given }, { timeZone: 'UTC', now })

describe('T1: a schedule as a person gives it', () => {
  // the engine knows zones by the letters of their names, and no short names of other systems
  test.each([
    ['Europe/Berlin', 'Europe/Berlin'],
    ['europe/berlin', 'Europe/Berlin'],
    ['Asia/Kolkata', 'Asia/Kolkata'],
    ['America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
    ['utc', 'UTC'],
    ['US/Eastern', 'America/New_York'],
    ['NZ', 'Pacific/Auckland'],
  ])('the time zone %s is kept as %s', (given, kept) => {
    expect(read({ timeZone: given }).timeZone).toBe(kept)
  })

  test('it begins today by the clock of its zone', () => {
    expect(read({ timeZone: 'Pacific/Kiritimati' }).startDate).toBe('2027-01-02')
    expect(read({ timeZone: 'Pacific/Honolulu' }).startDate).toBe('2027-01-01')
  })

  test('days are put in order, and several times a day end at midnight', () => {
    const spec = read({ frequency: 'weekly', daysOfWeek: ['sunday', 'monday'], time: '18:15', everyHours: 2 })
    expect(spec.daysOfWeek).toEqual(['monday', 'sunday'])
    expect(nextTimes(spec, now, 4).map(({ localTime }) => localTime)).toEqual([
      '2027-01-03T18:15',
      '2027-01-03T20:15',
      '2027-01-03T22:15',
      '2027-01-04T18:15',
    ])
  })
})

test('R20: the last day of each month, and of those that are too short for the day', () => {
  const days = (dayOfMonth: number | 'last') =>
    nextTimes(read({ frequency: 'monthly', dayOfMonth, startDate: '2028-01-01' }), now, 5).map(({ localTime }) =>
      localTime.slice(5, 10),
    )
  expect(days('last')).toEqual(['01-31', '02-29', '03-31', '04-30', '05-31'])
  expect(days(31)).toEqual(days('last'))
  expect(days(30)).toEqual(['01-30', '02-29', '03-30', '04-30', '05-30'])
})
