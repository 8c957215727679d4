import type { FastifyInstance, FastifyRequest } from 'fastify'
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

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Lets a scope read JSON by its text. Bytes that are no UTF-8 are refused: decoded leniently, they would be stored as something that nobody sent.
 * An empty body is none.
 */
export const readJson = (
  app: Pick<FastifyInstance, 'removeContentTypeParser' | 'addContentTypeParser'>,
  read: (request: FastifyRequest, text: string, done: (error: Error | null, value?: unknown) => void) => void,
): void => {
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() || 'identity'
    if (encoding !== 'identity')
      return done(
        new FairleadError('unsupportedMediaType', {
          detail: `The body has the content encoding ${encoding.slice(0, 40)}.`,
          remedy: 'Send JSON as it is, without Content-Encoding.',
        }),
      )
    let text: string
    try {
      text = utf8.decode(bytes)
    } catch (error) {
      return done(new FairleadError('invalidJson', { detail: 'The body is not UTF-8.', cause: error }))
    }
    if (text.trim() === '') return done(null, undefined)
    read(request, text, done)
  })
}

/** What every route refuses (R39): unknown query parameters, a body where none is expected, JSON that is nested absurdly deep. */
export const refuseSurprises = (app: FastifyInstance): void => {
  app.addHook('onRoute', (route) => {
    if (!route.url.startsWith('/v1/')) return
    const writes = [route.method].flat().some((method) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method))
    route.schema = { querystring: NoQuery, ...(writes ? { body: NoBody } : {}), ...route.schema }
  })
  app.removeContentTypeParser('text/plain')
  const parse = app.getDefaultJsonParser('error', 'error')
  readJson(app, (request, body, done) => {
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
