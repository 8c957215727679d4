export { insert, remove, update } from './segment/change.ts'
export { createShower, get, open, page, pageVersions, type Segment, type Shown, type Version } from './segment/read.ts'
