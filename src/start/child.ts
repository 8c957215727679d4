import { spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { noteProcess, stopLeftover } from '../embedded/leftover.ts'
import { openLog } from '../embedded/output.ts'
import { stopProcess } from '../embedded/process.ts'
import { environmentFor } from './environment.ts'
import type { Part } from './supervisor.ts'

const checkout = fileURLToPath(new URL('../..', import.meta.url))
const loader = import.meta.resolve('tsx')
const graceMs = 12_000

export type ChildOptions = {
  name: string
  /** path inside the checkout */
  entry: string
  /** for Node itself */
  flags?: string[]
  args?: string[]
  folder: string
  environment?: Record<string, string>
}

const noteOf = (folder: string, name: string) => join(folder, `${name}.json`)
export const logOf = (folder: string, name: string): string => join(folder, `${name}.log`)

/** Ends a child that outlived an earlier, killed start. */
export const stopLeftoverChild = (folder: string, name: string, entry: string): Promise<void> =>
  stopLeftover(noteOf(folder, name), entry)

/** One of our entries in a process of its own. It ends with us through the IPC channel (embedded/parent.ts), even after SIGKILL. */
export const startChild = async ({
  name,
  entry,
  flags = [],
  args = [],
  folder,
  environment = {},
}: ChildOptions): Promise<Part> => {
  const output = openLog(logOf(folder, name))
  // Detached: Ctrl-C in a terminal must not end it before its turn.
  const child = spawn(process.execPath, [...flags, '--import', loader, join(checkout, entry), ...args], {
    cwd: checkout,
    detached: true,
    env: environmentFor(environment),
    stdio: ['ignore', output, output, 'ipc'],
  })
  closeSync(output)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const { pid } = child
  if (pid !== undefined) noteProcess(noteOf(folder, name), pid)
  const stop = async () => {
    if (pid !== undefined) await stopProcess(pid, 'SIGTERM', graceMs)
    await exited
  }
  return { exited, stop }
}
