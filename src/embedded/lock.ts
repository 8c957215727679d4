import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { inspect } from './process.ts'

type Holder = { pid: number; startedAt: string; note?: string }
export type Lock = { note: (text: string) => void; release: () => void }

/** Who holds the lock file, if that process still lives. */
export const holderOf = (file: string): Holder | undefined => {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Holder
    return inspect(holder.pid)?.startedAt === holder.startedAt ? holder : undefined
  } catch {
    return undefined
  }
}

/** Takes the lock file for this process; undefined when another living process, or this one, holds it. A dead holder's lock is taken over. */
export const takeLock = (file: string): Lock | undefined => {
  if (holderOf(file)) return undefined
  rmSync(file, { force: true })
  const mine: Holder = { pid: process.pid, startedAt: inspect(process.pid)?.startedAt ?? '' }
  try {
    writeFileSync(file, JSON.stringify(mine), { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
  return {
    note: (note) => writeFileSync(file, JSON.stringify({ ...mine, note })),
    release: () => rmSync(file, { force: true }),
  }
}
