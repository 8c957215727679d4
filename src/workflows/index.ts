export { checkConnection, readFields } from './connection.ts'
export { housekeeping } from './housekeeping.ts'
export { importList } from './import.ts'
export { syncList } from './sync.ts'
