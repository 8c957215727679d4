import { z } from 'zod'
import { daysOfWeek, type ScheduleSpec } from '../../domain/schedule.ts'
import { text } from '../schemas.ts'

const frequency = z.enum(['daily', 'weekly', 'monthly'])
const Day = z.enum(daysOfWeek)
const DayOfMonth = z.union([z.number().int().min(1).max(31), z.literal('last')])
const everyHours = z.number().int().min(1).max(23)

const describe = {
  daysOfWeek: 'weekly: the days that it runs on',
  dayOfMonth: 'monthly: 1 to 31, or `last`; in a month that does not have the day, its last day',
  time: 'HH:MM by the clock of the time zone; where the clock leaves it out, the next minute that there is; where it comes twice, once',
  everyHours: 'again every so many hours after `time` until local midnight; null: once a day',
  startDate: 'no run before this day',
  timeZone: 'an IANA name',
}

export const scheduleExample: ScheduleSpec = {
  frequency: 'weekly',
  daysOfWeek: ['monday'],
  dayOfMonth: null,
  time: '06:30',
  everyHours: null,
  startDate: '2027-01-04',
  timeZone: 'Europe/Berlin',
}

/** A schedule as it is answered, with all its parts. */
export const ScheduleSpecJson = z
  .object({
    frequency,
    daysOfWeek: z.array(Day).meta({ description: describe.daysOfWeek }),
    dayOfMonth: DayOfMonth.nullable().meta({ description: describe.dayOfMonth }),
    time: z.string().meta({ description: describe.time }),
    everyHours: everyHours.nullable().meta({ description: describe.everyHours }),
    startDate: z.string().meta({ description: describe.startDate }),
    timeZone: z.string().meta({ description: describe.timeZone }),
  })
  .meta({ id: 'ScheduleSpec', examples: [scheduleExample] })

/** A schedule as it is given; what is left out has a default. */
export const NewSchedule = z
  .strictObject({
    frequency,
    daysOfWeek: z.array(Day).max(14).nullish().meta({ description: describe.daysOfWeek }),
    dayOfMonth: DayOfMonth.nullish().meta({ description: describe.dayOfMonth }),
    time: text(5).meta({ description: describe.time }),
    everyHours: everyHours.nullish().meta({ description: describe.everyHours }),
    startDate: text(10)
      .nullish()
      .meta({ description: `${describe.startDate}; today where it is left out` }),
    timeZone: text(64)
      .nullish()
      .meta({ description: `${describe.timeZone}; the account’s where it is left out` }),
  })
  .meta({
    id: 'NewSchedule',
    examples: [
      {
        frequency: 'weekly',
        daysOfWeek: ['monday'],
        time: '06:30',
        startDate: '2027-01-04',
        timeZone: 'Europe/Berlin',
      },
      { frequency: 'monthly', dayOfMonth: 'last', time: '22:00' },
    ],
  })
