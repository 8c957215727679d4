import { loadClientConnectConfig } from '@temporalio/envconfig'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBudget } from './db/budget/budget.ts'
import type { Connection } from './db/connection.ts'
import { openDatabase, type Database } from './db/database.ts'
import * as outbox from './db/outbox.ts'
import * as runs from './db/run/state.ts'
import * as optOutWakes from './db/optOut/wake.ts'
import { overdue, workflowIdOf } from './db/submission/wake.ts'
import { connectionContext, createSecretBox, type SecretBox } from './db/secret.ts'
import type { Dependencies } from './activities/dependencies.ts'
import type { Config } from './config.ts'
import type { Budget, Crm, CrmConnector } from './domain/crm.ts'
import { FairleadError } from './domain/errors.ts'
import { createLog, type Log } from './log.ts'
import { applySchedule } from './schedule.ts'
import { sdataConnector } from './sdata/connector.ts'
import { previewUrl, unsubscribeUrl } from './domain/link.ts'
import { compileMessage } from './mail/render.ts'
import { openMail } from './mail/send.ts'
import { openSmtp } from './mail/smtp.ts'
import { openFlows, type EngineOptions, type Flows, type WorkflowName } from './temporal/flows.ts'
import { openWebhooks } from './webhook/send.ts'

export type Wiring = {
  config: Config
  log: Log
  db: Database
  secrets: SecretBox
  flows: Flows
  /** hands the outbox to Temporal now, for a moment; what an engine does not take is handed over later */
  relay: () => Promise<void>
  close: () => Promise<void>
}

const send =
  (parts: Pick<Wiring, 'db' | 'flows' | 'log'>) =>
  ({ kind, name, workflowId, input }: outbox.Message): Promise<void> => {
    const { flows } = parts
    if (kind === 'schedule') return applySchedule(parts, workflowId.slice('schedule:'.length))
    if (kind === 'signal') return flows.signal(workflowId, name)
    if (kind === 'cancel') return flows.cancel(workflowId)
    if (kind === 'wake') return flows.wake(name as WorkflowName, workflowId, input as never)
    return flows.start(name as WorkflowName, workflowId, input as never)
  }

/** TLS, API key and metadata by Temporal's own environment variables; address and namespace by ours, which have the same names. */
const temporalOptions = (config: Config): EngineOptions => {
  const { tls, apiKey, metadata } = loadClientConnectConfig().connectionOptions
  return {
    tls,
    apiKey,
    metadata: metadata as Record<string, string>,
    address: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: config.TEMPORAL_TASK_QUEUE,
  }
}

/** An engine that is slow keeps nobody waiting longer: what was committed is handed over all the same. */
const relayWaitMs = 1500

/** However many ask at once, `work` runs once at a time, and once more for those who asked while it ran: it keeps one database connection. */
const oneAtATime = (work: () => Promise<void>): (() => Promise<void>) => {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const begin = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    if (running === undefined) return begin()
    next ??= running.then(() => {
      next = undefined
      return begin()
    })
    return next
  }
}

/** Opens what the API and the worker share; `close` closes it in reverse. Nothing is contacted before it is needed. */
export const wire = async (config: Config, service: string): Promise<Wiring> => {
  if (config.FAIRLEAD_SECRET_KEYS === undefined) {
    throw new Error(
      "FAIRLEAD_SECRET_KEYS is not set. Make a key with: node -p \"'k1:' + crypto.randomBytes(32).toString('base64')\"",
    )
  }
  const log = createLog(config.LOG_LEVEL, service)
  const db = openDatabase(config.DATABASE_URL, { max: config.DATABASE_POOL, name: `fairlead-${service}` })
  const secrets = createSecretBox(config.FAIRLEAD_SECRET_KEYS)
  const flows = await openFlows(temporalOptions(config))
  const deliverAll = oneAtATime(async () => {
    try {
      for (let sent = 1; sent > 0;) {
        const delivery = await outbox.deliver(db, send({ db, flows, log }))
        sent = delivery.sent
        for (const { workflowId, error } of delivery.failures)
          log.warn({ workflowId, name: (error as Error).name }, 'the engine did not take a message; it is tried again')
      }
    } catch (error) {
      log.warn({ name: (error as Error).name }, 'the outbox could not be read; it is tried again')
    }
  })
  return {
    config,
    log,
    db,
    secrets,
    flows,
    relay: () => Promise.race([deliverAll(), sleep(relayWaitMs, undefined, { ref: false })]),
    close: async () => {
      await flows.close()
      await db.$client.end({ timeout: 5 })
    },
  }
}

/** Longer than any activity may take: what nobody asked for since then, nobody uses. */
const idleMs = 31 * 60_000

/** Opens each connection's CRM once per process; new credentials open a new one. One that is not used any more is forgotten with its password. */
export const openCrms = (
  db: Database,
  secrets: SecretBox,
  connector: CrmConnector,
  { timeoutMs, measure = (budget) => budget }: { timeoutMs: number; measure?: (budget: Budget) => Budget },
) => {
  const opened = new Map<string, { secret: string; crm: Crm; idle: NodeJS.Timeout }>()
  const budgetOf = ({ accountId, id }: Connection) =>
    measure(createBudget(db, { accountId, connectionId: id, timeoutMs }))
  const open: Dependencies['crms']['open'] = (connection, credentials) =>
    connector.open({ ...credentials, connectionId: connection.id }, budgetOf(connection))
  const forget = async (id: string): Promise<void> => {
    const known = opened.get(id)
    clearTimeout(known?.idle)
    opened.delete(id)
    await known?.crm.close()
  }
  return {
    open,
    of(connection: Connection): Crm {
      const { id, secret, url, username } = connection
      const known = opened.get(id)
      if (known !== undefined && known.secret === secret) {
        known.idle.refresh()
        return known.crm
      }
      void forget(id).catch(() => undefined)
      if (secret === null || url === null || username === null) throw new FairleadError('notConnected')
      const crm = open(connection, { url, username, password: secrets.open(secret, connectionContext(id)) })
      opened.set(id, { secret, crm, idle: setTimeout(() => void forget(id), idleMs).unref() })
      return crm
    },
    close: async () => {
      await Promise.all([...opened.keys()].map(forget))
    },
  }
}

/** What tells people and programs of alerts. */
export const openAlerts = (config: Config) => {
  const { SMTP_URL: smtpUrl, MAIL_FROM: from, PUBLIC_URL: publicUrl } = config
  const webhooks = openWebhooks(config.WEBHOOK_ALLOWED_HOSTS)
  const mail = smtpUrl === undefined ? undefined : openMail({ smtpUrl, from, publicUrl })
  return {
    sendWebhook: webhooks.send,
    sendMail: mail?.send ?? null,
    retrySeconds: config.ALERT_RETRY_SECONDS,
    async close() {
      mail?.close()
      await webhooks.close()
    },
  }
}

/** What sends messages. */
export const openMessages = (config: Config): Dependencies['mail'] & { close: () => void } => {
  const { SMTP_URL: smtpUrl, SMTP_CONNECTIONS: connections, SMTP_RATE_PER_SECOND: ratePerSecond } = config
  const timeoutMs = config.SMTP_TIMEOUT_MS
  const server = smtpUrl === undefined ? null : openSmtp({ smtpUrl, connections, ratePerSecond, timeoutMs })
  return {
    server,
    publicUrl: config.PUBLIC_URL ?? null,
    retrySeconds: config.MAIL_RETRY_SECONDS,
    compile: compileMessage,
    links: { preview: previewUrl, unsubscribe: unsubscribeUrl },
    close: () => server?.close(),
  }
}

/** R7: how long after a request went out the CRM may still carry it out: twice the time-out, and what it may be late. */
export const creationWaitMs = (config: Config): number => 2 * config.CRM_TIMEOUT_MS + config.CRM_LATE_MS

export const openConnector = (config: Config): CrmConnector =>
  sdataConnector({ timeoutMs: config.CRM_TIMEOUT_MS, allowedHosts: config.CRM_ALLOWED_HOSTS })

/**
 * Starts the workflows of runs whose workflow is gone: terminated by hand, or lost with the engine's own data. What was done stands in
 * the database, so they go on where they were.
 */
export const recoverRuns = async ({ db, flows, log }: Wiring): Promise<void> => {
  for (const run of await runs.active(db)) {
    if ((await outbox.open(db, run.workflowId)).length > 0 || (await flows.isOpen(run.workflowId))) continue
    const input = {
      accountId: run.accountId,
      runId: run.runId,
      listId: run.listId ?? undefined,
      connectionId: run.connectionId ?? undefined,
    }
    if (run.kind === 'import')
      await flows.start('importList', run.workflowId, { ...input, entity: run.entity ?? 'lead' })
    else if (run.kind === 'notes') await flows.start('deliverNotes', run.workflowId, { ...input, kind: run.kind })
    else if (run.kind === 'upload') await flows.start('uploadList', run.workflowId, { ...input, kind: run.kind })
    else if (run.kind === 'send') await flows.start('sendMessage', run.workflowId, { ...input, kind: run.kind })
    else await flows.start('syncList', run.workflowId, { ...input, kind: run.kind })
    log.warn({ runId: run.runId }, 'the workflow of a run was gone; it is started again')
  }
}

/** Longer than a drainer that lives leaves anything alone that is due. */
const overdueSeconds = 60

/** Starts the drainers of submissions, and of opt-outs, whose workflow is gone, in the same way. */
export const recoverDrainers = async ({ db, flows, log }: Wiring): Promise<void> => {
  for (const drainer of await overdue(db, overdueSeconds)) {
    const workflowId = workflowIdOf(drainer)
    if ((await outbox.open(db, workflowId)).length > 0 || (await flows.isOpen(workflowId))) continue
    await flows.wake('drainForms', workflowId, drainer)
    log.warn({ ...drainer }, 'the drainer of submissions was gone; it is started again')
  }
  for (const pusher of await optOutWakes.overdue(db, overdueSeconds)) {
    const workflowId = optOutWakes.workflowIdOf(pusher)
    if ((await outbox.open(db, workflowId)).length > 0 || (await flows.isOpen(workflowId))) continue
    await flows.wake('pushOptOuts', workflowId, pusher)
    log.warn({ ...pusher }, 'who writes opt-outs was gone; they are started again')
  }
}
