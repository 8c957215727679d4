import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { takeLock, type Lock } from '../embedded/lock.ts'
import { freePort, isFree } from '../embedded/port.ts'
import { ownTemp } from '../embedded/temp.ts'
import { isSet } from './environment.ts'

const standard = {
  PORT: 8080,
  POSTGRES_PORT: 5432,
  TEMPORAL_PORT: 7233,
  TEMPORAL_UI_PORT: 8233,
  SIMULATOR_PORT: 5493,
  SMTP_PORT: 1025,
  MAIL_UI_PORT: 8025,
}
type Name = keyof typeof standard
export type Ports = Record<Name, number>

const names = Object.keys(standard) as Name[]

const claims = ownTemp('ports')

/** Last time's ports; none where the file cannot be read: power may fail while it is written. */
const readRemembered = (file: string): Partial<Ports> => {
  try {
    const known = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
    const isPort = (port: unknown): boolean => Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536
    return Object.fromEntries(known.filter(([, port]) => isPort(port))) as Partial<Ports>
  } catch {
    return {}
  }
}

/** Undefined where somebody else has claimed the port; `nowhere` where claims cannot be kept, since they only keep two starts out of each other's way. */
const claimPort = (port: number, host: string): Lock | 'nowhere' | undefined => {
  const isUsual = ['127.0.0.1', 'localhost', '0.0.0.0', '::'].includes(host)
  try {
    mkdirSync(claims, { recursive: true })
    return takeLock(join(claims, isUsual ? `${port}.json` : `${encodeURIComponent(host)}-${port}.json`))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
    return 'nowhere'
  }
}

/**
 * What was set must be free; else last time's port, else the usual one, else any. Remembered in `ports.json` for the next start. A chosen port is
 * claimed until `release`: seconds pass before somebody listens there, and a second start beside this one must not choose it, too.
 */
export const choosePorts = async (config: Config, folder: string): Promise<{ ports: Ports; release: () => void }> => {
  const claimed: Lock[] = []
  const claim = (port: number, host: string): boolean => {
    const lock = claimPort(port, host)
    if (lock === 'nowhere') return true
    if (lock !== undefined) claimed.push(lock)
    return lock !== undefined
  }
  const file = join(folder, 'ports.json')
  const remembered = readRemembered(file)
  const hostOf = (name: Name) => (name === 'PORT' ? config.HOST : '127.0.0.1')
  const chosen: Partial<Ports> = {}
  const usable = async (name: Name, port: number) => (await isFree(port, hostOf(name))) && claim(port, hostOf(name))
  const choose = async (name: Name) => {
    const wanted = isSet(name) ? config[name] : undefined
    if (wanted !== undefined && wanted !== 0) {
      if (await usable(name, wanted)) return wanted
      throw new Error(
        `${name} is ${wanted}, but that port is taken. Stop the program that holds it, set ${name} to another one, or unset it.`,
      )
    }
    for (const port of [remembered[name], standard[name]]) {
      if (port !== undefined && (await usable(name, port))) return port
    }
    for (;;) {
      const port = await freePort(hostOf(name))
      if (claim(port, hostOf(name))) return port
    }
  }
  // Those that were set come first, so that a usual port of one is not in the way of what was set for another.
  for (const name of [...names].sort((a, b) => Number(isSet(b)) - Number(isSet(a)))) chosen[name] = await choose(name)
  writeFileSync(file, `${JSON.stringify({ ...remembered, ...chosen }, null, 2)}\n`)
  return { ports: chosen as Ports, release: () => claimed.forEach((lock) => lock.release()) }
}
