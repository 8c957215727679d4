export { insert, remove, update } from './segment/change.ts'
export {
  createShower,
  get,
  getEver,
  open,
  page,
  pageVersions,
  type Segment,
  type Shown,
  type Version,
} from './segment/read.ts'
