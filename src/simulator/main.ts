import { parseArgs } from 'node:util'
import { startSimulator, type SimulatorOptions } from './simulator.ts'

const text = { type: 'string' } as const

const whole = (name: string, value: string | undefined): number | undefined => {
  if (value === undefined) return undefined
  if (!/^\d+$/.test(value)) throw new Error(`--${name} must be a whole number, not '${value}'.`)
  return Number(value)
}

const readOptions = (args: string[]): SimulatorOptions => {
  const { values } = parseArgs({
    args,
    options: {
      port: text,
      host: text,
      leads: text,
      contacts: text,
      latency: text,
      seed: text,
      mode: text,
      username: text,
      password: text,
      'max-page': text,
      'base-path': text,
    },
  })
  const { mode, host, username, password } = values
  if (mode !== undefined && mode !== '8.x' && mode !== '7.5.4')
    throw new Error(`--mode must be 8.x or 7.5.4, not '${mode}'.`)
  const options = {
    port: whole('port', values.port) ?? 5493,
    leads: whole('leads', values.leads) ?? 5000,
    contacts: whole('contacts', values.contacts) ?? 5000,
    latencyMs: whole('latency', values.latency),
    seed: whole('seed', values.seed),
    maxPage: whole('max-page', values['max-page']),
    basePath: values['base-path'],
    mode,
    host,
    username,
    password,
  }
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

const sentence = (error: unknown, port: number | undefined): string => {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `Port ${port} is taken: choose another with --port.`
  if (code === 'EACCES') return `Port ${port} may not be opened by this user: choose one above 1023 with --port.`
  return message
}

let options: SimulatorOptions = {}
try {
  options = readOptions(process.argv.slice(2))
  const simulator = await startSimulator(options)
  process.stdout.write(`CRM simulator ready at ${simulator.url}\n`)
  const stop = (): void => void simulator.close().then(() => process.exit(0))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
} catch (error) {
  process.stderr.write(`${sentence(error, options.port)}\n`)
  process.exitCode = 1
}
