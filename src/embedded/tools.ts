import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** What `scripts/setup.mjs` found on this machine; how it found them is its own affair. */
export type Tools = { temporal: string; temporalVersion: string; chromium?: string }

const file = fileURLToPath(new URL('../../node_modules/.fairlead/tools.json', import.meta.url))

export const readTools = (): Tools => {
  if (!existsSync(file)) throw new Error('The Temporal CLI has not been looked for yet. Run: node scripts/setup.mjs')
  return JSON.parse(readFileSync(file, 'utf8')) as Tools
}
