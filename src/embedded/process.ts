import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export type Process = { command: string; startedAt: string }

/** The living process with this id. Id and `startedAt` together never name two processes; a zombie counts as dead. */
export const inspect = (pid: number): Process | undefined => {
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  return existsSync('/proc/self/stat') ? fromProc(pid) : fromPs(pid)
}

const fromProc = (pid: number): Process | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { command, startedAt: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

const fromPs = (pid: number): Process | undefined => {
  try {
    const args = ['-ww', '-o', 'stat=,lstart=,command=', '-p', `${pid}`]
    const line = execFileSync('ps', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { LC_ALL: 'C' },
    })
    const [, state = 'Z', startedAt = '', command = ''] =
      /^(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)/s.exec(line.trim()) ?? []
    return state.startsWith('Z') ? undefined : { command, startedAt }
  } catch {
    return undefined
  }
}

/** Signals a process, awaits its end, and kills it when it is still there after `graceMs`. A process that ended is fine. */
export const stopProcess = async (pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> => {
  const before = inspect(pid)
  if (!before) return
  const lives = () => inspect(pid)?.startedAt === before.startedAt
  send(pid, signal)
  for (const deadline = Date.now() + graceMs; lives() && Date.now() < deadline;) await sleep(10)
  if (!lives()) return
  send(pid, 'SIGKILL')
  while (lives()) await sleep(10)
}

const send = (pid: number, signal: NodeJS.Signals) => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
