import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { inspect } from './process.ts'

type Holder = { pid: number; startedAt: string; note?: string }
export type Lock = { note: (text: string) => void; release: () => void }

/** Who holds the lock file, if that process still lives. */
export const holderOf = (file: string): Holder | undefined => {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Holder
    const process = inspect(holder.pid)
    return process !== undefined && process.startedAt === holder.startedAt ? holder : undefined
  } catch {
    return undefined
  }
}

const claimOf = (file: string, { pid, startedAt }: Holder): string => `${file}.${pid}-${encodeURIComponent(startedAt)}`

/** Whether another living process has said that it wants the lock, too; what dead ones said is removed. */
const hasRival = (file: string, claim: string): boolean => {
  const prefix = `${basename(file)}.`
  const others = readdirSync(dirname(file)).filter((name) => name.startsWith(prefix) && name !== basename(claim))
  return others.some((name) => {
    const [pid, startedAt = ''] = name.slice(prefix.length).split('-')
    if (inspect(Number(pid))?.startedAt === decodeURIComponent(startedAt)) return true
    rmSync(`${file}.${name.slice(prefix.length)}`, { force: true })
    return false
  })
}

/**
 * Each says first that it wants the lock, and then looks around: of two that come together at least one sees the other, and a lock that was taken in
 * between is seen as well. The lock itself comes by renaming, so that nobody reads half of it.
 */
const tryLock = (file: string): Holder | 'rival' | undefined => {
  if (holderOf(file)) return undefined
  const mine: Holder = { pid: process.pid, startedAt: inspect(process.pid)?.startedAt ?? '' }
  const claim = claimOf(file, mine)
  try {
    writeFileSync(claim, JSON.stringify(mine))
    const rival = hasRival(file, claim)
    if (rival || holderOf(file)) return rival ? 'rival' : undefined
    renameSync(claim, file)
    return mine
  } finally {
    rmSync(claim, { force: true })
  }
}

const mostTries = 50
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

/** Takes the lock file for this process; undefined when another living process, or this one, holds it. A dead holder's lock is taken over. */
export const takeLock = (file: string): Lock | undefined => {
  for (let tries = 0; tries < mostTries; tries += 1) {
    const mine = tryLock(file)
    if (mine === undefined) return undefined
    if (mine !== 'rival')
      return {
        note: (note) => {
          writeFileSync(claimOf(file, mine), JSON.stringify({ ...mine, note }))
          renameSync(claimOf(file, mine), file)
        },
        release: () => rmSync(file, { force: true }),
      }
    pause(1 + Math.random() * 10)
  }
  return undefined
}
