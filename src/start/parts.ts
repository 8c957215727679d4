import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { startMailSink } from '../embedded/mail.ts'
import { answers } from '../embedded/port.ts'
import * as postgres from '../embedded/postgres.ts'
import * as temporal from '../embedded/temporal.ts'
import { logOf, startChild, stopLeftoverChild } from './child.ts'
import type { Ports } from './ports.ts'
import { supervise, type Part } from './supervisor.ts'
import { apiFlags, memoryEnvironment, workerFlags } from './memory.ts'

const entries = { worker: 'worker.ts', api: 'src/serve.ts', simulator: 'src/simulator/main.ts' }
const people = ['--leads', '5000', '--contacts', '5000', '--seed', '1']
const readyWithinMs = 60_000

export type Parts = {
  apiUrl: string
  uiUrl: string
  databaseUrl: string
  simulatorUrl: string
  mailUrl: string
  mailPageUrl: string
  mailFolder: string
}
type Say = (sentence: string) => void
type Options = {
  config: Config
  folder: string
  ports: Ports
  secretKeys: string
  simulator: boolean
  say: Say
  signal: AbortSignal
}

/** What a killed start may have left running must end before ports are chosen. */
export const stopLeftovers = async (folder: string): Promise<void> => {
  for (const [name, entry] of Object.entries(entries)) await stopLeftoverChild(folder, name, entry)
  await temporal.stopOrphan(join(folder, 'temporal'))
  await postgres.stopOrphan(join(folder, 'postgres'))
}

/** Starts everything in order and waits until the API is ready. What has to be stopped is put on `started` as it comes up. */
export const startParts = async (options: Options, started: (() => Promise<void>)[]): Promise<Parts> => {
  const { config, folder, ports, secretKeys, simulator, say, signal } = options
  const log = { info: say }
  const begin = async <P extends Part>(name: string, start: () => Promise<P>) => {
    const { first, stop } = await supervise(name, start, say)
    started.push(stop)
    signal.throwIfAborted()
    return first
  }
  const database = await begin('database', () =>
    postgres.startPostgres({ dataDir: join(folder, 'postgres'), port: ports.POSTGRES_PORT, log }),
  )
  await begin('Temporal server', () =>
    temporal.startTemporal({
      dataDir: join(folder, 'temporal'),
      port: ports.TEMPORAL_PORT,
      uiPort: ports.TEMPORAL_UI_PORT,
      log,
    }),
  )
  const mail = await startMailSink({ dir: join(folder, 'mail'), port: ports.SMTP_PORT, pagePort: ports.MAIL_UI_PORT })
  started.push(mail.stop)
  const parts = {
    apiUrl: urlOf(config.HOST, ports.PORT),
    uiUrl: urlOf('127.0.0.1', ports.TEMPORAL_UI_PORT),
    databaseUrl: database.url,
    simulatorUrl: urlOf('127.0.0.1', ports.SIMULATOR_PORT),
    mailUrl: mail.url,
    mailPageUrl: mail.pageUrl,
    mailFolder: mail.dir,
  }
  const environment = {
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `${port}`])),
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: `127.0.0.1:${ports.TEMPORAL_PORT}`,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_UI_URL: parts.uiUrl,
    FAIRLEAD_SECRET_KEYS: secretKeys,
    FAIRLEAD_DATA_DIR: folder,
    SMTP_URL: config.SMTP_URL ?? mail.url,
    PUBLIC_URL: config.PUBLIC_URL ?? parts.apiUrl,
  }
  // For commands by hand, such as the administrator's: node --env-file.
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(folder, 'env'), lines.join(''), { mode: 0o600 })
  const child = (name: keyof typeof entries, more: { args?: string[]; flags?: string[]; environment?: object } = {}) =>
    begin(name, () =>
      startChild({
        name,
        entry: entries[name],
        folder,
        ...more,
        environment: { ...environment, ...more.environment },
      }),
    )
  if (simulator) await child('simulator', { args: ['--port', `${ports.SIMULATOR_PORT}`, ...people] })
  await child('api', { flags: apiFlags, environment: memoryEnvironment })
  await child('worker', { flags: workerFlags, environment: memoryEnvironment })
  if (simulator) await until(() => answers(ports.SIMULATOR_PORT), 'simulator', folder, signal)
  await until(() => isReady(parts.apiUrl), 'api', folder, signal)
  return parts
}

const urlOf = (host: string, port: number) => {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

const isReady = async (apiUrl: string) => {
  const reply = await fetch(`${apiUrl}/readyz`).catch(() => undefined)
  await reply?.body?.cancel()
  return reply?.ok === true
}

const until = async (condition: () => Promise<boolean>, name: string, folder: string, signal: AbortSignal) => {
  for (const deadline = Date.now() + readyWithinMs; !(await condition());) {
    if (Date.now() > deadline) {
      throw new Error(
        `The ${name} was not ready within ${readyWithinMs / 1000} seconds. ${logOf(folder, name)} says why.`,
      )
    }
    await sleep(50, undefined, { signal })
  }
}
