import { ActivityCancellationType, proxyActivities, workflowInfo } from '@temporalio/workflow'
import type { Activities } from '../activities/index.ts'

/** The bulk loops have a queue of their own, so that nothing short ever waits behind them. */
const bulkQueue = `${workflowInfo().taskQueue}-bulk`

/** Retried without end (R21): what must not be retried says so itself. */
const retry = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '1 minute' } as const

/** Every activity beats, so a worker that dies is noticed after this long, whatever it was doing. */
const heartbeatTimeout = '20 seconds'

/** Long loops over pages; the time-out is far above a segment's own limit of two minutes. */
export const bulk = proxyActivities<Activities>({
  taskQueue: bulkQueue,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout,
  retry,
})

/** Writes to the CRM: a run that is cancelled ends when what was under way is written down. */
export const writing = proxyActivities<Activities>({
  taskQueue: bulkQueue,
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout,
  retry,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
})

/** Mails: soon taken over from a worker that died; one that is cancelled ends when the answers under way are written down. */
export const mailing = proxyActivities<Activities>({
  taskQueue: bulkQueue,
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '10 seconds',
  retry,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
})

/** A few requests to the CRM. */
export const crm = proxyActivities<Activities>({
  taskQueue: bulkQueue,
  startToCloseTimeout: '10 minutes',
  heartbeatTimeout,
  retry,
})

/** A person waits: one attempt of the CRM's login within what the API waits. */
export const interactive = proxyActivities<Activities>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout,
  retry: { ...retry, maximumAttempts: 5 },
})

/** Submissions of forms: on the queue that bulk work cannot block, and soon taken over from a worker that died. */
export const draining = proxyActivities<Activities>({
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '10 seconds',
  retry: { ...retry, maximumInterval: '10 seconds' },
})

/** One attempt to tell somebody: ten seconds, and what the database takes. */
export const telling = proxyActivities<Activities>({ startToCloseTimeout: '1 minute', heartbeatTimeout, retry })

/** Database only. */
export const local = proxyActivities<Activities>({ startToCloseTimeout: '10 minutes', heartbeatTimeout, retry })
