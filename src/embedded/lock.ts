import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
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

const textOf = (file: string): string | undefined => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

/** Puts the file in its place with all that it holds, unless there is one. */
const place = (from: string, file: string): boolean => {
  try {
    linkSync(from, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(from, { force: true })
  }
}

/** Takes the lock file for this process; undefined when another living process, or this one, holds it. A dead holder's lock is taken over. */
export const takeLock = (file: string): Lock | undefined => {
  const mine: Holder = { pid: process.pid, startedAt: inspect(process.pid)?.startedAt ?? '' }
  const [draft, dead] = [`${file}.${process.pid}.new`, `${file}.${process.pid}.dead`]
  for (;;) {
    writeFileSync(draft, JSON.stringify(mine))
    if (place(draft, file)) break
    const seen = textOf(file)
    if (holderOf(file)) return undefined
    try {
      renameSync(file, dead)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    if (textOf(dead) !== seen) {
      // somebody else took it over in between, and lives
      place(dead, file)
      return undefined
    }
    rmSync(dead, { force: true })
  }
  return {
    note: (note) => {
      writeFileSync(draft, JSON.stringify({ ...mine, note }))
      renameSync(draft, file)
    },
    release: () => rmSync(file, { force: true }),
  }
}
