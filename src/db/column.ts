export { addBound } from './column/add.ts'
export { insert, remove, update, type Asked } from './column/change.ts'
export { markUncompared } from './column/compare.ts'
export { all, liveFields, lockList, lostNames, noteWidening, type Column } from './column/read.ts'
