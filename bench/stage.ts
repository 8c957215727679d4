import { randomBytes } from 'node:crypto'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { readConfig } from '../src/config.ts'
import { migrate } from '../src/db/database.ts'
import { freePort } from '../src/embedded/port.ts'
import { startPostgres } from '../src/embedded/postgres.ts'
import { startTemporal } from '../src/embedded/temporal.ts'
import { memoryEnvironment, workerFlags } from '../src/start/memory.ts'
import { wire, type Wiring } from '../src/wiring.ts'
import { startChild, type Child, type ChildOptions } from './child.ts'
import { openFolder } from './folder.ts'
import type { Options } from './options.ts'

const run = promisify(execFile)

export type Stage = {
  options: Options
  wiring: Wiring
  databaseUrl: string
  postgresPid: number
  /** what children of Fairlead need in their environment */
  environment: Record<string, string>
  signal: AbortSignal
  say: (line: string) => void
  /** starts one of our entries; `stop` may be called before the stage closes */
  start: (name: string, entry: string, more?: Pick<ChildOptions, 'args' | 'node' | 'environment'>) => Child
  close: () => Promise<void>
}

/** Postgres as `npm start` runs it (fsync on), the Temporal dev server, a migrated database. Everything is stopped by `close`, in reverse. */
export const openStage = async (options: Options, signal: AbortSignal, say: Stage['say']): Promise<Stage> => {
  const open: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    while (open.length > 0) await open.pop()?.()
  }
  try {
    const folder = await openFolder()
    open.push(folder.remove)
    const log = { info: say }
    const postgres = await startPostgres({ dataDir: `${folder.path}/postgres`, log })
    open.push(postgres.stop)
    const temporal = await startTemporal({ dataDir: `${folder.path}/temporal`, log })
    open.push(temporal.stop)
    const environment = {
      DATABASE_URL: postgres.url,
      TEMPORAL_ADDRESS: temporal.address,
      FAIRLEAD_SECRET_KEYS: `bench:${randomBytes(32).toString('base64')}`,
      FAIRLEAD_DATA_DIR: folder.path,
      PORT: `${await freePort()}`,
      LOG_LEVEL: 'info',
      PUBLIC_URL: 'http://127.0.0.1',
      // as in production: the bundler's memory is not the worker's
      FAIRLEAD_WORKFLOW_BUNDLE: `${folder.path}/workflows.js`,
    }
    await migrate(postgres.url)
    await run(process.execPath, ['--import', 'tsx', 'src/temporal/bundle.ts', environment.FAIRLEAD_WORKFLOW_BUNDLE])
    const wiring = await wire(readConfig({ ...environment, LOG_LEVEL: 'silent' }), 'bench')
    open.push(wiring.close)
    let children = 0
    return {
      options,
      wiring,
      databaseUrl: postgres.url,
      postgresPid: postgres.pid,
      environment,
      signal,
      say,
      start(name, entry, more = {}) {
        const child = startChild({
          name: `${name}-${(children += 1)}`,
          entry,
          folder: folder.path,
          ...more,
          environment: { ...environment, ...more.environment },
          ...(options.profile === undefined ? {} : { profile: options.profile }),
        })
        open.push(child.stop)
        return child
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A worker in a process of its own, as `npm run worker` starts it with a bundle. */
export const startWorker = async (stage: Stage): Promise<Child> => {
  const worker = stage.start('worker', 'worker.ts', { node: workerFlags, environment: memoryEnvironment })
  await worker.untilSays('worker ready')
  return worker
}
