import { NativeConnection, Runtime, Worker, type NativeConnectionOptions, type WorkerOptions } from '@temporalio/worker'
import { fileURLToPath } from 'node:url'
import type { Activities } from '../activities/index.ts'
import type { Log } from '../log.ts'
import { failureTranslator } from './failures.ts'

type Options = {
  connection: NativeConnectionOptions
  namespace: string
  taskQueue: string
  activities: Activities
  /** a bundle made beforehand (production); else the workflows are bundled at start */
  workflowBundle?: string
  metrics?: { host: string; port: number }
  log: Log
}

export const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url))

/** Core's logs and the SDK's go through pino; metrics through Core's own exporter. Once per process, before any connection. */
const installRuntime = ({ log, metrics }: Options): void => {
  const at =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, meta?: Record<string | symbol, unknown>) =>
      log[level]({ ...meta }, message)
  Runtime.install({
    logger: {
      log: (level, message, meta) => at(level.toLowerCase() as 'info')(message, meta),
      trace: at('trace'),
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
    },
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'WARN' } },
      ...(metrics === undefined
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress: `${metrics.host}:${metrics.port}`,
                countersTotalSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
  })
}

/**
 * Two workers in one process: workflows with their short activities, and the bulk loops, which can never keep the former waiting.
 * `shutdownGraceTime` is how long activities may go on before they are asked to stop; they do so at their next page.
 */
export const openWorker = async (options: Options) => {
  installRuntime(options)
  const connection = await NativeConnection.connect(options.connection)
  const common = {
    connection,
    namespace: options.namespace,
    activities: options.activities,
    interceptors: { activity: [() => ({ inbound: failureTranslator(options.log) })] },
    activityTaskPollerBehavior: { type: 'simple-maximum', maximum: 4 },
    workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 4 },
    shutdownGraceTime: '1 second',
    shutdownForceTime: '20 seconds',
  } satisfies Partial<WorkerOptions>
  const workers = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: options.taskQueue,
      ...(options.workflowBundle === undefined
        ? { workflowsPath }
        : { workflowBundle: { codePath: options.workflowBundle } }),
      maxCachedWorkflows: 500,
      maxConcurrentActivityTaskExecutions: 50,
    }),
    Worker.create({ ...common, taskQueue: `${options.taskQueue}-bulk`, maxConcurrentActivityTaskExecutions: 16 }),
  ])
  return {
    /** until `stop`; rejects when a worker fails */
    run: () => Promise.all(workers.map((worker) => worker.run())),
    stop: (): void => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown()
    },
    close: () => connection.close(),
  }
}
