/** T2: how many schedules of an account can be active at a time. */
export const slotCount = 10

export const daysOfWeek = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const
export type DayOfWeek = (typeof daysOfWeek)[number]

/** T1. All parts are always there; those that the frequency does not use are empty or null. */
export type ScheduleSpec = {
  frequency: 'daily' | 'weekly' | 'monthly'
  /** weekly: at least one */
  daysOfWeek: DayOfWeek[]
  /** monthly: 1 to 31, a day that a month does not have is its last (R20) */
  dayOfMonth: number | 'last' | null
  /** HH:MM, by the clock of the time zone */
  time: string
  /** again every so many hours after `time` until local midnight: 1 to 23, null for once a day */
  everyHours: number | null
  /** YYYY-MM-DD: no run before this local day */
  startDate: string
  /** IANA name */
  timeZone: string
}

/** R18: a paused one has no slot; a removed one stays for its history. */
export type ScheduleState = 'active' | 'paused' | 'removed'
/** `reset`: the connector was reset (C3) */
export type PausedBy = 'person' | 'reset'

/** `missed`: a later due time caught up for it (T3) */
export type FiringOutcome = 'started' | 'queued' | 'skipped' | 'missed'
/** `watchdog`: the engine did not fire, which was noticed */
export type FiredBy = 'engine' | 'watchdog'
