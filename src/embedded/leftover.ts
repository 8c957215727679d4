import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { inspect, stopProcess } from './process.ts'

/** Notes a process that we started, so that the next start can end it should this one be killed. */
export const noteProcess = (file: string, pid: number): void =>
  writeFileSync(file, JSON.stringify({ pid, startedAt: inspect(pid)?.startedAt }), { mode: 0o600 })

/** Ends the process noted in `file` if it still lives and its command line holds `mark`; a recycled process id is left alone. */
export const stopLeftover = async (file: string, mark: string): Promise<void> => {
  if (!existsSync(file)) return
  const { pid, startedAt } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; startedAt?: string }
  const found = inspect(pid)
  if (found?.startedAt === startedAt && found?.command.includes(mark)) await stopProcess(pid, 'SIGTERM', 10_000)
  rmSync(file, { force: true })
}
