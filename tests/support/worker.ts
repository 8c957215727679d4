import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import type { Fairlead } from './fairlead.ts'
import { program } from './programs.ts'

export type WorkerProcess = {
  pid: number
  /** everything that it printed */
  output: () => string
  /** SIGKILL: no chance to say goodbye */
  kill: () => Promise<void>
  /** SIGTERM; resolves with the exit code */
  stop: () => Promise<number | null>
}

type Part = { name: 'worker' | 'api'; flags?: readonly string[]; environment: Record<string, string>; ready: string }

/** A part of Fairlead in a process of its own; resolves when it prints `ready`. It is killed when the test ends. */
const startPart = async ({ name, flags = [], environment, ready }: Part): Promise<WorkerProcess> => {
  const child = spawn(process.execPath, [...flags, program(name)], {
    env: { ...process.env, ...environment, LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  let output = ''
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal)
    return exited
  }
  onTestFinished(async () => void (await end('SIGKILL')))
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: unknown): void => {
      output += String(chunk)
      if (output.includes(ready)) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void exited.then((code) => reject(new Error(`the ${name} ended with ${code}: ${output.slice(-1000)}`)))
  })
  return {
    pid: child.pid!,
    output: () => output,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

/** A real worker, as in production. `flags` are Node's. */
export const startWorker = (
  { environment }: Pick<Fairlead, 'environment'>,
  flags: readonly string[] = [],
): Promise<WorkerProcess> => startPart({ name: 'worker', flags, environment, ready: 'worker ready' })

/** A real API on this port, as in production. */
export const startApi = (
  { environment }: Pick<Fairlead, 'environment'>,
  port: number,
  more: Record<string, string> = {},
): Promise<WorkerProcess> =>
  startPart({
    name: 'api',
    environment: { ...environment, PORT: String(port), ...more },
    ready: 'Server listening',
  })

/** As `npm run worker` starts it. */
export const workerFlags = (): string[] => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: { worker: string } }
  return scripts.worker.split(' ').filter((word) => /^--(max|initial)-/.test(word))
}

/** The largest resident memory of a process so far, in MiB; 0 when it is gone. */
export const peakOf = (pid: number): number => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0
  }
}
