export { pause, put, remove, resume, store } from './schedule/change.ts'
export { find, get, holderOf, listHolder, segmentHolder, type Holder } from './schedule/find.ts'
export { lastFirings, named, runsUnderWay, type Firing, type NamedSchedule, type Run } from './schedule/planner.ts'
export { warningsOf } from './schedule/warnings.ts'
