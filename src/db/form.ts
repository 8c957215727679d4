export { insert, remove, update, type AskedForm, type FormChanges } from './form/change.ts'
export { find, findByKey, get, getEver, page, version, type Form } from './form/read.ts'
export { usingColumn, usingList } from './form/uses.ts'
