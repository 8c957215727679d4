import autocannon from 'autocannon'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeCursor } from '../src/api/cursor.ts'
import * as apiKeys from '../src/db/apiKey.ts'
import { apiFlags, memoryEnvironment } from '../src/start/memory.ts'
import { percentile } from './measure.ts'
import type { Stage } from './stage.ts'
import { sizeOf, type Line } from './table.ts'

/** Asked of each kind, all kinds at once, before anything is measured: the first requests of a process that has just started wait for connections and compilers. */
const warmUp = 25
/** Requests a second for each kind of read: what a few dozen people at work and a poller or two make. */
const perSecond = 5
const mostMs = 100
const searchMs = 1000
const searches = 5
const waitRows = 2000

type Target = { accountId: string; listId: string; runId: string }
type Paths = Record<string, string[]>

/** Records and a cursor halfway into what the list holds at this moment. */
const pathsOf = async ({ wiring }: Stage, { accountId, listId, runId }: Target): Promise<Paths> => {
  const { db, secrets } = wiring
  const sql = db.$client
  const [middle] = await sql<{ id: string }[]>`
    select id from records where list_id = ${listId} order by id offset (select count(*) / 2 from records where list_id = ${listId}) limit 1`
  const some = await sql<{ id: string }[]>`select id from records where list_id = ${listId} order by id limit 100`
  const records = `/v1/lists/${listId}/records`
  const cursor = writeCursor(secrets, [accountId, 'records', listId, undefined, undefined, 'asc', false], {
    id: middle!.id,
    value: null,
    now: new Date().toISOString(),
  })
  return {
    'a record': some.map(({ id }) => `${records}/${id}`),
    'the first page': [`${records}?limit=50`],
    'a deep page by id': [`${records}?limit=50&cursor=${encodeURIComponent(cursor)}`],
    'a run': [`/v1/runs/${runId}`],
  }
}

type Load = { name: string; stop: () => Promise<Line> }

/** Answers the status of the last reply: 200, or the first other one. */
const ask = async (stage: Stage, url: string, headers: Record<string, string>, paths: string[]): Promise<number> => {
  for (let n = 0; ; n += 1) {
    const reply = await fetch(`${url}${paths[n % paths.length]}`, { headers, signal: stage.signal })
    await reply.arrayBuffer()
    if (reply.status !== 200 || n === warmUp - 1) return reply.status
  }
}

/** One connection that asks at a fixed rate, whatever the answers take: waiting counts as latency. */
const beginLoad = (
  url: string,
  headers: Record<string, string>,
  name: string,
  paths: string[],
  during: string,
): Load => {
  const requests = paths.map((path) => ({ method: 'GET' as const, path }))
  const work = `API during ${during}: ${name}, ${perSecond} requests/s`
  const must = `p99 ≤ ${mostMs} ms`
  const running = autocannon({
    url,
    headers,
    requests,
    connections: 1,
    overallRate: perSecond,
    duration: 3600,
    timeout: 10,
  })
  return {
    name,
    async stop() {
      ;(running as unknown as { stop: () => void }).stop()
      const { latency, non2xx, errors, requests } = await running
      const wrong = non2xx + errors
      const failures = wrong === 0 ? '' : `, ${wrong} failed`
      return {
        work,
        must,
        measured: `p50 ${latency.p50} ms, p99 ${latency.p99} ms (${requests.total} requests${failures})`,
        met: latency.p99 <= mostMs && wrong === 0,
      }
    },
  }
}

export type ApiWatch = { stop: () => Promise<Line[]>; search: (leads: number) => Promise<Line[]> }
const nothing: ApiWatch = { stop: async () => [], search: async () => [] }

const startApi = async (
  stage: Stage,
  accountId: string,
): Promise<{ url: string; headers: Record<string, string> } | undefined> => {
  const url = `http://127.0.0.1:${stage.environment['PORT']}`
  const api = stage.start('api', 'src/serve.ts', { node: apiFlags, environment: memoryEnvironment })
  const { key } = await apiKeys.insert(stage.wiring.db, accountId, { name: 'bench', role: 'viewer' })
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    stage.signal.throwIfAborted()
    const reply = await fetch(`${url}/readyz`).catch(() => undefined)
    await reply?.body?.cancel()
    if (reply?.ok) return { url, headers: { authorization: `Bearer ${key}` } }
    await sleep(100)
  }
  await api.stop()
  stage.say('  skipped: the API did not come up')
  return undefined
}

/** Reads through the API at a modest rate while the import of `target` runs; routes that do not answer are skipped, and it is said. */
export const watchApi = async (stage: Stage, target: Target, during: string): Promise<ApiWatch> => {
  const api = await startApi(stage, target.accountId)
  if (api === undefined) return nothing
  const { url, headers } = api
  const count = () =>
    stage.wiring.db.$client<[{ n: number }]>`select count(*)::int as n from records where list_id = ${target.listId}`
  while ((await count())[0].n < waitRows) await sleep(200, undefined, { signal: stage.signal })
  const kinds = Object.entries(await pathsOf(stage, target))
  const answers = await Promise.all(kinds.map(([, paths]) => ask(stage, url, headers, paths)))
  const loads: Load[] = []
  for (const [index, [name, paths]] of kinds.entries()) {
    // People who know nothing of each other do not ask at the same instant, five times a second.
    await sleep(1000 / perSecond / kinds.length)
    if (answers[index] === 200) loads.push(beginLoad(url, headers, name, paths, during))
    else stage.say(`  skipped: ${name} answers ${answers[index]}`)
  }

  const timeSearch = async (body: object): Promise<number[] | undefined> => {
    const times: number[] = []
    for (let n = 0; n < searches; n += 1) {
      const began = performance.now()
      const reply = await fetch(`${url}/v1/lists/${target.listId}/records/search`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify({ limit: 50, ...body }),
        signal: stage.signal,
      })
      await reply.arrayBuffer()
      if (reply.status !== 200) {
        stage.say(`  skipped: a search answers ${reply.status}`)
        return undefined
      }
      times.push(performance.now() - began)
    }
    return times
  }

  return {
    stop: () => Promise.all(loads.map((load) => load.stop())),
    async search(leads) {
      const kinds = {
        'filter without an index that finds few': {
          filter: { column: 'Company', operator: 'contains', value: 'nothing is called so' },
        },
        'sort by a column without an index': { sort: 'Company', order: 'asc' },
      }
      const lines: Line[] = []
      for (const [name, body] of Object.entries(kinds)) {
        const times = await timeSearch(body)
        if (times === undefined) continue
        lines.push({
          work: `API over ${sizeOf(leads)} records: ${name}`,
          must: `first rows ≤ ${searchMs / 1000} s`,
          measured: `median ${Math.round(percentile(times, 0.5))} ms, slowest of ${searches} ${Math.round(Math.max(...times))} ms`,
          met: Math.max(...times) <= searchMs,
        })
      }
      return lines
    },
  }
}
