export { confirm, request } from './sweep/list.ts'
