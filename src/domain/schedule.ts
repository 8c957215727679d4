export { dueAt, dueBetween } from './schedule/due.ts'
export { clockChangesOf, instantOf, localTimeOf, type ClockChange } from './schedule/local.ts'
export * from './schedule/spec.ts'
export { chosenTimes, dueTimes, minutesOf, nextTimes, type DueTime } from './schedule/times.ts'
