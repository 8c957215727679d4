import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { takeLock, type Lock } from './lock.ts'
import { openLog } from './output.ts'
import { noteProcess, stopLeftover } from './leftover.ts'
import { answers, claimPort } from './port.ts'
import { stopProcess } from './process.ts'
import { readTools, type Tools } from './tools.ts'

export type TemporalOptions = {
  dataDir: string
  /** Demanded: taken is an error. Left out: any free one. */
  port?: number
  /** Left out: no UI. */
  uiPort?: number
  log: { info: (sentence: string) => void }
  /** False keeps everything in memory. */
  dbFile?: boolean
}
export type EmbeddedTemporal = {
  address: string
  uiUrl: string | undefined
  port: number
  pid: number
  /** Fulfilled when the server has ended, whoever ended it. */
  exited: Promise<void>
  stop: () => Promise<void>
}

const searchAttributes = ['AccountId', 'ListId', 'RunKind', 'ConnectionId']
const keyword = 2

/** Runs `temporal server start-dev` on 127.0.0.1 with Fairlead's search attributes; ready for clients when it resolves. */
export const startTemporal = async ({
  dataDir,
  port,
  uiPort,
  log,
  dbFile = true,
}: TemporalOptions): Promise<EmbeddedTemporal> => {
  const tools = readTools()
  const folder = resolve(dataDir)
  mkdirSync(folder, { recursive: true })
  const lock = takeLock(join(folder, 'owner.json'))
  if (!lock) throw new Error(`Temporal already runs on ${folder}, started by another Fairlead. Stop that one first.`)
  try {
    await stopOrphan(folder)
    if (uiPort !== undefined) await claimPort(uiPort, "Temporal's UI")
    const store = dbFile ? storeFlags(folder, tools, log) : []
    return await launch({
      folder,
      command: tools.temporal,
      port: await claimPort(port, 'Temporal'),
      uiPort,
      store,
      lock,
    })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Ends a server that an earlier, killed Fairlead left on this folder; a recycled process id is left alone. */
export const stopOrphan = (dataDir: string): Promise<void> =>
  stopLeftover(join(resolve(dataDir), 'server.json'), 'start-dev')

/** `start-dev` makes its tables only in a new file and never upgrades them, so each version of the CLI has a file of its own. */
const storeFlags = (folder: string, { temporalVersion }: Tools, log: TemporalOptions['log']) => {
  const name = `temporal-${temporalVersion}.db`
  const others = readdirSync(folder).filter((other) => /^temporal-.*\.db$/.test(other) && other !== name)
  if (others.length > 0 && !existsSync(join(folder, name))) {
    log.info(
      `Temporal CLI ${temporalVersion} starts with an empty store; workflows of other versions stay in ${folder}: ${others.join(', ')}.`,
    )
  }
  const pragmas = ['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal']
  return ['--db-filename', join(folder, name), ...pragmas]
}

// The development server has one shard, which by default looks for new tasks 20 times a second: every step of a workflow waited for up to 50 ms.
const looksASecond = ['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=1000']

type Launch = { folder: string; command: string; port: number; uiPort: number | undefined; store: string[]; lock: Lock }

const launch = async ({ folder, command, port, uiPort, store, lock }: Launch): Promise<EmbeddedTemporal> => {
  const ui = uiPort === undefined ? ['--headless'] : ['--ui-port', `${uiPort}`, '--ui-disable-news-fetch']
  const logFile = join(folder, 'server.log')
  const output = openLog(logFile)
  // Detached: Ctrl-C in a terminal must not end the server before its workers.
  const address = `127.0.0.1:${port}`
  const flags = ['--ip', '127.0.0.1', '--port', `${port}`, ...ui, ...store, ...looksASecond]
  const server = spawn(command, ['server', 'start-dev', ...flags], {
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const exited = new Promise<void>((resolve) => {
    server.once('exit', () => resolve())
    server.once('error', () => resolve())
  })
  void exited.then(lock.release)
  const pid = server.pid ?? 0
  const stop = async () => {
    await stopProcess(pid, 'SIGTERM', 10_000)
    await exited
  }
  try {
    noteProcess(join(folder, 'server.json'), pid)
    await listening(server, port, logFile)
    await register(address)
  } catch (error) {
    await stop()
    throw error
  }
  return { address, uiUrl: uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}`, port, pid, exited, stop }
}

const listening = async (server: ChildProcess, port: number, logFile: string) => {
  while (!(await answers(port))) {
    if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) {
      throw new Error(
        `Temporal ended while it started. Its log, ${logFile}, ends with: ${readFileSync(logFile, 'utf8').trim().slice(-600)}`,
      )
    }
    await sleep(10)
  }
}

/** Adding is harmless when they exist; the command line's `--search-attribute` does nothing for an existing file. */
const register = async (address: string) => {
  const { Connection } = await import('@temporalio/client')
  const connection = await Connection.connect({ address })
  try {
    const named = Object.fromEntries(searchAttributes.map((name) => [name, keyword]))
    await connection.operatorService.addSearchAttributes({ namespace: 'default', searchAttributes: named })
  } finally {
    await connection.close()
  }
}
