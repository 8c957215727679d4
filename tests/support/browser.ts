import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readTools } from '../../src/embedded/tools.ts'

/** A browser that tests can start; it is looked for once for a machine, and kept where set-up keeps its tools. */
export const findBrowser = (): string => {
  const known = readTools().chromium
  if (known !== undefined && existsSync(known)) return known
  execFileSync(process.execPath, ['scripts/setup.mjs', '--chromium'], { stdio: 'inherit' })
  return readTools().chromium!
}
