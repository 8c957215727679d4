import { onTestFinished } from 'vitest'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../src/simulator/simulator.ts'

export type Entry = Record<string, unknown> & { $key: string }
export type Feed = {
  $totalResults?: number
  $startIndex: number
  $itemsPerPage: number
  $next?: string
  $previous?: string
  $url: string
  $resources: Entry[]
}

type Sent = { method?: string; body?: unknown; headers?: Record<string, string>; user?: string | null }

export const basic = (user: string): string => `Basic ${Buffer.from(user).toString('base64')}`

/** A simulator of its own for one test. */
export const open = async (options: SimulatorOptions = {}) => {
  const opened = await start(options)
  onTestFinished(opened.close)
  return opened
}

/** A simulator, and ways to ask it over real HTTP. */
export const start = async (options: SimulatorOptions = {}) => {
  const simulator: Simulator = await startSimulator({ leads: 300, contacts: 100, seed: 5, ...options })
  const base = `${simulator.url}${options.basePath ?? '/sdata'}/slx`
  const ask = (
    path: string,
    { method = 'GET', body, headers = {}, user = 'admin:secret' }: Sent = {},
  ): Promise<Response> =>
    fetch(`${base}/${path}`, {
      method,
      redirect: 'manual',
      headers: { ...(user === null ? {} : { Authorization: basic(user) }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  const withJson = (path: string): string => `${path}${path.includes('?') ? '&' : '?'}format=json`
  const json = async <Shape = Entry>(path: string, sent: Sent = {}): Promise<Shape> =>
    (await ask(withJson(path), sent)).json() as Promise<Shape>
  const feed = (path: string): Promise<Feed> => json<Feed>(path)
  return {
    simulator,
    control: simulator.control,
    close: () => simulator.close(),
    ask: (path: string, sent: Sent = {}) => ask(withJson(path), sent),
    plain: ask,
    json,
    feed,
    /** the ids that a where clause finds */
    find: async (where: string, kind = 'leads'): Promise<string[]> => {
      const found = await feed(`dynamic/-/${kind}?count=1000&select=Id&where=${encodeURIComponent(where)}`)
      return found.$resources.map(({ $key }) => $key.trim())
    },
    /** every key by keyset paging */
    keys: async (kind: string, count: number, select = 'Id'): Promise<string[]> => {
      const keys: string[] = []
      for (;;) {
        const after = keys.length === 0 ? '' : `&where=${encodeURIComponent(`Id gt '${keys.at(-1)}'`)}`
        const page = await feed(`dynamic/-/${kind}?count=${count}&select=${select}&orderby=Id${after}`)
        if (page.$resources.length === 0) return keys
        keys.push(...page.$resources.map(({ $key }) => $key.trim()))
      }
    },
  }
}
