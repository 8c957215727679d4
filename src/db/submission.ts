export { insert, type NewSubmission } from './submission/insert.ts'
