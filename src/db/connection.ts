export { claimCheck, checkMs, releaseCheck } from './connection/check.ts'
export { accept } from './connection/accept.ts'
export { findFields, requestFields, upsertFields } from './connection/fields.ts'
export {
  findActive,
  findCandidate,
  get,
  getForWork,
  lockAccount,
  pageConnected,
  sampleLinks,
  type Connection,
} from './connection/find.ts'
export { propose, refuse, type CandidateKey } from './connection/propose.ts'
export { needReconfirm, noteCheck, problemOf, reset, setEnabled } from './connection/state.ts'
