export { request } from './import/request.ts'
