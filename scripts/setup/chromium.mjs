import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { find, onPath, run } from './ways.mjs'

const names = ['chromium', 'chromium-browser', 'google-chrome']

const versionOf = (path) => {
  const [version] = /\d+(\.\d+)+/.exec(run(path, ['--version'])) ?? []
  if (!version) throw new Error(`${path} is not Chromium`)
  return version
}

const fromPlaywright = async () => {
  const { chromium } = await import('playwright-core')
  if (!existsSync(chromium.executablePath())) {
    const cli = fileURLToPath(new URL('cli.js', import.meta.resolve('playwright-core/package.json')))
    const env = { ...process.env, PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT: '5000' }
    run(process.execPath, [cli, 'install', 'chromium', '--no-shell'], { timeout: 300_000, env })
  }
  return chromium.executablePath()
}

/** Other programs may be installing something just now. Of the lists of packages no option waits for the lock. */
const patient = ['-o', 'DPkg::Lock::Timeout=120']

const update = async (env) => {
  for (let tries = 1; ; tries += 1) {
    try {
      return run('apt-get', [...patient, 'update', '-q'], { timeout: 300_000, env })
    } catch (error) {
      if (tries >= 40 || !/lock/i.test(error.message)) throw error
      await sleep(3000)
    }
  }
}

const fromDebian = async () => {
  if (!existsSync('/etc/debian_version')) throw new Error('this is not Debian')
  if (process.getuid?.() !== 0) throw new Error('only root may install packages')
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await update(env)
  run('apt-get', [...patient, 'install', '-q', '-y', '--no-install-recommends', 'chromium'], { timeout: 600_000, env })
  return onPath(...names)
}

export const findChromium = (chosen = process.env.CHROMIUM) =>
  find({
    what: 'Chromium',
    variable: 'CHROMIUM',
    chosen,
    check: versionOf,
    ways: [
      ['PATH', () => onPath(...names)],
      ["Playwright's download", fromPlaywright],
      ['apt-get', fromDebian],
    ],
  })
