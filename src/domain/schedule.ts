export { clockAt, clockChangesOf, instantOf, localTimeOf, type ClockChange } from './schedule/local.ts'
export { readSchedule, type GivenSchedule } from './schedule/read.ts'
export * from './schedule/spec.ts'
export { chosenTimes, dueTimes, minutesOf, nextTimes, type DueTime } from './schedule/times.ts'
