import type { FastifyInstance } from 'fastify'

const id = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** One line an answer: the route's pattern and ids, never addresses, query strings or bodies (R37). */
export const logAnswers = (app: FastifyInstance): void => {
  app.addHook('onResponse', async (request, reply) => {
    const params = Object.entries((request.params ?? {}) as Record<string, string>).filter(([, value]) =>
      id.test(value),
    )
    const { accountId, apiKeyId } = request.caller ?? {}
    // Probes and the page of the API come all the time.
    const level = request.caller === undefined && reply.statusCode < 400 ? 'debug' : 'info'
    request.log[level](
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        accountId,
        apiKeyId,
        ...Object.fromEntries(params),
      },
      'answered',
    )
  })
}
