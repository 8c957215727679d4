export { begin, isUsed, leaveOut } from './quarantine/begin.ts'
export * from './quarantine/read.ts'
export { releaseBy } from './quarantine/release.ts'
export { settle } from './quarantine/settle.ts'
