export { erase } from './erasure/erase.ts'
export { get, page, type Erasure } from './erasure/read.ts'
