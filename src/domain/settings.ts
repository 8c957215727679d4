export { changedParts, widens } from './settings/changes.ts'
export { type SettingsOf } from './settings/of.ts'
export { readSettings } from './settings/read.ts'
export { warningsOf } from './settings/warnings.ts'
