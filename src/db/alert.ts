export { raise, resolve } from './alert/raise.ts'
export { closeOver, recoverDeliveries, tellDue } from './alert/due.ts'
export { page, shownOf, type AlertRow } from './alert/read.ts'
export { removeOld } from './alert/expire.ts'
