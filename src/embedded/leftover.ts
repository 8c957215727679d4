import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { holderOf } from './lock.ts'
import { inspect, stopProcess } from './process.ts'

/** Notes a process that we started, so that the next start can end it should this one be killed. */
export const noteProcess = (file: string, pid: number): void =>
  writeFileSync(file, JSON.stringify({ pid, startedAt: inspect(pid)?.startedAt }), { mode: 0o600 })

/** Ends the process noted in `file` if it still lives and its command line holds `mark`; a recycled process id is left alone. */
export const stopLeftover = async (file: string, mark: string): Promise<void> => {
  if (!existsSync(file)) return
  // nobody where the note cannot be read: power may fail while it is written, and then the process is gone as well
  const holder = holderOf(file)
  if (holder && inspect(holder.pid)?.command.includes(mark)) await stopProcess(holder.pid, 'SIGTERM', 10_000)
  rmSync(file, { force: true })
}
