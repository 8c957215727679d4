import { Client, Connection } from '@temporalio/client'
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, connect } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import postgres from 'postgres'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { readConfig } from '../src/config.ts'
import { startMailSink } from '../src/embedded/mail.ts'
import { startPostgres, stopOrphan } from '../src/embedded/postgres.ts'
import { inspect } from '../src/embedded/process.ts'
import { startTemporal } from '../src/embedded/temporal.ts'
import { stopLeftovers } from '../src/start/parts.ts'
import { choosePorts } from '../src/start/ports.ts'
import { newFolder, start } from './support/start.ts'

const log = { info: () => undefined }
const minute = 60_000
const cleanUps: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const clean of cleanUps.splice(0).reverse()) await clean()
})

const takePort = async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUps.push(() => void server.close())
  return (server.address() as AddressInfo).port
}

const query = async (url: string, statement: string) => {
  const sql = postgres(url, { max: 1 })
  try {
    return [...(await sql.unsafe(statement))]
  } finally {
    await sql.end()
  }
}

/** Runs code of ours in a process of its own, as one that can be killed. */
const runCode = (code: string, cwd = process.cwd()) => {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  cleanUps.push(() => void child.kill('SIGKILL'))
  return child
}

const firstLine = async (child: ChildProcess) => {
  let seen = ''
  for await (const chunk of child.stdout ?? []) {
    seen += String(chunk)
    if (seen.includes('\n')) break
  }
  return seen.trim()
}

describe('the embedded database', () => {
  const start = async (dataDir: string, port?: number) => {
    const server = await startPostgres({ dataDir, log, port })
    cleanUps.push(server.stop)
    return server
  }

  test('keeps its data over a stop and a start, and lets nobody in without the password', async () => {
    const folder = newFolder()
    const first = await start(folder)
    await query(first.url, 'create table kept as select 42 as answer')
    await first.stop()
    const second = await start(folder)
    expect(await query(second.url, 'select * from kept')).toEqual([{ answer: 42 }])
    expect(
      await query(second.url, `select lower('ÄÖÉ') as lower, current_setting('server_encoding') as encoding`),
    ).toEqual([{ lower: 'äöé', encoding: 'UTF8' }])
    const stranger = Object.assign(new URL(second.url), { password: 'guess' }).href
    await expect(query(stranger, 'select 1')).rejects.toThrow('password authentication failed')
    expect(statSync(join(folder, 'password')).mode & 0o077).toBe(0)
  })

  test('is taken over with all data after the Fairlead that started it was killed', async () => {
    const folder = newFolder()
    const code = `import { startPostgres } from './src/embedded/postgres.ts'
      const { pid, url } = await startPostgres({ dataDir: ${JSON.stringify(folder)}, log: { info() {} } })
      console.log(JSON.stringify({ pid, url }))`
    const parent = runCode(code)
    const orphan = JSON.parse(await firstLine(parent)) as { pid: number; url: string }
    cleanUps.push(() => stopOrphan(folder))
    await query(orphan.url, 'create table kept as select 42 as answer')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    expect(inspect(orphan.pid)).toBeDefined()
    const server = await start(folder)
    expect(inspect(orphan.pid)).toBeUndefined()
    expect(await query(server.url, 'select * from kept')).toEqual([{ answer: 42 }])
  })

  test('leaves a stranger alone that has the process id of an old pid file', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const file = join(folder, 'data', 'postmaster.pid')
    const [, ...rest] = readFileSync(file, 'utf8').split('\n')
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    const stranger = spawn('sleep', ['60'])
    cleanUps.push(() => void stranger.kill())
    writeFileSync(file, [stranger.pid, ...rest].join('\n'))
    const second = await start(folder)
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(inspect(stranger.pid ?? 0)).toBeDefined()
  })

  test('is not started twice on the same data', async () => {
    const folder = newFolder()
    await start(folder)
    await expect(start(folder)).rejects.toThrow(`Postgres already runs on ${folder}`)
  })

  test('refuses a demanded port that is taken, in a sentence', async () => {
    const port = await takePort()
    await expect(start(newFolder(), port)).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken, so Postgres cannot use it. Choose another one, or stop the program that holds it.`,
    )
  })
})

describe('the embedded Temporal server', () => {
  const start = async (dataDir: string) => {
    const server = await startTemporal({ dataDir, log })
    const connection = await Connection.connect({ address: server.address })
    cleanUps.push(server.stop, () => connection.close())
    return { ...server, client: new Client({ connection }) }
  }

  test('keeps its workflows over SIGKILL, and knows the search attributes', async () => {
    const folder = newFolder()
    const first = await start(folder)
    const searchAttributes = {
      AccountId: ['a'],
      ListId: ['l'],
      RunKind: ['import'],
      ConnectionId: ['c'],
    }
    await first.client.workflow.start('anything', { workflowId: 'kept', taskQueue: 'nobody', searchAttributes })
    process.kill(first.pid, 'SIGKILL')
    await first.exited
    const second = await start(folder)
    const found = await second.client.workflow.getHandle('kept').describe()
    expect(found.status.name).toBe('RUNNING')
    expect(found.searchAttributes).toMatchObject(searchAttributes)
  })

  test('is ended by the next start when the Fairlead that started it was killed', async () => {
    const folder = newFolder()
    const code = `import { startTemporal } from './src/embedded/temporal.ts'
      const { pid } = await startTemporal({ dataDir: ${JSON.stringify(folder)}, log: { info() {} } })
      console.log(pid)`
    const parent = runCode(code)
    const orphan = Number(await firstLine(parent))
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    expect(inspect(orphan)).toBeDefined()
    await start(folder)
    expect(inspect(orphan)).toBeUndefined()
  })

  test('refuses a demanded port that is taken, in a sentence', async () => {
    const port = await takePort()
    await expect(startTemporal({ dataDir: newFolder(), port, log })).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken, so Temporal`,
    )
  })
})

test('the mail sink keeps every mail byte for byte', async () => {
  const folder = newFolder()
  const sink = await startMailSink({ dir: folder })
  cleanUps.push(sink.stop)
  const mail =
    'From: a@example.com\r\nTo: b@example.com\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nline\r\n.dotted\r\n'
  const socket = connect(sink.port, '127.0.0.1')
  const answers = text(socket)
  const dialogue = [
    'HELO me',
    'MAIL FROM:<a@example.com>',
    'RCPT TO:<b@example.com>',
    'DATA',
    `${mail.replaceAll('\r\n.', '\r\n..')}.`,
    'QUIT',
  ]
  for (const line of dialogue) {
    await once(socket, 'readable')
    socket.write(`${line}\r\n`)
    socket.read()
  }
  await answers
  const [name = ''] = readdirSync(folder)
  expect(name).toMatch(/\.eml$/)
  expect(readFileSync(join(folder, name), 'utf8')).toBe(mail)
})

describe('npm start', () => {
  const pidOf = (folder: string, name: string) =>
    (JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as { pid: number }).pid

  test('refuses an unknown option and a taken port in a sentence, with exit code 1', async () => {
    const unknown = start(['--twice'], newFolder())
    expect(await unknown.code).toBe(1)
    expect(unknown.seen.error).toBe('"--twice" is not an option of npm start. It knows --once, --no-demo and --help.\n')
    const port = await takePort()
    const taken = start([], newFolder(), { SIMULATOR_PORT: `${port}` })
    expect(await taken.code).toBe(1)
    expect(taken.seen.error).toBe(
      `SIMULATOR_PORT is ${port}, but that port is taken. Stop the program that holds it, set SIMULATOR_PORT to another one, or unset it.\n`,
    )
  })

  test('forgets the ports and the processes of last time where their files were cut off', async () => {
    const folder = newFolder()
    for (const text of ['', '{"PORT":', 'null', '[]', '{"PORT":"http","SMTP_PORT":70000}']) {
      for (const name of ['ports.json', 'api.json', 'worker.json']) writeFileSync(join(folder, name), text)
      await stopLeftovers(folder)
      const { ports, release } = await choosePorts(readConfig({}), folder)
      release()
      expect(Object.values(ports).every((port) => Number.isInteger(port) && port > 0 && port < 65_536)).toBe(true)
    }
  })

  test('chooses other ports than one that starts at the same moment, and the usual ones again when that is over', async () => {
    const config = readConfig({})
    const choose = () => choosePorts(config, newFolder())
    const chosen = await Promise.all([choose(), choose(), choose()])
    const numbers = chosen.flatMap(({ ports }) => Object.values(ports))
    expect(new Set(numbers).size).toBe(21)
    for (const { release } of chosen) release()
    const folder = newFolder()
    const first = await choosePorts(config, folder)
    first.release()
    const second = await choosePorts(config, folder)
    second.release()
    expect(second.ports).toEqual(first.ports)
  })

  test(
    'imports everybody and balances, mends a part that dies, and goes on with all data after SIGKILL (O1)',
    async () => {
      const folder = newFolder()
      const first = start([], folder)
      await first.says('Ctrl-C stops it')
      expect(first.seen.out).toMatch(/balanced\s+yes\s+yes\n/)
      expect(first.seen.out).toMatch(/read\s+5,000\s+5,000\n/)

      const second = start([], folder)
      expect(await second.code).toBe(1)
      expect(second.seen.error).toMatch(
        /^Fairlead already runs on .*: API at http:\/\/127\.0\.0\.1:\d+\. Stop that one first\.\n$/,
      )

      const worker = pidOf(folder, 'worker')
      process.kill(worker, 'SIGKILL')
      await first.says('The worker ended unexpectedly; it is started again')
      await vi.waitFor(() => expect(pidOf(folder, 'worker')).not.toBe(worker), { timeout: minute })

      const children = ['api', 'worker', 'simulator'].map((name) => pidOf(folder, name))
      first.child.kill('SIGKILL')
      await first.code
      const third = start(['--once'], folder)
      expect(await third.code, third.seen.error).toBe(0)
      expect(children.filter((pid) => inspect(pid))).toEqual([])
      expect(third.seen.out).toMatch(/balanced\s+yes\s+yes\n/)
      expect(third.seen.out).not.toContain('Importing')
      expect(readdirSync(folder)).not.toContain('running.json')
    },
    4 * minute,
  )
})
