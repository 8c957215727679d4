export { dueAt, dueBetween } from './schedule/due.ts'
export { localTimeOf } from './schedule/local.ts'
export * from './schedule/spec.ts'
export { dueTimes, nextTimes, type DueTime } from './schedule/times.ts'
