import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import type { Fairlead } from './fairlead.ts'

export type WorkerProcess = {
  pid: number
  /** everything that it printed */
  output: () => string
  /** SIGKILL: no chance to say goodbye */
  kill: () => Promise<void>
  /** SIGTERM; resolves with the exit code */
  stop: () => Promise<number | null>
}

/** A real worker in a process of its own, as in production. `flags` are Node's. It is killed when the test ends. */
export const startWorker = async (
  { environment }: Pick<Fairlead, 'environment'>,
  flags: readonly string[] = [],
): Promise<WorkerProcess> => {
  const child = spawn(process.execPath, [...flags, '--import', 'tsx', 'worker.ts'], {
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
      if (output.includes('worker ready')) resolve()
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void exited.then((code) => reject(new Error(`the worker ended with ${code}: ${output.slice(-1000)}`)))
  })
  return {
    pid: child.pid!,
    output: () => output,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  }
}

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
