import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { holderOf, takeLock } from '../../src/embedded/lock.ts'
import * as databases from '../../src/embedded/postgres.ts'
import { ownTemp } from '../../src/embedded/temp.ts'
import * as temporals from '../../src/embedded/temporal.ts'
import { bundlePrograms } from './programs.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A maintenance database; tests use `createDatabase()`. */
    databaseUrl: string
    temporalAddress: string
    /** the workflows, bundled once for all workers of the run */
    workflowBundle: string
    /** the folder of our programs, each one file; tests use `program()` */
    programs: string
  }
}

const template = 'fairlead_template'
const runs = ownTemp('tests')
const log = { info: () => undefined }
// A crash of the machine may cost a test run its data.
const settings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }

/** vitest's globalSetup: one Postgres and one Temporal for the whole run, on free ports; the returned function ends both. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
  await sweep()
  const folder = join(runs, `${process.pid}-${randomBytes(4).toString('hex')}`)
  mkdirSync(folder, { recursive: true })
  takeLock(join(folder, 'run.json'))
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    await Promise.all(stops.map((each) => each()))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const database = await databases.startPostgres({ dataDir: join(folder, 'postgres'), log, settings })
    stops.push(database.stop)
    const temporal = await temporals.startTemporal({ dataDir: join(folder, 'temporal'), log, dbFile: false })
    stops.push(temporal.stop)
    await makeTemplate(database.url)
    const workflowBundle = join(folder, 'workflows.js')
    const programs = join(folder, 'programs')
    await Promise.all([bundle(workflowBundle), bundlePrograms(programs)])
    provide('databaseUrl', database.url)
    provide('temporalAddress', temporal.address)
    provide('workflowBundle', workflowBundle)
    provide('programs', programs)
  } catch (error) {
    await stop()
    throw error
  }
  return stop
}

/** A test run that was killed leaves servers and folders; the next one clears them away. */
const sweep = async () => {
  for (const name of existsSync(runs) ? readdirSync(runs) : []) {
    const folder = join(runs, name)
    if (!existsSync(join(folder, 'run.json')) || holderOf(join(folder, 'run.json'))) continue
    await Promise.all([databases.stopOrphan(join(folder, 'postgres')), temporals.stopOrphan(join(folder, 'temporal'))])
    rmSync(folder, { recursive: true, force: true })
  }
}

const run = async (url: string, statement: string) => {
  const sql = postgres(url, { max: 1, onnotice: () => undefined })
  try {
    await sql.unsafe(statement)
  } finally {
    await sql.end()
  }
}

const bundle = async (path: string) => {
  const entry = fileURLToPath(new URL('../../src/temporal/bundle.ts', import.meta.url))
  await promisify(execFile)(process.execPath, ['--import', 'tsx', entry, path])
}

const named = (url: string, name: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href

const makeTemplate = async (url: string) => {
  await run(url, `create database ${template}`)
  const file = new URL('../../src/db/database.ts', import.meta.url)
  if (!existsSync(file)) return
  const { migrate } = (await import(file.href)) as { migrate: (databaseUrl: string) => Promise<void> }
  await migrate(named(url, template))
}

export type TestDatabase = { url: string; drop: () => Promise<void> }

/** A migrated database of its own, cloned from the template. One per test file is usual: `beforeAll`, and `drop` in `afterAll`. */
export const createDatabase = async (): Promise<TestDatabase> => {
  const maintenance = inject('databaseUrl')
  const name = `test_${randomBytes(6).toString('hex')}`
  await run(maintenance, `create database ${name} template ${template}`)
  return { url: named(maintenance, name), drop: () => run(maintenance, `drop database ${name} with (force)`) }
}
