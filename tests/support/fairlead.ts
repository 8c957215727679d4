import { randomBytes } from 'node:crypto'
import { pino, type Logger } from 'pino'
import { inject } from 'vitest'
import { createActivities } from '../../src/activities/index.ts'
import { readConfig } from '../../src/config.ts'
import * as accounts from '../../src/db/account.ts'
import * as connections from '../../src/db/connection.ts'
import type { Database } from '../../src/db/database.ts'
import { due } from '../../src/db/outbox.ts'
import * as imports from '../../src/db/import.ts'
import * as runs from '../../src/db/run/state.ts'
import { outbox } from '../../src/db/schema.ts'
import type { CrmEntity } from '../../src/domain/crm.ts'
import { isOver } from '../../src/domain/run.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'
import { openWorker } from '../../src/temporal/worker.ts'
import {
  creationWaitMs,
  openAlerts,
  openConnector,
  openCrms,
  openMessages,
  wire,
  type Wiring,
} from '../../src/wiring.ts'
import { createDatabase } from './servers.ts'

/** Waits until `probe` answers something; fails with what was awaited. */
export const until = async <T>(
  what: string,
  probe: () => Promise<T | undefined | null | false>,
  timeoutMs = 60_000,
  everyMs = 25,
): Promise<T> => {
  const end = Date.now() + timeoutMs
  for (;;) {
    const found = await probe()
    if (found !== undefined && found !== null && found !== false) return found
    if (Date.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

export type Fairlead = {
  wiring: Wiring
  db: Database
  accountId: string
  environment: Record<string, string>
  simulator: Simulator
  connect: (credentials?: {
    url?: string
    username?: string
    password?: string
  }) => Promise<connections.Connection | undefined>
  startImport: (entity: CrmEntity, fields?: string[], newList?: boolean) => Promise<string>
  finished: (runId: string, timeoutMs?: number) => Promise<runs.Run>
  control: (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<unknown>
  close: () => Promise<void>
}

/**
 * The relay of a process gives up waiting after a moment, which a busy machine exceeds; a test goes on when the engine has all
 * that is due, or has refused it.
 */
const relayAll = async ({ db, relay }: Wiring): Promise<void> => {
  await until('the engine has what is due', async () => {
    await relay()
    return (await db.$count(outbox, due)) === 0
  })
}

/** Asks one small question, as often as it is asked: what is left to hand over is handed over only when there is something. */
const isFinished = async ({ db, relay }: Wiring, runId: string): Promise<boolean> => {
  const [found] = await db.$client<{ state: runs.Run['state']; waits: boolean }[]>`
    select state, exists (select from outbox where done_at is null) as waits from runs where id = ${runId}`
  if (found === undefined) throw new Error(`there is no run ${runId}`)
  if (found.waits) await relay()
  return isOver(found.state)
}

type Options = SimulatorOptions & { worker?: boolean; environment?: Record<string, string>; log?: Logger }

/** The whole of Fairlead on a database and a task queue of its own, with a CRM simulator beside it. `worker: false` leaves the worker out. */
export const openFairlead = async ({
  worker: withWorker = true,
  environment: extra = {},
  log = pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
  ...simulated
}: Options = {}): Promise<Fairlead> => {
  const database = await createDatabase()
  const simulator = await startSimulator({ leads: 2500, contacts: 600, seed: 7, ...simulated })
  const environment = {
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    TEMPORAL_TASK_QUEUE: `test-${randomBytes(6).toString('hex')}`,
    FAIRLEAD_SECRET_KEYS: `test:${randomBytes(32).toString('base64')}`,
    FAIRLEAD_WORKFLOW_BUNDLE: inject('workflowBundle'),
    LOG_LEVEL: 'silent',
    ...extra,
  }
  const config = readConfig(environment)
  const wired = await wire(config, 'tests')
  const relay = () => relayAll(wired)
  const wiring = { ...wired, relay }
  const { db, secrets, flows } = wired
  const { id: accountId } = await accounts.insert(db, secrets, { name: 'Test' })
  const crms = openCrms(db, secrets, openConnector(config), { timeoutMs: config.CRM_TIMEOUT_MS })
  const alerts = openAlerts(config)
  const mail = openMessages(config)
  const worker = withWorker
    ? await openWorker({
        connection: flows.connection,
        namespace: config.TEMPORAL_NAMESPACE,
        taskQueue: flows.taskQueue,
        activities: createActivities({
          db,
          secrets,
          log,
          crms,
          creationWaitMs: creationWaitMs(config),
          deliverOutbox: wired.relay,
          alerts,
          mail,
        }),
        workflowBundle: config.FAIRLEAD_WORKFLOW_BUNDLE,
        log,
      })
    : undefined
  const running = worker?.run()

  return {
    wiring,
    db,
    accountId,
    environment,
    simulator,
    async connect({ url = simulator.url, username = 'admin', password = 'secret' } = {}) {
      const { connectionId } = await connections.propose(db, secrets, accountId, {
        url,
        username,
        password,
        mode: 'connect',
      })
      await relay()
      await until('the credentials are checked', async () => {
        const candidate = await connections.findCandidate(db, accountId, connectionId)
        return candidate?.state !== 'checking'
      })
      return connections.findActive(db, accountId)
    },
    async startImport(entity, fields = ['WorkPhone', 'Title', 'Address/City'], newList = false) {
      const { runId } = await imports.request(db, accountId, { entity, fields, newList })
      await relay()
      return runId
    },
    finished: async (runId, timeoutMs) => {
      await until(`run ${runId} is over`, () => isFinished(wiring, runId), timeoutMs, 60)
      return runs.get(db, accountId, runId)
    },
    async control(method, path, body) {
      const response = await fetch(`${simulator.url}/_simulator/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`the simulator answers ${response.status}: ${text}`)
      return text === '' ? undefined : JSON.parse(text)
    },
    async close() {
      worker?.stop()
      await running
      await crms.close()
      await alerts.close()
      mail.close()
      await worker?.close()
      await wiring.close()
      await simulator.close()
      await database.drop()
    },
  }
}
