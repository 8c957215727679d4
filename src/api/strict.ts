import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { FairleadError } from '../domain/errors.ts'

const NoQuery = z.strictObject({})
export const NoBody = z.union([z.strictObject({}), z.null(), z.undefined()])
const deepest = 32

/** Deep nesting would overflow the stack of whoever walks the value. */
const isTooDeep = (value: unknown): boolean => {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > deepest) return true
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each) : []))
  }
  return false
}

/** What every route refuses (R39): unknown query parameters, a body where none is expected, JSON that is nested absurdly deep. */
export const refuseSurprises = (app: FastifyInstance): void => {
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/')) return
    const writes = [route.method].flat().some((method) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method))
    route.schema = { querystring: NoQuery, ...(writes ? { body: NoBody } : {}), ...route.schema }
  })
  app.removeContentTypeParser('text/plain')
  app.removeContentTypeParser('application/json')
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.trim() === '') return done(null, undefined)
    // Declared as perhaps returning a promise, which it does not.
    void parse(request, body, (error, value) => {
      if (error !== null) return done(new FairleadError('invalidJson', { cause: error }))
      done(
        isTooDeep(value) ? new FairleadError('invalidInput', { detail: 'The body is nested too deeply.' }) : null,
        value,
      )
    })
  })
}

/** Answers 405 where the address exists with another method. Called when all routes are there. */
export const refuseMethods = (app: FastifyInstance, routes: Map<string, Set<string>>): void => {
  for (const [url, methods] of routes) {
    const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((method) => !methods.has(method))
    const allow = [...methods].join(', ')
    app.route({
      method: others,
      url,
      schema: { hide: true },
      handler: async (_request, reply) => {
        reply.header('allow', allow)
        throw new FairleadError('methodNotAllowed', { remedy: `Use one of ${allow}.` })
      },
    })
  }
}
