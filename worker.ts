import { createActivities } from './src/activities/index.ts'
import { readConfig } from './src/config.ts'
import { migrate } from './src/db/database.ts'
import { measured } from './src/temporal/metrics.ts'
import { ensureHousekeeping } from './src/temporal/schedules.ts'
import { openWorker } from './src/temporal/worker.ts'
import { watchSchedules } from './src/schedule.ts'
import {
  creationWaitMs,
  openAlerts,
  openConnector,
  openCrms,
  openMessages,
  recoverDrainers,
  recoverRuns,
  wire,
} from './src/wiring.ts'
import { exitWithParent } from './src/embedded/parent.ts'

/** A Temporal worker alone. SIGTERM: stops at the next checkpoint, within seconds; another worker goes on. */
const config = readConfig()
const wiring = await wire(config, 'worker')
const { db, secrets, flows, log, relay } = wiring
await migrate(config.DATABASE_URL)
const crms = openCrms(db, secrets, openConnector(config), { timeoutMs: config.CRM_TIMEOUT_MS, measure: measured })
const alerts = openAlerts(config)
const mail = openMessages(config)
const worker = await openWorker({
  connection: flows.connection,
  namespace: config.TEMPORAL_NAMESPACE,
  taskQueue: flows.taskQueue,
  activities: createActivities({
    db,
    secrets,
    log,
    crms,
    creationWaitMs: creationWaitMs(config),
    deliverOutbox: relay,
    alerts,
    mail,
  }),
  workflowBundle: config.FAIRLEAD_WORKFLOW_BUNDLE,
  ...(config.METRICS_PORT === 0 ? {} : { metrics: { host: config.METRICS_HOST, port: config.METRICS_PORT } }),
  log,
})

const relayEveryMs = 1000
const recoverEveryMs = 60_000
const watchEveryMs = 10_000
const stopped = new AbortController()
const every = async (ms: number, work: () => Promise<void>): Promise<void> => {
  while (!stopped.signal.aborted) {
    await work().catch((error: Error) =>
      log.warn({ name: error.name, message: error.message }, 'housekeeping of the worker failed'),
    )
    await new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
  }
}
const stop = (): void => {
  stopped.abort()
  worker.stop()
}
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
exitWithParent()

void every(relayEveryMs, relay)
void every(recoverEveryMs, async () => {
  await ensureHousekeeping(flows)
  await recoverRuns(wiring)
  await recoverDrainers(wiring)
})
void every(watchEveryMs, async () => void (await watchSchedules(wiring)))
log.info('worker ready')
await worker.run()
await crms.close()
await alerts.close()
mail.close()
await worker.close()
await wiring.close()
log.info('worker stopped')
process.exit(0)
