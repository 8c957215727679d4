import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished, vi } from 'vitest'
import { inspect } from '../../src/embedded/process.ts'
import { stopLeftovers } from '../../src/start/parts.ts'

/** A folder that goes with the test. */
export const newFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-start-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export type Started = {
  child: ChildProcess
  seen: { out: string; error: string }
  code: Promise<number | null>
  /** waits until it prints these words */
  says: (words: string, timeoutMs?: number) => Promise<void>
}

/** `npm start`, as a process of its own; whatever it started ends with the test. */
export const start = (args: string[], folder: string, environment: Record<string, string> = {}): Started => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/start.ts', ...args], {
    env: { ...process.env, FAIRLEAD_DATA_DIR: folder, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const seen = { out: '', error: '' }
  child.stdout.on('data', (chunk) => (seen.out += String(chunk)))
  child.stderr.on('data', (chunk) => (seen.error += String(chunk)))
  const code = once(child, 'exit').then(([exitCode]) => exitCode as number | null)
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await code
    await stopLeftovers(folder)
  })
  const says = async (words: string, timeout = 120_000): Promise<void> => {
    await vi.waitFor(
      () => {
        if (!seen.out.includes(words)) throw new Error(`it does not say "${words}": ${seen.out} ${seen.error}`)
      },
      { timeout, interval: 50 },
    )
  }
  return { child, seen, code, says }
}

const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent
      } catch {
        return false
      }
    })
    .map(Number)

/** SIGKILL for it and all that it started, at once: API, worker, Postgres, Temporal. Answers their command lines. */
export const killAll = async ({ child, code }: Started): Promise<string> => {
  const family = [child.pid!, ...childrenOf(child.pid!)]
  const commands = family.map((pid) => inspect(pid)?.command ?? '').join('\n')
  for (const pid of family) process.kill(pid, 'SIGKILL')
  await code
  return commands
}
