import { loadClientConnectConfig } from '@temporalio/envconfig'
import { createBudget } from './db/budget/budget.ts'
import type { Connection } from './db/connection.ts'
import { openDatabase, type Database } from './db/database.ts'
import * as outbox from './db/outbox.ts'
import * as runs from './db/run/state.ts'
import { connectionContext, createSecretBox, type SecretBox } from './db/secret.ts'
import type { Dependencies } from './activities/dependencies.ts'
import type { Config } from './config.ts'
import type { Crm, CrmConnector } from './domain/crm.ts'
import { FairleadError } from './domain/errors.ts'
import { createLog, type Log } from './log.ts'
import { sdataConnector } from './sdata/connector.ts'
import { openFlows, type EngineOptions, type Flows, type WorkflowName } from './temporal/flows.ts'

export type Wiring = {
  config: Config
  log: Log
  db: Database
  secrets: SecretBox
  flows: Flows
  /** hands the outbox to Temporal now; rows of an engine that does not answer wait for the next time */
  relay: () => Promise<void>
  close: () => Promise<void>
}

const send =
  (flows: Flows) =>
  ({ kind, name, workflowId, input }: outbox.Message): Promise<void> => {
    if (kind === 'signal') return flows.signal(workflowId, name)
    if (kind === 'cancel') return flows.cancel(workflowId)
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
  return {
    config,
    log,
    db,
    secrets,
    flows,
    relay: async () => {
      try {
        for (let sent = 1; sent > 0;) {
          const delivery = await outbox.deliver(db, send(flows))
          sent = delivery.sent
          for (const { workflowId, error } of delivery.failures)
            log.warn(
              { workflowId, name: (error as Error).name },
              'the engine did not take a message; it is tried again',
            )
        }
      } catch (error) {
        log.warn({ name: (error as Error).name }, 'the outbox could not be read; it is tried again')
      }
    },
    close: async () => {
      await flows.close()
      await db.$client.end({ timeout: 5 })
    },
  }
}

/** Opens each connection's CRM once per process; new credentials open a new one. */
export const openCrms = (db: Database, secrets: SecretBox, connector: CrmConnector, timeoutMs: number) => {
  const opened = new Map<string, { secret: string; crm: Crm }>()
  const budgetOf = ({ accountId, id }: Connection) => createBudget(db, { accountId, connectionId: id, timeoutMs })
  const open: Dependencies['crms']['open'] = (connection, credentials) =>
    connector.open({ ...credentials, connectionId: connection.id }, budgetOf(connection))
  return {
    open,
    of(connection: Connection): Crm {
      const { id, secret, url, username } = connection
      if (secret === null || url === null || username === null) throw new FairleadError('notConnected')
      const known = opened.get(id)
      if (known?.secret === secret) return known.crm
      void known?.crm.close()
      const crm = open(connection, { url, username, password: secrets.open(secret, connectionContext(id)) })
      opened.set(id, { secret, crm })
      return crm
    },
    close: async () => {
      await Promise.all([...opened.values()].map(({ crm }) => crm.close()))
    },
  }
}

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
    else await flows.start('syncList', run.workflowId, { ...input, kind: run.kind })
    log.warn({ runId: run.runId }, 'the workflow of a run was gone; it is started again')
  }
}
