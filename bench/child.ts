import { spawn } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { noteProcess, stopLeftover } from '../src/embedded/leftover.ts'
import { openLog } from '../src/embedded/output.ts'
import { stopProcess } from '../src/embedded/process.ts'

const checkout = fileURLToPath(new URL('..', import.meta.url))
const loader = import.meta.resolve('tsx')
const graceMs = 30_000

export type ChildOptions = {
  /** names its log and note in `folder` */
  name: string
  /** path inside the checkout */
  entry: string
  /** for Node itself */
  node?: string[]
  args?: string[]
  folder: string
  environment?: Record<string, string>
  /** a V8 profile is written there when the process ends */
  profile?: string
}
export type Child = { pid: number; stop: () => Promise<void>; untilSays: (words: string) => Promise<string> }

const noteOf = (folder: string, name: string): string => join(folder, `${name}.pid.json`)

/** Ends what a killed benchmark left running. */
export const stopLeftoverChild = (file: string): Promise<void> => stopLeftover(file, loader)

/** One of our entries in a process of its own; detached, so that Ctrl-C reaches only us, and we stop it in its turn. */
export const startChild = ({
  name,
  entry,
  node = [],
  args = [],
  folder,
  environment = {},
  profile,
}: ChildOptions): Child => {
  const logFile = join(folder, `${name}.log`)
  const output = openLog(logFile)
  const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${join(profile, name)}`]
  const child = spawn(process.execPath, [...node, ...flags, '--import', loader, join(checkout, entry), ...args], {
    cwd: checkout,
    detached: true,
    env: { ...process.env, ...environment },
    stdio: ['ignore', output, output, 'ipc'],
  })
  closeSync(output)
  let ended = false
  child.once('exit', () => (ended = true))
  child.once('error', () => (ended = true))
  child.unref()
  child.channel?.unref()
  const pid = child.pid ?? 0
  noteProcess(noteOf(folder, name), pid)
  return {
    pid,
    stop: () => stopProcess(pid, 'SIGTERM', graceMs),
    async untilSays(words) {
      for (const deadline = Date.now() + 60_000; ;) {
        const line = readFileSync(logFile, 'utf8')
          .split('\n')
          .find((each) => each.includes(words))
        if (line !== undefined) return line
        if (ended || Date.now() > deadline) {
          throw new Error(`The ${name} did not start: ${readFileSync(logFile, 'utf8').trim().slice(-600)}`)
        }
        await sleep(20)
      }
    },
  }
}
