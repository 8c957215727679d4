export { insert, remove, update } from './form/change.ts'
export { picklistReadAt, requestPicklist, upsertPicklist } from './form/picklist.ts'
export { findByKey, get, getEver, page, version, type Form } from './form/read.ts'
