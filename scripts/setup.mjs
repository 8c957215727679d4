// Makes a bare checkout runnable, with Node built-ins only: npm packages, the Temporal CLI, and with --chromium a browser.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, realpathSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const checkout = dirname(dirname(fileURLToPath(import.meta.url)))
const toolsFile = join(checkout, 'node_modules', '.fairlead', 'tools.json')

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

/** What the lock file asks for and node_modules lacks or has otherwise; optional packages, for other systems, may be absent. */
export const missingPackages = (wanted, installed) =>
  Object.entries(wanted?.packages ?? {})
    .filter(([path, { optional, version }]) => {
      const present = installed?.packages?.[path]
      return path !== '' && (present ? present.version !== version : !optional)
    })
    .map(([path]) => path)

const installPackages = () => {
  const installed = readJson(join(checkout, 'node_modules', '.package-lock.json'))
  if (installed && missingPackages(readJson(join(checkout, 'package-lock.json')), installed).length === 0) return
  process.stdout.write('Installing the npm packages …\n')
  const npm = process.env.npm_execpath?.endsWith('npm-cli.js') ? [process.execPath, process.env.npm_execpath] : ['npm']
  const [command, ...args] = [...npm, 'ci', '--include=dev']
  const { status } = spawnSync(command, args, { cwd: checkout, stdio: 'inherit' })
  if (status !== 0)
    throw new Error('`npm ci` failed, see above. Check the network, or run it by hand, and start again.')
}

/** What tells that a program found earlier is still the same one, without running it. */
const stampOf = (chosen, path) => {
  const { size, mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? {}
  return `${chosen ?? ''} ${path} ${size} ${mtimeMs}`
}

const checkNode = () => {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 20 || (major === 20 && minor >= 20)) return
  throw new Error(`Fairlead needs Node 20.20 or later; this is ${process.versions.node}. Node 24 is recommended.`)
}

const setUp = async (withChromium) => {
  checkNode()
  installPackages()
  const known = readJson(toolsFile) ?? {}
  const tools = { ...known }
  if (known.temporalStamp !== stampOf(process.env.TEMPORAL_CLI, known.temporal ?? '')) {
    const { findTemporal } = await import('./setup/temporal.mjs')
    const { path, version } = await findTemporal()
    Object.assign(tools, {
      temporal: path,
      temporalVersion: version,
      temporalStamp: stampOf(process.env.TEMPORAL_CLI, path),
    })
  }
  if (withChromium && known.chromiumStamp !== stampOf(process.env.CHROMIUM, known.chromium ?? '')) {
    const { findChromium } = await import('./setup/chromium.mjs')
    const { path } = await findChromium()
    Object.assign(tools, { chromium: path, chromiumStamp: stampOf(process.env.CHROMIUM, path) })
  }
  if (JSON.stringify(tools) === JSON.stringify(known)) return
  mkdirSync(dirname(toolsFile), { recursive: true })
  writeFileSync(`${toolsFile}.${process.pid}`, `${JSON.stringify(tools, null, 2)}\n`)
  renameSync(`${toolsFile}.${process.pid}`, toolsFile)
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    await setUp(process.argv.includes('--chromium'))
  } catch (error) {
    process.stderr.write(`${error.message}\n`)
    process.exitCode = 1
  }
}
