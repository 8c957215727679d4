import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { program } from '../support/programs.ts'
import { open } from './support.ts'

const run = (...args: string[]) => {
  const child = spawn(process.execPath, [program('simulator'), ...args])
  onTestFinished(() => void child.kill('SIGKILL'))
  let errors = ''
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number, errors })) }
}

test('alone it prints its address, serves, and ends with the first signal', async () => {
  const { child, ended } = run('--port', '0', '--leads', '7', '--contacts', '3', '--seed', '2', '--mode', '7.5.4')
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line.toString())?.[0]
  expect(await (await fetch(`${url}/_simulator/counts`)).json()).toMatchObject({ leads: 7, contacts: 3 })
  child.kill('SIGTERM')
  expect((await ended).code).toBe(0)
})

test('a taken port and a wrong flag are told in a sentence', async () => {
  const { simulator } = await open()
  const taken = await run('--port', String(simulator.port)).ended
  expect(taken).toEqual({ code: 1, errors: `Port ${simulator.port} is taken: choose another with --port.\n` })
  expect(await run('--leads', 'many').ended).toEqual({
    code: 1,
    errors: "--leads must be a whole number, not 'many'.\n",
  })
  expect((await run('--nonsense').ended).code).toBe(1)
})
