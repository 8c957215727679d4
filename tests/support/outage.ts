import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished } from 'vitest'
import { openDatabase } from '../../src/db/database.ts'
import type { Run } from '../../src/db/run/state.ts'
import { startSimulator } from '../../src/simulator/simulator.ts'
import { openApi } from '../../src/start/api.ts'
import { until } from './fairlead.ts'
import { expectProven } from './ledger.ts'
import { program } from './programs.ts'
import { killAll, newFolder, start } from './start.ts'

type Answer = Run & { progress: { done: number } }

/** One place where `npm start -- --no-demo` put its variables. */
const variablesOf = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readFileSync(join(folder, 'env'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )

/** Like an operator: a new account by the administrator's command. Answers its key. */
const addAccount = async (variables: Record<string, string>): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [program('admin'), 'account', 'add', 'Example'], {
    env: { ...process.env, ...variables },
  })
  return /\bfl_\S+/.exec(stdout)![0]
}

/**
 * Everything at once is killed in the middle of an import: API, worker, Postgres, Temporal. The next start finishes the same run.
 */
export const surviveOutage = async (leads: number, latencyMs: number): Promise<void> => {
  const hourMs = 3_600_000
  const folder = newFolder()
  const simulator = await startSimulator({ leads, contacts: 1, seed: 3, maxPage: 100 })
  onTestFinished(() => simulator.close())
  const environment = { CRM_TIMEOUT_MS: '5000' }

  const first = start(['--no-demo'], folder, environment)
  await first.says('Ctrl-C stops it')
  const variables = variablesOf(folder)
  const api = openApi(`http://127.0.0.1:${variables['PORT']}`, await addAccount(variables))
  await api.call('PUT', '/v1/connection', { url: simulator.url, username: 'admin', password: 'secret' })
  simulator.control.settings({ latencyMs })
  const { id } = (await api.call('POST', '/v1/imports', { entity: 'lead', fields: ['Company', 'Notes'] })) as Run
  const look = async (): Promise<Answer> => (await api.call('GET', `/v1/runs/${id}`)) as Answer
  await until('a third is stored', async () => (await look()).progress.done > leads / 3, hourMs)
  expect((await look()).state).toBe('running')
  expect(await killAll(first)).toMatch(/^(?=[^]*serve\.ts)(?=[^]*worker\.ts)(?=[^]*postgres )(?=[^]*temporal )/)

  const second = start(['--no-demo'], folder, environment)
  await second.says('Ctrl-C stops it')
  expect((await look()).progress.done).toBeGreaterThan(leads / 3)
  await until('the run is over', async () => (await look()).state === 'succeeded', hourMs)
  const db = openDatabase(variables['DATABASE_URL']!)
  try {
    const [run] = await db.query.runs.findMany()
    expect(run!.id).toBe(id)
    await expectProven({ db, simulator }, run!, 'lead', leads)
  } finally {
    await db.$client.end()
  }
}
