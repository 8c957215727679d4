import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { takeLock } from '../../src/embedded/lock.ts'
import { ownTemp } from '../../src/embedded/temp.ts'
import { readTools } from '../../src/embedded/tools.ts'

/** Test files, and test runs of this machine, take turns: only one program at a time may install packages. */
const turn = ownTemp('chromium')

/** Looking for it may mean to install it. */
export const browserMs = 600_000

/** A browser that tests can start; it is looked for once for a machine, and kept where set-up keeps its tools. */
export const findBrowser = async (): Promise<string> => {
  for (;;) {
    const known = readTools().chromium
    if (known !== undefined && existsSync(known)) return known
    const lock = takeLock(turn)
    if (lock === undefined) {
      await sleep(200)
      continue
    }
    try {
      process.stdout.write((await promisify(execFile)(process.execPath, ['scripts/setup.mjs', '--chromium'])).stdout)
    } finally {
      lock.release()
    }
  }
}
