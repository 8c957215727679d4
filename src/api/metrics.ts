import type { FastifyInstance } from 'fastify'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    /** what /metrics shows */
    metrics: Registry
  }
}

/** Node's own figures and the time of every route. Labels are patterns, never ids. */
export const addMetrics = (app: FastifyInstance): void => {
  const register = new Registry()
  app.decorate('metrics', register)
  collectDefaultMetrics({ register })
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
