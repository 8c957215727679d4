import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { takeLock, type Lock } from './lock.ts'
import { openLog } from './output.ts'
import { findBinaries, findDataDir, whereDataLies } from './place.ts'
import { claimPort } from './port.ts'
import { inspect, stopProcess } from './process.ts'
import { unprivilegedUser, type User } from './user.ts'

type Tell = { info: (sentence: string) => void }
export type PostgresOptions = {
  dataDir: string
  /** Demanded: taken is an error. Left out: any free one. */
  port?: number
  log: Tell
  /** Server settings over ours. */
  settings?: Record<string, string>
}
export type EmbeddedPostgres = {
  /** Superuser, database `fairlead`. */
  url: string
  port: number
  pid: number
  /** Fulfilled when the server has ended, whoever ended it. */
  exited: Promise<void>
  stop: () => Promise<void>
}

const bulkSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '15min',
  effective_io_concurrency: '16',
  // R37: a failing statement would bring people's data into the log.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

/**
 * Runs the npm package's Postgres on 127.0.0.1 with the data in `dataDir`, which is made when absent. Drives `initdb` and `postgres`
 * itself: the package's own class knows neither orphans nor closed folders, and takes over the exit of the whole program.
 */
export const startPostgres = async ({
  dataDir,
  port,
  log,
  settings = {},
}: PostgresOptions): Promise<EmbeddedPostgres> => {
  const user = unprivilegedUser()
  const bin = findBinaries(user, log.info)
  const folder = findDataDir(user, dataDir, log.info)
  const lock = takeLock(join(folder, 'owner.json'))
  if (!lock) throw new Error(`Postgres already runs on ${folder}, started by another Fairlead. Stop that one first.`)
  try {
    await stopOrphan(dataDir)
    const claimed = await claimPort(port, 'Postgres')
    const password = initialise(user, bin, folder)
    return await launch({ user, bin, folder, port: claimed, password, lock, settings })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** Ends a server that an earlier, killed Fairlead left on this data; a recycled process id is left alone. */
export const stopOrphan = async (dataDir: string): Promise<void> => {
  const data = join(whereDataLies(dataDir), 'data')
  const file = join(data, 'postmaster.pid')
  if (!existsSync(file)) return
  const [pid = '', ...rest] = readFileSync(file, 'utf8').split('\n')
  const command = inspect(Number(pid))?.command
  if (command?.includes(data)) await stopProcess(Number(pid), 'SIGINT', 30_000)
  // Postgres takes its parent's id for its own leavings, but would believe a stranger's, or that of a killed server whose end nobody has
  // collected yet; the rest of the file guards the shared memory.
  else writeFileSync(file, [process.pid, ...rest].join('\n'))
}

const initialise = (user: User, bin: string, folder: string): string => {
  const passwordFile = join(folder, 'password')
  const data = join(folder, 'data')
  if (existsSync(data)) return readFileSync(passwordFile, 'utf8').trim()
  for (const name of readdirSync(folder)) if (name.startsWith('draft')) rmSync(join(folder, name), { recursive: true })
  const password = randomBytes(24).toString('base64url')
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 })
  if (user.uid !== undefined && user.gid !== undefined) chownSync(passwordFile, user.uid, user.gid)
  const draft = join(folder, `draft-${process.pid}`)
  const options = [
    '--username=fairlead',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // Sorts by bytes, and still knows the upper and lower case of every alphabet, on every system alike.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]
  const made = spawnSync(join(bin, 'initdb'), [`--pgdata=${draft}`, ...options], {
    ...user,
    cwd: '/',
    encoding: 'utf8',
  })
  if (made.status !== 0) {
    throw new Error(`Postgres could not make its data in ${folder}: ${made.stderr || made.error?.message}`)
  }
  renameSync(draft, data)
  return password
}

type Launch = {
  user: User
  bin: string
  folder: string
  port: number
  password: string
  lock: Lock
  settings: Record<string, string>
}

const launch = async ({ user, bin, folder, port, password, lock, settings }: Launch): Promise<EmbeddedPostgres> => {
  const flags = Object.entries({ ...bulkSettings, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const logFile = join(folder, 'server.log')
  const output = openLog(logFile)
  // Detached: Ctrl-C in a terminal must not end the database before its users.
  const server = spawn(join(bin, 'postgres'), ['-D', join(folder, 'data'), '-p', `${port}`, ...flags], {
    ...user,
    cwd: '/',
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
    await stopProcess(pid, 'SIGINT', 30_000)
    await exited
  }
  const base = `postgres://fairlead:${password}@127.0.0.1:${port}`
  try {
    await ready(server, folder, logFile)
    await createDatabase(`${base}/postgres`)
  } catch (error) {
    await stop()
    throw error
  }
  return { url: `${base}/fairlead`, port, pid, exited, stop }
}

/** Postgres writes `ready` into the last line of its pid file; recovery after a crash may take minutes, so only its end is an error. */
const ready = async (server: ChildProcess, folder: string, logFile: string) => {
  const file = join(folder, 'data', 'postmaster.pid')
  const isReady = () => {
    const [pid, , , , , , , state] = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    return Number(pid) === server.pid && state?.trim() === 'ready'
  }
  while (!isReady()) {
    if (server.pid === undefined || server.exitCode !== null || server.signalCode !== null) {
      throw new Error(
        `Postgres ended while it started. Its log, ${logFile}, ends with: ${readFileSync(logFile, 'utf8').trim().slice(-600)}`,
      )
    }
    await sleep(10)
  }
}

const createDatabase = async (url: string) => {
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  try {
    const [found] = await sql`select 1 from pg_database where datname = 'fairlead'`
    if (!found) await sql`create database fairlead`
  } finally {
    await sql.end()
  }
}
