import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Database } from '../db/database.ts'
import * as optOuts from '../db/optOut/work.ts'
import { openByState } from '../db/submission/claim.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** what /metrics shows */
    metrics: Registry
  }
}

type Open = { state: string; count: number; seconds: number }
type Figures = {
  states: readonly string[]
  read: () => Promise<Open[]>
  count: [string, string]
  oldest: [string, string]
}

/** What is not settled, read when somebody asks for the figures; a database that does not answer leaves them out. */
const addOpen = (register: Registry, { states, read, count, oldest }: Figures): void => {
  const add = ([name, help]: [string, string], valueOf: (open: { count: number; seconds: number }) => number): void => {
    const gauge = new Gauge({
      name,
      help,
      labelNames: ['state'],
      registers: [register],
      async collect() {
        gauge.reset()
        const found = await read().catch(() => null)
        for (const state of found === null ? [] : states)
          gauge.set({ state }, valueOf(found!.find((each) => each.state === state) ?? { count: 0, seconds: 0 }))
      },
    })
  }
  add(count, (open) => open.count)
  add(oldest, ({ seconds }) => seconds)
}

/** Node's own figures, the time of every route, and what is open of forms and opt-outs. Labels are patterns and states, never ids. */
export const addMetrics = (app: FastifyInstance, db: Database): void => {
  const register = new Registry()
  app.decorate('metrics', register)
  collectDefaultMetrics({ register })
  addOpen(register, {
    states: ['received', 'pushing', 'waiting', 'held'],
    read: () => openByState(db),
    count: ['fairlead_submissions_open', 'Submissions of forms that are not settled'],
    oldest: ['fairlead_submissions_oldest_seconds', 'Age of the oldest of them'],
  })
  addOpen(register, {
    states: ['waiting', 'held', 'rejected'],
    read: () => optOuts.openByState(db),
    count: ['fairlead_opt_outs_open', 'Opt-outs and consents that the CRM has not confirmed'],
    oldest: ['fairlead_opt_outs_oldest_seconds', 'Age of the oldest of them'],
  })
  const duration = new Histogram({
    name: 'fairlead_http_request_duration_seconds',
    help: 'Time from the request to the end of its answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [register],
  })
  app.addHook('onResponse', async (request, reply) => {
    const labels = { method: request.method, route: request.routeOptions.url ?? 'unknown', status: reply.statusCode }
    duration.observe(labels, reply.elapsedTime / 1000)
  })
  app.get('/metrics', { schema: { tags: ['Operating'], summary: 'Figures for Prometheus' } }, async (_request, reply) =>
    reply.type(register.contentType).send(await register.metrics()),
  )
  app.addHook('onClose', async () => register.clear())
}
