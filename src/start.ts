import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readConfig } from './config.ts'
import { holderOf, takeLock } from './embedded/lock.ts'
import { ensureAccount } from './start/account.ts'
import { openApi } from './start/api.ts'
import { runDemo } from './start/demo.ts'
import { isSet } from './start/environment.ts'
import { complaints, ledgers } from './start/ledger.ts'
import { previewOf, sendDemo, told } from './start/message.ts'
import { help, readOptions, type Options } from './start/options.ts'
import { startParts, stopLeftovers, type Parts } from './start/parts.ts'
import { choosePorts } from './start/ports.ts'
import { isGreen } from './start/run.ts'
import { say } from './start/say.ts'
import { keep, newSecretKeys } from './start/secrets.ts'

/** Everything on one machine (O1). */
const main = async (
  { once, demo }: Options,
  signal: AbortSignal,
  started: (() => Promise<void>)[],
): Promise<boolean> => {
  const config = readConfig()
  const folder = resolve(config.FAIRLEAD_DATA_DIR)
  // Not 0700: as root, Postgres runs as another user, who has to pass through.
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const lockFile = join(folder, 'running.json')
  const lock = takeLock(lockFile)
  if (!lock) {
    const { pid, note } = holderOf(lockFile) ?? {}
    throw new Error(
      `Fairlead already runs on ${folder} (process ${pid})${note ? `: API at ${note}` : ''}. Stop that one first.`,
    )
  }
  started.push(async () => lock.release())
  for (const name of ['DATABASE_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE', 'TEMPORAL_UI_URL']) {
    if (isSet(name)) say(`${name} is set, but npm start brings its own servers and does not use it.`)
  }
  await stopLeftovers(folder)
  const { ports, release } = await choosePorts(config, folder)
  started.push(async () => release())
  const secretKeys = config.FAIRLEAD_SECRET_KEYS ?? keep(join(folder, 'secret-keys'), newSecretKeys)
  say('Starting Fairlead …')
  const parts = await startParts({ config, folder, ports, secretKeys, simulator: demo, say, signal }, started)
  lock.note(parts.apiUrl)
  const balanced = demo ? await showDemo(parts, folder, secretKeys, signal) : true
  if (once) return balanced
  say(addresses(parts, folder, demo))
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  return true
}

const showDemo = async (
  { apiUrl, databaseUrl, simulatorUrl }: Parts,
  folder: string,
  secretKeys: string,
  signal: AbortSignal,
) => {
  const key = await ensureAccount({ databaseUrl, secretKeys, keyFile: join(folder, 'api-key') })
  const crm = { url: simulatorUrl, username: 'admin', password: 'secret' }
  const api = openApi(apiUrl, key)
  const runs = await runDemo(api, crm, signal)
  say(`\n${ledgers(runs)}\n`)
  for (const complaint of complaints(runs)) say(complaint)
  if (!runs.every(isGreen)) return false
  const message = await sendDemo(api, runs, signal)
  const { line, isFine } = told(message)
  say(line)
  say(`One of its mails: ${(await previewOf(api, message)) ?? 'none'}`)
  say(`Its notes: ${simulatorUrl}/_simulator/notes`)
  return isFine
}

const addresses = (
  { apiUrl, uiUrl, simulatorUrl, mailUrl, mailPageUrl, mailFolder }: Parts,
  folder: string,
  demo: boolean,
) => {
  const row = (name: string, address: string) => `  ${name.padEnd(12)}${address}`
  const rows = [row('API', `${apiUrl}/docs`), row('Temporal', uiUrl)]
  if (demo) rows.push(row('Simulator', `${simulatorUrl} (admin, secret)`), row('API key', join(folder, 'api-key')))
  rows.push(row('Mail', mailPageUrl), row('', `takes ${mailUrl}, kept in ${mailFolder}`), row('Data, logs', folder))
  if (!demo) {
    const admin = `node --env-file=${join(folder, 'env')} --import tsx src/admin.ts`
    rows.push('', `  There is no account yet unless you made one: ${admin} account add NAME`)
  }
  return `\nFairlead runs. Ctrl-C stops it.\n\n${rows.join('\n')}\n`
}

const stopAll = async (started: (() => Promise<void>)[]) => {
  for (const stop of started.reverse()) await stop().catch((error: Error) => say(error.message))
}

const run = async () => {
  const started: (() => Promise<void>)[] = []
  const stopping = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!stopping.signal.aborted) say('Stopping …')
      stopping.abort()
    })
  }
  try {
    const options = readOptions(process.argv.slice(2))
    if (!options) return say(help)
    process.exitCode = (await main(options, stopping.signal, started)) ? 0 : 1
  } catch (error) {
    process.exitCode = 1
    if (!stopping.signal.aborted) process.stderr.write(`${(error as Error).message}\n`)
  }
  await stopAll(started)
}

await run()
process.exit()
