export { takeConsent } from './submission/consent.ts'
export { insert } from './submission/insert.ts'
export { answerNames, countStates, get, page, pageForward, type Submission } from './submission/read.ts'
export { retry, retryAll } from './submission/again.ts'
